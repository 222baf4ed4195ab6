import { messageIdOf } from "./ids.js";
import { type PartInput, type StoredPart, type UIPart, PART_FIELDS, fromParts, toParts } from "./parts.js";
import { type InvalidText, storable } from "./text.js";

/** What this adapter needs of a `UIMessage`, of any version of the SDK. */
export interface UIMessageLike {
  id: string;
  role: "system" | "user" | "assistant";
  metadata?: unknown;
  parts: readonly unknown[];
}

/** A message as Scrollback takes it. */
export interface MessageInput {
  id: string;
  role: "SYSTEM" | "USER" | "ASSISTANT";
  parts: PartInput[];
  metadata: unknown;
}

/** A message as Scrollback returns it. */
export interface StoredMessage {
  id: string;
  role: string;
  status: string;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
  metadata: unknown;
  parts: StoredPart[];
}

/** The fields of a message that GraphQL operations have to select. */
export const MESSAGE_FIELDS = `id role status createdAt editedAt deletedAt metadata parts { ${PART_FIELDS} }`;

/** The key in the metadata for what has no place elsewhere: an id that is no UUID, metadata that is no object. */
const KEY = "uiMessage";

/** Options of the conversion to Scrollback. */
export interface ToScrollbackOptions {
  /** What to do with NUL and lone surrogates, which PostgreSQL cannot hold. Default: `replace` by U+FFFD. */
  invalidText?: InvalidText;
  /** The id of the stored message. Default: the one that belongs to the id of the SDK. */
  id?: string;
}

/**
 * The message of Scrollback for a message of the AI SDK. Nothing is lost: `fromScrollback` gives an equal message.
 *
 * @throws InvalidTextError if the option `invalidText` is `refuse` and a text has NUL or a lone surrogate.
 */
export async function toScrollback(
  conversationId: string,
  message: UIMessageLike,
  { invalidText, id }: ToScrollbackOptions = {},
): Promise<MessageInput> {
  const { id: uiId, role, metadata, parts, ...others } = storable(message, invalidText);
  const stored = id ?? (await messageIdOf(conversationId, uiId));
  const input = { role: role.toUpperCase() as MessageInput["role"], parts: toParts(parts as UIPart[]) };
  const aside: Record<string, unknown> = { ...others };
  if (uiId !== stored) aside.id = uiId;
  const isPlain = metadata === undefined || (isObject(metadata) && isNotEmpty(metadata) && !(KEY in metadata));
  if (!isPlain) aside.metadata = metadata;
  const plain = isPlain && metadata !== undefined ? (metadata as object) : {};
  return { id: stored, ...input, metadata: isNotEmpty(aside) ? { ...plain, [KEY]: aside } : plain };
}

/** Options of the conversion from Scrollback. */
export interface FromScrollbackOptions {
  /**
   * The address of the server. With it, the URLs of files on the server become links from which a browser or a model
   * can download the file, for 15 minutes at least. Without it they stay `attachment:ID`.
   */
  filesFrom?: string;
}

/** The message of the AI SDK that a stored message holds, whichever client wrote it. */
export function fromScrollback<MESSAGE extends UIMessageLike = UIMessageLike>(
  { id, role, metadata, status, parts }: StoredMessage,
  { filesFrom }: FromScrollbackOptions = {},
): MESSAGE {
  const { [KEY]: aside, ...plain } = isObject(metadata) ? metadata : { [KEY]: { metadata } };
  const message: Record<string, unknown> = { id, role: role === "TOOL" ? "assistant" : role.toLowerCase() };
  if (isNotEmpty(plain)) message.metadata = plain;
  Object.assign(message, isObject(aside) ? aside : {});
  const linked = filesFrom === undefined ? parts : parts.map((part) => withLink(part, filesFrom));
  message.parts = fromParts(linked).map((part) => (status === "STREAMING" ? { ...part, state: "streaming" } : part));
  return message as unknown as MESSAGE;
}

/** The id that the AI SDK uses for a stored message. */
export function uiIdOf({ id, metadata }: { id: string; metadata: unknown }): string {
  const aside = isObject(metadata) ? metadata[KEY] : undefined;
  return isObject(aside) && typeof aside.id === "string" ? aside.id : id;
}

function withLink(part: StoredPart, server: string): StoredPart {
  const { downloadUrl } = (part.attachment ?? {}) as { downloadUrl?: string | null };
  return downloadUrl ? { ...part, url: new URL(downloadUrl, server).href } : part;
}

/** Whether the value is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNotEmpty = (value: object) => Object.keys(value).length > 0;
