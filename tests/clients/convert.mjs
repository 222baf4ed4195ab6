// The AI SDK's UIMessage as a message of Scrollback and back, without losing anything.
//
// What has a typed part becomes it, so that text is searched and tool calls are seen as such. Fields
// that the typed part has no room for (`state`, `providerMetadata`, an approval …) stand together in
// one `data` part at the message's end, and a UI part of another kind becomes a `data` part as it is.

import { isDeepStrictEqual } from "node:util";

/** The name of the data part that holds what has no place of its own. */
const REST = "ui-message";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** How far a tool call is; a state that Scrollback does not know counts as the one before it. */
const TOOL_STATES = {
  "input-streaming": "INPUT_STREAMING",
  "input-available": "INPUT_AVAILABLE",
  "approval-requested": "APPROVAL_REQUESTED",
  "approval-responded": "INPUT_AVAILABLE",
  "output-available": "OUTPUT_AVAILABLE",
  "output-error": "OUTPUT_ERROR",
  "output-denied": "OUTPUT_DENIED",
};

/** What `fromScrollback` needs of a message. */
export const UI_MESSAGE = `fragment UIMessage on Message {
  id role metadata
  parts {
    __typename
    ... on TextPart { text }
    ... on ReasoningPart { text }
    ... on FilePart { mediaType filename url }
    ... on ToolPart { toolCallId toolName state input output errorText }
    ... on SourceUrlPart { sourceId url title }
    ... on SourceDocumentPart { sourceId mediaType title filename }
    ... on DataPart { name data }
  }
}`;

/** The `NewMessageInput` that keeps a UIMessage. Its id becomes the message's when it is a UUID. */
export function toScrollback(uiMessage) {
  const message = JSON.parse(JSON.stringify(uiMessage));
  const parts = message.parts.map(toPart);
  const input = { role: message.role.toUpperCase(), parts, metadata: message.metadata };
  if (UUID.test(message.id)) input.id = message.id;

  const restored = restore({ id: input.id, role: input.role, metadata: input.metadata ?? {}, parts });
  const rest = missing({ ...message, parts: [] }, { ...restored, parts: [] });
  const ofParts = message.parts.map((part, at) => [at, missing(part, restored.parts[at])]);
  rest.parts = Object.fromEntries(ofParts.filter(([, fields]) => Object.keys(fields).length > 0));
  if (Object.keys(rest.parts).length === 0) delete rest.parts;

  const isNeeded = Object.keys(rest).length > 0 || parts.length === 0 || parts.at(-1).data?.name === REST;
  if (isNeeded) input.parts = [...parts, { data: { name: REST, data: rest } }];
  return input;
}

/** The UIMessage that a message holds, whichever client wrote it. */
export function fromScrollback({ id, role, metadata, parts }) {
  const given = parts.map(asInput);
  const rest = given.at(-1)?.data?.name === REST ? given.pop().data.data : {};
  const message = restore({ id, role, metadata, parts: given });
  const whole = (part, at) => ({ ...part, ...rest.parts?.[at] });
  return { ...message, ...rest, parts: message.parts.map(whole) };
}

function toPart(part) {
  const typed = typedPart(part);
  if (typed && Object.keys(fromPart(typed)).every((key) => key in part)) return typed;
  return { data: { name: part.type, data: part } };
}

/** The typed part for what it has room for; nothing where the server would refuse it. */
function typedPart({ type, ...part }) {
  if (type === "text" || type === "reasoning") return part.text && { [type]: { text: part.text } };
  if (type === "file") {
    const { mediaType, filename, url } = part;
    return mediaType && url && { file: { mediaType, filename, url } };
  }
  if (type === "source-url") {
    const { sourceId, url, title } = part;
    return sourceId && url && { sourceUrl: { sourceId, url, title } };
  }
  if (type === "source-document") {
    const { sourceId, mediaType, title, filename } = part;
    return sourceId && mediaType && { sourceDocument: { sourceId, mediaType, title, filename } };
  }
  if (type === "dynamic-tool" || type.startsWith("tool-")) {
    const { toolCallId, toolName = type.slice("tool-".length), input, output, errorText } = part;
    const state = TOOL_STATES[part.state];
    return toolCallId && toolName && state && { tool: { toolCallId, toolName, state, input, output, errorText } };
  }
  if (type.startsWith("data-")) {
    const name = type.slice("data-".length);
    return name && part.data != null && { data: { name, data: part.data } };
  }
}

function restore({ id, role, metadata, parts }) {
  const message = { id, role: role === "TOOL" ? "assistant" : role.toLowerCase(), parts: parts.map(fromPart) };
  if (!isDeepStrictEqual(metadata, {})) message.metadata = metadata;
  return message;
}

function fromPart({ text, reasoning, file, tool, sourceUrl, sourceDocument, data }) {
  if (text) return { type: "text", text: text.text };
  if (reasoning) return { type: "reasoning", text: reasoning.text };
  if (file) return present({ type: "file", ...file });
  if (tool) return fromTool(tool);
  if (sourceUrl) return present({ type: "source-url", ...sourceUrl });
  // The AI SDK demands a title.
  if (sourceDocument) return present({ type: "source-document", ...sourceDocument, title: sourceDocument.title ?? sourceDocument.sourceId });
  return data.data.type === data.name ? data.data : { type: `data-${data.name}`, data: data.data };
}

/** A tool's part with the fields that the AI SDK demands in its state. */
function fromTool({ toolCallId, toolName, state, input, output, errorText }) {
  const call = { type: `tool-${toolName}`, toolCallId, state: state.toLowerCase().replaceAll("_", "-") };
  const part = { ...call, ...present({ input, output, errorText }) };
  if (!["INPUT_STREAMING", "OUTPUT_ERROR"].includes(state)) part.input ??= null;
  if (state === "OUTPUT_AVAILABLE") part.output ??= null;
  if (state === "OUTPUT_ERROR") part.errorText ??= "";
  if (state === "APPROVAL_REQUESTED") part.approval = { id: toolCallId };
  if (state === "OUTPUT_DENIED") part.approval = { id: toolCallId, approved: false };
  return part;
}

/** A part as it was read, in the shape in which it is written. */
function asInput({ __typename, ...fields }) {
  const kind = __typename.replace(/Part$/, "");
  return { [kind[0].toLowerCase() + kind.slice(1)]: fields };
}

/** Without the fields that are null: GraphQL does not tell them from absent ones. */
function present(part) {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value != null));
}

/** The fields of `whole` that `restored` does not have, or has otherwise. */
function missing(whole, restored) {
  const differs = ([key, value]) => !isDeepStrictEqual(value, restored[key]) || !(key in restored);
  return Object.fromEntries(Object.entries(whole).filter(differs));
}
