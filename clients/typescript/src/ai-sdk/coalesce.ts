import type { UIMessageChunk } from "ai";

type Delta = UIMessageChunk & { type: "text-delta" | "reasoning-delta" | "tool-input-delta" };

/** The same chunks with one delta for those that follow each other. */
export function coalesce(chunks: readonly UIMessageChunk[]): UIMessageChunk[] {
  const merged: UIMessageChunk[] = [];
  for (const chunk of chunks) {
    const last = merged.at(-1);
    const both = last && isDelta(last) && isDelta(chunk) ? merge(last, chunk) : undefined;
    if (both) merged[merged.length - 1] = both;
    else merged.push(chunk);
  }
  return merged;
}

const isDelta = ({ type }: UIMessageChunk): boolean => type.endsWith("-delta");

function merge(one: UIMessageChunk, other: UIMessageChunk): Delta | undefined {
  if (one.type === "tool-input-delta" && other.type === "tool-input-delta" && one.toolCallId === other.toolCallId) {
    return { ...one, inputTextDelta: one.inputTextDelta + other.inputTextDelta };
  }
  const isText = (one.type === "text-delta" && other.type === "text-delta") ||
    (one.type === "reasoning-delta" && other.type === "reasoning-delta");
  // The metadata of a delta replaces the earlier one, so the later one may be merged in only without.
  if (!isText || one.id !== other.id || other.providerMetadata) return undefined;
  return { ...one, delta: one.delta + other.delta };
}
