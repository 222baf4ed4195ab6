import type { UIMessageChunk } from "ai";
import { type Active, findActive } from "./active.js";
import type { ChatContext } from "./context.js";
import { type LogKey, readLog } from "./event-log.js";
import { type StoredMessage, fromScrollback, uiIdOf } from "./messages.js";
import { replayOf } from "./replay.js";

/**
 * The stream of the answer that is being written in a chat: what was written so far, then what follows until its end.
 * Null if no answer is being written.
 */
export async function resumeStream(
  context: ChatContext,
  chatId: string,
): Promise<ReadableStream<UIMessageChunk> | null> {
  const active = await findActive(context, chatId);
  if (!active) return null;
  const reading = new AbortController();
  const chunks = follow(context, active, reading.signal);
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      try {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (!reading.signal.aborted) controller.error(error);
      }
    },
    cancel() {
      reading.abort();
    },
  });
}

function follow(context: ChatContext, { head, log }: Active, signal: AbortSignal): AsyncGenerator<UIMessageChunk, void> {
  if (!log) return followText(context, head, signal);
  return followLog(context, head, log.key, signal);
}

async function* followLog(
  context: ChatContext,
  head: StoredMessage,
  key: LogKey,
  signal: AbortSignal,
): AsyncGenerator<UIMessageChunk, void> {
  // An answer that goes on begins with what the message had before.
  if (head.status !== "STREAMING") yield* replayOf(fromScrollback(head, context));
  let hasFinished = false;
  const log = readLog(context, key, signal);
  for (let next = await log.next(); ; next = await log.next()) {
    if (next.done) break;
    hasFinished ||= ["finish", "abort", "error"].includes(next.value.type);
    yield next.value;
  }
  // The writer is gone without an end. The answer is what is there.
  if (!hasFinished) yield { type: "finish", finishReason: "interrupted" };
}

/** The text of an answer that another program writes. */
async function* followText(
  { client }: ChatContext,
  head: StoredMessage,
  signal: AbortSignal,
): AsyncGenerator<UIMessageChunk, void> {
  const id = "text";
  yield { type: "start", messageId: uiIdOf(head) };
  yield { type: "start-step" };
  yield { type: "text-start", id };
  let status = "STREAMING";
  for await (const chunk of client.messageText(head.id, { signal })) {
    if (chunk.text !== "") yield { type: "text-delta", id, delta: chunk.text };
    status = chunk.status;
  }
  yield { type: "text-end", id };
  yield { type: "finish-step" };
  yield { type: "finish", finishReason: status === "COMPLETE" ? "stop" : "interrupted" };
}
