/** A part of a message of the AI SDK: a `UIMessagePart` of any version. */
export type UIPart = { type: string } & Record<string, unknown>;

/** A part as Scrollback takes it: an object with one field, which is named after the kind. */
export type PartInput = Record<string, Record<string, unknown>>;

/** A part as Scrollback returns it, with `__typename` and all fields. */
export type StoredPart = { __typename?: string } & Record<string, unknown>;

/** The fields of a part that GraphQL operations have to select. */
export const PART_FIELDS = `__typename
  ... on TextPart { text extra }
  ... on ReasoningPart { text extra }
  ... on FilePart { mediaType filename url extra attachment { id byteSize sha256 downloadUrl } }
  ... on ToolPart { toolCallId toolName state input output errorText extra }
  ... on SourceUrlPart { sourceId url title extra }
  ... on SourceDocumentPart { sourceId mediaType title filename extra }
  ... on DataPart { name data extra }
  ... on CustomPart { kind data extra }`;

const NAME_BYTES = 1024;
const ID_BYTES = 8 * 1024;

/** A `data:` URL over this length becomes an attachment. */
const INLINE_BYTES = 8 * 1024;

const TOOL_STATES = [
  "input-streaming",
  "input-available",
  "approval-requested",
  "approval-responded",
  "output-available",
  "output-error",
  "output-denied",
];

/** The kinds that are stored raw, and that every version of the SDK since 7 reads. */
const RAW_KINDS = /^(text|reasoning|file|source-url|source-document|step-start|custom|reasoning-file|steering-message|dynamic-tool|(tool|data)-.*)$/s;

/** In `extra` of a raw part of a kind that this version does not know: the AI SDK wrote it. */
const FROM_SDK = { sdk: "ai" };

/** Stands for a message without parts, which Scrollback does not have. */
const NO_PARTS = "ui-message-without-parts";

/** The parts of a message, in the shape of an input. They must be `storable`. */
export function toParts(parts: readonly UIPart[]): PartInput[] {
  if (parts.length === 0) return [{ custom: { kind: NO_PARTS, data: {} } }];
  const isEmpty = ({ type, text }: UIPart) => (type === "text" || type === "reasoning") && text === "";
  // A message of nothing but empty texts is refused, unless they are raw.
  return parts.every(isEmpty) ? parts.map(raw) : parts.map(toPart);
}

/** The parts of the AI SDK from stored ones. */
export function fromParts(parts: readonly StoredPart[]): UIPart[] {
  return parts.filter(({ kind }) => kind !== NO_PARTS).map(fromPart);
}

function toPart(part: UIPart): PartInput {
  return typed(part) ?? raw(part);
}

/** A part without a typed place, as it is. */
function raw({ type, ...data }: UIPart): PartInput {
  return { custom: { kind: type, data, ...(RAW_KINDS.test(type) ? {} : { extra: FROM_SDK }) } };
}

/** The typed part, if Scrollback accepts the required fields. */
function typed(part: UIPart): PartInput | undefined {
  const { type } = part;
  if (type === "text" || type === "reasoning") {
    return typeof part.text === "string" ? { [type]: split(part, ["text"]) } : undefined;
  }
  if (type === "file" || (type === "reasoning-file" && isStoredFile(part.url))) {
    if (!isText(part.mediaType, NAME_BYTES) || !isUrl(part.url)) return undefined;
    const file = split(part, ["mediaType", "url", ...optional(part, "filename")], type === "reasoning-file");
    return { file: { ...file, url: withoutLink(part.url) } };
  }
  if (type === "source-url") {
    if (!isText(part.sourceId, ID_BYTES) || !isText(part.url, ID_BYTES)) return undefined;
    return { sourceUrl: split(part, ["sourceId", "url", ...optional(part, "title")]) };
  }
  if (type === "source-document") {
    if (!isText(part.sourceId, ID_BYTES) || !isText(part.mediaType, NAME_BYTES)) return undefined;
    const fields = ["sourceId", "mediaType", ...optional(part, "title"), ...optional(part, "filename")];
    return { sourceDocument: split(part, fields) };
  }
  if (type === "dynamic-tool") return isText(part.toolName, NAME_BYTES) ? tool(part, part.toolName) : undefined;
  if (type.startsWith("tool-")) return tool(part, type.slice("tool-".length));
  if (type.startsWith("data-")) {
    const name = type.slice("data-".length);
    return isText(name, NAME_BYTES) && part.data != null ? { data: { name, ...split(part, ["data"]) } } : undefined;
  }
  return undefined;
}

function tool(part: UIPart, toolName: string): PartInput | undefined {
  const { type, state, toolName: _, ...rest } = part;
  if (!isText(toolName, NAME_BYTES) || !isText(part.toolCallId, ID_BYTES)) return undefined;
  if (typeof state !== "string" || !TOOL_STATES.includes(state)) return undefined;
  const values = ["input", "output"].filter((field) => part[field] != null);
  const texts = typeof part.errorText === "string" ? ["errorText"] : [];
  const isDynamic = type === "dynamic-tool";
  // A static part with a name besides that of its type keeps both.
  const named = !isDynamic && "toolName" in part ? { ...rest, toolName: part.toolName } : rest;
  const fields = split({ type, ...named }, ["toolCallId", ...values, ...texts], isDynamic);
  return { tool: { toolName, state: state.toUpperCase().replaceAll("-", "_"), ...fields } };
}

/** The named fields, and all others in `extra`. */
function split(part: UIPart, names: string[], withType = false): Record<string, unknown> {
  const extra: Record<string, unknown> = withType ? { type: part.type } : {};
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(part)) {
    if (name === "type") continue;
    Object.defineProperty(names.includes(name) ? fields : extra, name, {
      value, enumerable: true, configurable: true, writable: true,
    });
  }
  return Object.keys(extra).length > 0 ? { ...fields, extra } : fields;
}

/** The field, if it is there and Scrollback accepts it. */
const optional = (part: UIPart, name: string): string[] =>
  typeof part[name] === "string" && bytes(part[name]) <= NAME_BYTES ? [name] : [];

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value !== "" && bytes(value) <= most;
}

const isUrl = (url: unknown): url is string => isText(url, ID_BYTES) || isDataUrl(url);
const isDataUrl = (url: unknown): url is string => typeof url === "string" && /^data:/i.test(url);

/** Whether the server has the file, or will have it. */
const isStoredFile = (url: unknown) =>
  isDataUrl(url) ? bytes(url) > INLINE_BYTES : typeof url === "string" && withoutLink(url).startsWith("attachment:");

const bytes = (text: string) => new TextEncoder().encode(text).length;

/** A download link of this server is the attachment that it leads to. */
export function withoutLink(url: string): string {
  const found = /\/files\/([0-9a-f-]{36})\?expires=\d+&signature=[^&]+$/.exec(url);
  return found ? `attachment:${found[1]}` : url;
}

function fromPart({ __typename, ...stored }: StoredPart): UIPart {
  const { extra, attachment: _, ...fields } = stored;
  const rest = (extra ?? {}) as Record<string, unknown>;
  switch (__typename) {
    case "TextPart":
      return { type: "text", ...fields, ...rest };
    case "ReasoningPart":
      return { type: "reasoning", ...fields, ...rest };
    case "FilePart":
      return { type: "file", ...present(fields), ...rest };
    case "ToolPart": {
      const { toolName, state, ...call } = present(fields);
      const lower = String(state).toLowerCase().replaceAll("_", "-");
      const name = rest.type === "dynamic-tool" ? { toolName } : {};
      return complete({ type: `tool-${toolName}`, ...name, state: lower, ...call, ...rest });
    }
    case "SourceUrlPart":
      return { type: "source-url", ...present(fields), ...rest };
    case "SourceDocumentPart": {
      const { title = fields.sourceId, ...document } = present(fields); // The SDK requires a title.
      return { type: "source-document", title, ...document, ...rest };
    }
    case "DataPart":
      return { type: `data-${fields.name}`, data: fields.data, ...rest };
    default:
      return fromRaw(fields, rest);
  }
}

function fromRaw({ kind, data }: Record<string, unknown>, extra: Record<string, unknown>): UIPart {
  const type = String(kind);
  const isOfSdk = RAW_KINDS.test(type) || extra.sdk === FROM_SDK.sdk;
  if (isOfSdk && typeof data === "object" && data !== null && !Array.isArray(data)) return { type, ...data };
  // Another SDK wrote it. The AI SDK accepts data of any name.
  return { type: `data-${type}`, data };
}

/** What the AI SDK requires of a tool's part, and a part of another SDK may lack. */
function complete(part: UIPart): UIPart {
  const { state, toolCallId: id } = part;
  if (state === "input-streaming") return part;
  if (state === "output-error") return { errorText: "", ...part };
  // JSON drops the result of a tool that returns nothing.
  const whole = { input: null, ...(state === "output-available" ? { output: null } : {}), ...part };
  if (state === "approval-requested") return { approval: { id }, ...whole };
  if (state === "approval-responded") return { approval: { id, approved: true }, ...whole };
  if (state === "output-denied") return { approval: { id, approved: false }, ...whole };
  return whole;
}

/** Without the fields that are null: GraphQL does not tell them from absent ones. */
function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
}
