import { type PartInput, type StoredPart, withoutLink } from "../ai-sdk/parts.js";

/** A part of a message of assistant-ui, of any version. */
export type ThreadPart = { type: string } & Record<string, unknown>;

/** The kind of a part that has no type in Scrollback, before the type that assistant-ui has for it. */
const KIND = "assistant-ui-";

/** The part of Scrollback. Fields without a place stay beside it, in `extra`. */
export function fromThreadPart(part: ThreadPart): PartInput {
  const { type } = part;
  if (isFilled(part.text) && (type === "text" || type === "reasoning")) return { [type]: split(part, ["text"]) };
  if (type === "tool-call" && isFilled(part.toolCallId) && isFilled(part.toolName)) return fromToolCall(part);
  if (type === "source" && isFilled(part.id)) {
    const { id: sourceId, ...source } = part;
    if (part.sourceType === "url" && isFilled(part.url)) {
      return { sourceUrl: { sourceId, ...split(source as ThreadPart, ["url", "title"]) } };
    }
    if (part.sourceType === "document" && isFilled(part.mediaType)) {
      return { sourceDocument: { sourceId, ...split(source as ThreadPart, ["mediaType", "title", "filename"]) } };
    }
  }
  if (type === "file" && isFilled(part.data) && isFilled(part.mimeType)) {
    const { data, mimeType, ...file } = part;
    const isUrl = /^[a-z][a-z+.-]*:/i.test(data) || part.sourceType !== undefined;
    const url = isUrl ? withoutLink(data) : `data:${mimeType};base64,${data}`;
    return { file: withExtra({ url, mediaType: mimeType, ...split(file as ThreadPart, ["filename"]) }, isUrl ? {} : { isBase64: true }) };
  }
  if (type === "image" && isFilled(part.image)) {
    const { image, ...file } = part;
    const mediaType = /^data:([^;,]+)/i.exec(image)?.[1] ?? "image/*";
    return { file: withExtra({ url: withoutLink(image), mediaType, ...split(file as ThreadPart, ["filename"]) }, { type }) };
  }
  if (type === "data" && isFilled(part.name) && part.data != null) return { data: split(part, ["name", "data"]) };
  const { type: _, ...data } = part;
  return { custom: { kind: `${KIND}${type}`, data } };
}

function fromToolCall(part: ThreadPart): PartInput {
  const { args, result, isError, ...call } = part;
  const hasResult = result !== undefined && result !== null;
  const state = isError === true ? "OUTPUT_ERROR" : hasResult ? "OUTPUT_AVAILABLE" : stateOf(part);
  const fields = { ...split(call as ThreadPart, ["toolCallId", "toolName"]), state };
  const values = { ...(args == null ? {} : { input: args }), ...(hasResult ? { output: result } : {}) };
  return { tool: withExtra({ ...fields, ...values }, isError === undefined ? {} : { isError }) };
}

function stateOf({ approval }: ThreadPart): string {
  if (typeof approval !== "object" || approval === null) return "INPUT_AVAILABLE";
  return "approved" in approval ? "APPROVAL_RESPONDED" : "APPROVAL_REQUESTED";
}

/** The part of assistant-ui. Parts of other clients become what is nearest. */
export function toThreadPart(stored: StoredPart, filesFrom?: string): ThreadPart | undefined {
  const { __typename, extra, attachment, ...fields } = stored;
  const rest = (extra ?? {}) as Record<string, unknown>;
  const { downloadUrl } = (attachment ?? {}) as { downloadUrl?: string };
  switch (__typename) {
    case "TextPart":
      return { type: "text", ...fields, ...rest };
    case "ReasoningPart":
      return { type: "reasoning", ...fields, ...rest };
    case "ToolPart":
      return toToolCall(fields, rest);
    case "SourceUrlPart":
      return { type: "source", sourceType: "url", id: fields.sourceId, url: fields.url, ...present({ title: fields.title }), ...rest };
    case "SourceDocumentPart": {
      const { sourceId: id, title, mediaType, filename } = fields;
      return { type: "source", sourceType: "document", id, title: title ?? id, mediaType, ...present({ filename }), ...rest };
    }
    case "FilePart":
      return toFile(fields, rest, downloadUrl && filesFrom ? new URL(downloadUrl, filesFrom).href : undefined);
    case "DataPart":
      return { type: "data", ...fields, ...rest };
    default:
      return toOther(fields);
  }
}

function toToolCall(fields: Record<string, unknown>, rest: Record<string, unknown>): ThreadPart {
  const { toolCallId, toolName, state, input, output, errorText } = fields;
  const args = input ?? {};
  const failed = state === "OUTPUT_ERROR" && !("isError" in rest) ? { isError: true } : {};
  const result = output ?? (state === "OUTPUT_ERROR" ? errorText : undefined);
  const call = { toolCallId, toolName, args, argsText: JSON.stringify(args), ...present({ result }) };
  return { type: "tool-call", ...call, ...failed, ...rest };
}

function toFile(fields: Record<string, unknown>, rest: Record<string, unknown>, link?: string): ThreadPart {
  const { filename, mediaType } = fields;
  const { isBase64, ...others } = rest;
  const url = link ?? String(fields.url);
  if (rest.type === "image") return { ...others, type: "image", image: url, ...present({ filename }) };
  const data = isBase64 && url.startsWith("data:") ? url.slice(url.indexOf(",") + 1) : url;
  return { type: "file", mimeType: mediaType, data, ...present({ filename }), ...others };
}

function toOther({ kind, data }: Record<string, unknown>): ThreadPart | undefined {
  if (!String(kind).startsWith(KIND)) return undefined; // Such as `step-start` of the AI SDK.
  return { type: String(kind).slice(KIND.length), ...(data as object) };
}

const isFilled = (value: unknown): value is string => typeof value === "string" && value !== "";

/** The named fields, and all others but the type in `extra`. */
function split({ type: _, ...part }: ThreadPart, names: string[]): Record<string, unknown> {
  const isNamed = ([name, value]: [string, unknown]) => names.includes(name) && value !== null;
  const entries = Object.entries(part);
  const extra = Object.fromEntries(entries.filter((entry) => !isNamed(entry)));
  return withExtra(Object.fromEntries(entries.filter(isNamed)), extra);
}

function withExtra(fields: Record<string, unknown>, more: Record<string, unknown>): Record<string, unknown> {
  const extra = { ...(fields.extra as object | undefined), ...more };
  return Object.keys(extra).length > 0 ? { ...fields, extra } : fields;
}

const present = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
