import { type UIMessage, type UIMessageChunk, readUIMessageStream } from "ai";
import { logOf } from "./active.js";
import { type ChatContext, hasCode } from "./context.js";
import { type LogKey, readLog } from "./event-log.js";
import { MESSAGE_FIELDS, type StoredMessage, fromScrollback, toScrollback } from "./messages.js";

const UPDATE = `mutation RecoverUIMessage($input: UpdateMessageInput!) {
  updateMessage(input: $input) { message { ${MESSAGE_FIELDS} } }
}`;

type Updated = { updateMessage: { message: StoredMessage } };

/**
 * The message, completed if its writer broke down. Scrollback then has its text, and the log has all that the writer had
 * sent: reasoning, tool calls, sources. The message is updated with it.
 */
export async function recover(context: ChatContext, message: StoredMessage): Promise<StoredMessage> {
  if (message.status !== "INTERRUPTED" || message.editedAt !== null) return message;
  const log = await logOf(context, message);
  if (!log || log.isOpen) return message;
  const { chunks, hasEnd } = await allOf(context, log.key);
  if (hasEnd || chunks.length === 0) return message;
  const restored = await build(chunks, fromScrollback(message).id);
  const { parts, metadata } = await toScrollback("", restored, { ...context, id: message.id });
  if (restored.parts.length === 0) return message;
  try {
    const variables = { input: { id: message.id, parts, metadata } };
    return (await context.client.query<Updated>(UPDATE, variables, { idempotent: true })).updateMessage.message;
  } catch (error) {
    if (hasCode(error, "CONFLICT", "NOT_FOUND")) return message; // It was deleted meanwhile.
    throw error;
  }
}

async function allOf(context: ChatContext, key: LogKey): Promise<{ chunks: UIMessageChunk[]; hasEnd: boolean }> {
  const chunks: UIMessageChunk[] = [];
  const log = readLog(context, key);
  for (;;) {
    const next = await log.next();
    if (next.done) return { chunks, hasEnd: next.value };
    chunks.push(next.value);
  }
}

async function build(chunks: UIMessageChunk[], id: string): Promise<UIMessage> {
  let message: UIMessage = { id, role: "assistant", parts: [] };
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  for await (const state of readUIMessageStream({ stream })) message = { ...state, id };
  return message;
}
