import { messageIdOf } from "../ai-sdk/ids.js";
import type { ScrollbackClient } from "../client.js";
import { ScrollbackError } from "../errors.js";
import type { UpdateMessageInput } from "../generated/operations.js";
import { threadIdOf } from "./messages.js";
import { type TreeMessage, readTree } from "./tree.js";

/** A thread of the list, as assistant-ui knows it. */
export interface ThreadItem {
  getState(): { remoteId?: string | undefined };
  initialize(): Promise<{ remoteId: string }>;
}

/** What is written of a message. */
export interface HistoryInput {
  role: "SYSTEM" | "USER" | "ASSISTANT";
  parts: unknown[];
  metadata: unknown;
}

/** The messages with the ids that assistant-ui uses. */
export async function load(client: ScrollbackClient, { getState }: ThreadItem) {
  const { remoteId } = getState();
  if (remoteId === undefined) return { headId: null, messages: [] };
  const { headId, messages } = await readTree(client, remoteId);
  const ids = new Map(messages.map((message) => [message.id, threadIdOf(message)]));
  const known = (id: string | null | undefined) => (id == null ? null : (ids.get(id) ?? null));
  const entry = (stored: TreeMessage) => ({ stored, parentId: known(stored.parent?.id) });
  return { headId: known(headId), messages: messages.filter(isComplete).map(entry) };
}

/** A message that has just begun has nothing to show. */
const isComplete = ({ status, parts }: TreeMessage) => status !== "STREAMING" || parts.some(({ text }) => text !== "");

/** Appends a message, or updates it if it is there. */
export async function save(
  client: ScrollbackClient,
  thread: ThreadItem,
  threadMessageId: string,
  parentId: string | null,
  convert: (id: string) => HistoryInput | Promise<HistoryInput>,
): Promise<void> {
  const { remoteId: conversationId } = await thread.initialize();
  const id = await messageIdOf(conversationId, threadMessageId);
  const parent = parentId === null ? null : await messageIdOf(conversationId, parentId);
  const input = await convert(id);
  const message = { ...input, id, parts: input.parts as NonNullable<UpdateMessageInput["parts"]> };
  try {
    await client.append({ conversationId, parentId: parent, ...message });
  } catch (error) {
    // The same id with another content: the message is there, and has changed.
    if (!hasCode(error, "CONFLICT")) throw error;
    const { role: _, ...update } = message;
    await client.updateMessage(update);
  }
}

/** Deletes messages. One that is not there is deleted. */
export async function remove(client: ScrollbackClient, thread: ThreadItem, ids: readonly string[]): Promise<void> {
  const { remoteId } = thread.getState();
  if (remoteId === undefined) return;
  for (const id of ids) {
    try {
      await client.deleteMessage(await messageIdOf(remoteId, id));
    } catch (error) {
      if (!hasCode(error, "NOT_FOUND")) throw error;
    }
  }
}

const hasCode = (error: unknown, code: string) => error instanceof ScrollbackError && error.code === code;
