import { type ChatContext, conversationIdOf, hasCode } from "./context.js";
import { type FoundLog, findLog } from "./event-log.js";
import { MESSAGE_FIELDS, type StoredMessage } from "./messages.js";

const HEAD = `query ChatHead($id: ID!) { conversation(id: $id) { head { ${MESSAGE_FIELDS} } } }`;

/** The newest message of a chat, with the log of its answer if there is one. */
export interface Active {
  head: StoredMessage;
  log: FoundLog | undefined;
}

/** The answer that is being written in a chat. */
export async function findActive(context: ChatContext, chatId: string): Promise<Active | undefined> {
  const head = await headOf(context, await conversationIdOf(context, chatId));
  if (!head || head.role === "USER" || head.role === "SYSTEM") return undefined;
  const log = await logOf(context, head);
  return head.status === "STREAMING" || log?.isOpen ? { head, log } : undefined;
}

/** The newest log of a message. */
export const logOf = (context: ChatContext, { id, editedAt }: StoredMessage): Promise<FoundLog | undefined> =>
  findLog(context, { messageId: id, editedAt });

async function headOf({ client }: ChatContext, id: string): Promise<StoredMessage | null> {
  try {
    const data = await client.query<{ conversation: { head: StoredMessage | null } | null }>(HEAD, { id });
    return data.conversation?.head ?? null;
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return null;
    throw error;
  }
}

/** Asks the writer of the answer to stop, wherever it runs. Returns whether there was one. */
export async function stopStream(context: ChatContext, chatId: string): Promise<boolean> {
  const active = await findActive(context, chatId);
  if (!active) return false;
  const { head, log } = active;
  await context.client.stopMessage(head.status === "STREAMING" || !log ? head.id : log.messageId);
  return true;
}
