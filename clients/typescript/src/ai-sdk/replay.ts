import type { UIMessageChunk } from "ai";
import type { UIMessageLike } from "./messages.js";
import type { UIPart } from "./parts.js";

/** Chunks that build the message, for a reader that does not have it. */
export function replayOf({ id, metadata, parts }: UIMessageLike): UIMessageChunk[] {
  const start = { type: "start", messageId: id, ...(metadata === undefined ? {} : { messageMetadata: metadata }) };
  const chunks = (parts as readonly UIPart[]).flatMap((part, at) => chunksOf(part, `stored-${at}`));
  return [start, ...chunks] as UIMessageChunk[];
}

type Chunk = { type: string } & Record<string, unknown>;

function chunksOf(part: UIPart, id: string): Chunk[] {
  const { type } = part;
  if (type === "text") return textOf("text", part, id);
  if (type === "reasoning") return textOf("reasoning", part, typeof part.id === "string" ? part.id : id);
  if (type === "step-start") return [{ type: "start-step" }];
  if (type === "dynamic-tool" || type.startsWith("tool-")) return toolOf(part);
  return [part]; // Files, sources, data and custom parts are their own chunks.
}

function textOf(kind: "text" | "reasoning", { text, state, citations, providerMetadata }: UIPart, id: string): Chunk[] {
  const metadata = given({ providerMetadata });
  const chunks: Chunk[] = [{ type: `${kind}-start`, id, ...metadata }];
  if (text) chunks.push({ type: `${kind}-delta`, id, delta: text });
  if (state !== "streaming") chunks.push({ type: `${kind}-end`, id, ...given({ citations }) });
  return chunks;
}

function toolOf(part: UIPart): Chunk[] {
  const { toolCallId, state, input, output, errorText, preliminary, title, providerExecuted, toolMetadata } = part;
  const isDynamic = part.type === "dynamic-tool";
  const toolName = isDynamic ? part.toolName : part.type.slice("tool-".length);
  const call = { toolCallId, ...given({ providerExecuted, toolMetadata, dynamic: isDynamic || undefined }) };
  const described = { ...call, toolName, ...given({ title, providerMetadata: part.callProviderMetadata }) };
  if (state === "input-streaming") {
    const { rawInput = JSON.stringify(input), inputEncoding } = part;
    const delta = { type: "tool-input-delta", toolCallId, inputTextDelta: rawInput };
    const start = { type: "tool-input-start", ...described, ...given({ inputEncoding }) };
    return rawInput === undefined ? [start] : [start, delta];
  }
  const chunks: Chunk[] = [{ type: "tool-input-available", ...described, input }, ...approvalOf(part)];
  const result = { ...call, ...given({ providerMetadata: part.resultProviderMetadata }) };
  if (state === "output-available") {
    chunks.push({ type: "tool-output-available", ...result, output, ...given({ preliminary }) });
  }
  if (state === "output-error") chunks.push({ type: "tool-output-error", ...result, errorText });
  if (state === "output-denied") chunks.push({ type: "tool-output-denied", toolCallId });
  return chunks;
}

function approvalOf({ approval, toolCallId }: UIPart): Chunk[] {
  if (typeof approval !== "object" || approval === null) return [];
  const { id: approvalId, approved, descriptor, requestReason, reason, ...others } = approval as Record<string, unknown>;
  const about = given({ approvalDescriptor: descriptor, reason: requestReason });
  const request = { type: "tool-approval-request", approvalId, toolCallId, ...others, ...about };
  if (typeof approved !== "boolean") return [request];
  return [request, { type: "tool-approval-response", approvalId, approved, ...given({ reason }) }];
}

/** Without the fields that are undefined. */
function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
