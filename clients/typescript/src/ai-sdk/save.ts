import { isSame } from "./compare.js";
import { type ChatContext, hasCode } from "./context.js";
import { messageIdOf, uuid5 } from "./ids.js";
import { MESSAGE_FIELDS, type MessageInput, type StoredMessage, type UIMessageLike, toScrollback } from "./messages.js";

/** How many messages are looked up at a time. Mostly only the last ones are new. */
const WINDOW = 10;

/** How many messages are appended at a time. */
const BATCH = 50;

const STORED = `query StoredUIMessages($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Message { ${MESSAGE_FIELDS} conversation { id } } }
}`;

const APPEND = `mutation AppendUIMessages($input: AppendMessagesInput!) {
  appendMessages(input: $input) { messages { id } }
}`;

const UPDATE = `mutation UpdateUIMessage($input: UpdateMessageInput!) {
  updateMessage(input: $input) { message { id } }
}`;

type Found = StoredMessage & { conversation: { id: string } };

/** A message of the list, as it is to be stored. */
interface Entry {
  message: UIMessageLike;
  input: MessageInput;
  /** The message that has the id, if there is one. */
  stored: Found | null;
  /** Whether nothing is to be done. */
  isKept: boolean;
}

/**
 * Stores what is new in a list of messages, and returns the id of the last one. A repetition changes nothing.
 *
 * Messages before one that is stored are taken to be stored: the SDK only changes the end of its list. An edited
 * question becomes a new branch. An assistant's message that changed, for example when a tool was approved, is updated.
 */
export async function saveMessages(
  context: ChatContext,
  conversationId: string,
  messages: readonly UIMessageLike[],
): Promise<string | null> {
  const { parent, entries } = await unsaved(context, conversationId, messages);
  let last = parent;
  const batch: Entry[] = [];
  const flush = async () => {
    if (batch.length > 0) last = await append(context, conversationId, last, batch.splice(0));
  };
  for (const entry of entries) {
    if (!entry.stored) {
      batch.push(entry);
      if (batch.length === BATCH) await flush();
      continue;
    }
    await flush();
    const { id, parts, metadata } = entry.input;
    await context.client.query(UPDATE, { input: { id, parts, metadata } }, { idempotent: true });
    last = id;
  }
  await flush();
  return last;
}

/** The messages after the last one that is stored as it is, and the id of that one. */
async function unsaved(context: ChatContext, conversationId: string, messages: readonly UIMessageLike[]) {
  const entries: Entry[] = [];
  for (let end = messages.length; end > 0; end -= WINDOW) {
    const window = await lookUp(context, conversationId, messages.slice(Math.max(0, end - WINDOW), end));
    const kept = window.map(({ isKept }) => isKept).lastIndexOf(true);
    entries.unshift(...window.slice(kept + 1));
    if (kept >= 0) return { parent: window[kept]!.input.id, entries };
  }
  return { parent: null, entries };
}

async function lookUp(
  context: ChatContext,
  conversationId: string,
  messages: readonly UIMessageLike[],
): Promise<Entry[]> {
  const convert = (id: string, message: UIMessageLike) => toScrollback(conversationId, message, { ...context, id });
  const ids = await Promise.all(messages.map(({ id }) => messageIdOf(conversationId, id)));
  const own = await Promise.all(ids.map((id) => ownId(conversationId, id)));
  const found = await stored(context, [...ids, ...own]);
  const isHere = (message: Found | null | undefined) => message?.conversation.id === conversationId;
  const entries = await Promise.all(
    messages.map(async (message, at) => {
      // The id may be that of a message in another conversation. Another id stands for it here.
      const [first, second] = [found[at], found[messages.length + at]];
      const id = isHere(second) || (first && !isHere(first)) ? own[at]! : ids[at]!;
      const there = isHere(second) ? second! : isHere(first) ? first! : null;
      const isSaved = there !== null && (await isKept(context, there, message));
      return { message, input: await convert(id, message), stored: there, isKept: isSaved };
    }),
  );
  const edited = entries.filter(({ message, stored, isKept }) => stored && !isKept && message.role !== "assistant");
  if (edited.length === 0) return entries;
  for (const entry of edited) {
    const version = await uuid5("version", conversationId, entry.input.id, JSON.stringify(entry.input.parts));
    entry.input = await convert(version, entry.message);
  }
  const versions = await stored(context, edited.map(({ input }) => input.id));
  for (const [at, entry] of edited.entries()) {
    entry.stored = versions[at] ?? null;
    entry.isKept = entry.stored !== null && (await isKept(context, entry.stored, entry.message));
  }
  return entries;
}

/** The id in this conversation of a message whose id is used in another one. */
const ownId = (conversationId: string, id: string) => uuid5("own", conversationId, id);

/** Whether nothing is to be done. A message that is being written belongs to its writer, a deleted one stays deleted. */
async function isKept({ invalidText }: ChatContext, stored: Found, message: UIMessageLike): Promise<boolean> {
  return stored.status === "STREAMING" || stored.deletedAt !== null || isSame(stored, message, invalidText);
}

async function stored({ client }: ChatContext, ids: string[]): Promise<(Found | null)[]> {
  const { nodes } = await client.query<{ nodes: (Partial<Found> | null)[] }>(STORED, { ids });
  return nodes.map((node) => (node?.conversation ? (node as Found) : null));
}

/** Appends messages, and returns the id of the last one. */
async function append(
  context: ChatContext,
  conversationId: string,
  parentId: string | null,
  entries: readonly Entry[],
): Promise<string> {
  const write = async (messages: MessageInput[]) => {
    await context.client.query(APPEND, { input: { conversationId, parentId, messages } }, { idempotent: true });
    return messages.at(-1)!.id;
  };
  const convert = async ({ message, input: { id } }: Entry) =>
    toScrollback(conversationId, message, { ...context, id: await ownId(conversationId, id) });
  const writeAll = async () => {
    try {
      return await write(entries.map(({ input }) => input));
    } catch (error) {
      // Somebody else may have a message with one of the ids.
      if (!hasCode(error, "CONFLICT")) throw error;
      return write(await Promise.all(entries.map(convert)));
    }
  };
  try {
    return await writeAll();
  } catch (error) {
    if (!hasCode(error, "NOT_FOUND") || parentId !== null) throw error;
    await context.client.createConversation({ id: conversationId });
    return writeAll();
  }
}
