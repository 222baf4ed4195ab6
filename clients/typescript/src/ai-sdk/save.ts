import { isSame } from "./compare.js";
import { type ChatContext, hasCode } from "./context.js";
import { messageIdOf, uuid5 } from "./ids.js";
import { MESSAGE_FIELDS, type MessageInput, type StoredMessage, type UIMessageLike, toScrollback } from "./messages.js";

/** How many messages are looked up, or appended, at a time. */
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

/** A message of the list, and the stored message with its id. */
interface Entry {
  message: UIMessageLike;
  id: string;
  stored: Found | undefined;
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
  let after = parent;
  const batch: MessageInput[] = [];
  const flush = async () => {
    if (batch.length > 0) await append(context, conversationId, after, batch.splice(0));
    after = last;
  };
  for (const { message, id, stored } of entries) {
    const input = await toScrollback(conversationId, message, { ...context, id });
    if (stored && message.role === "assistant") {
      await flush();
      const { parts, metadata } = input;
      await context.client.query(UPDATE, { input: { id, parts, metadata } }, { idempotent: true });
      after = last = id;
      continue;
    }
    const version = stored && (await uuid5("version", conversationId, last ?? "", JSON.stringify(input.parts)));
    batch.push(version ? await toScrollback(conversationId, message, { ...context, id: version }) : input);
    last = batch.at(-1)!.id;
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return last;
}

/** The messages after the last one that is stored as it is, and the id of that one. */
async function unsaved(context: ChatContext, conversationId: string, messages: readonly UIMessageLike[]) {
  const entries: Entry[] = [];
  for (let end = messages.length; end > 0; end -= BATCH) {
    const window = await lookUp(context, conversationId, messages.slice(Math.max(0, end - BATCH), end));
    for (const entry of window.reverse()) {
      if (entry.stored && (await isKept(context, entry.stored, entry.message))) {
        return { parent: entry.stored.id, entries };
      }
      entries.unshift(entry);
    }
  }
  return { parent: null, entries };
}

/** Whether nothing is to be done. A message that is being written belongs to its writer, a deleted one stays deleted. */
async function isKept({ invalidText }: ChatContext, stored: Found, message: UIMessageLike): Promise<boolean> {
  return stored.status === "STREAMING" || stored.deletedAt !== null || isSame(stored, message, invalidText);
}

async function lookUp(
  context: ChatContext,
  conversationId: string,
  messages: readonly UIMessageLike[],
): Promise<Entry[]> {
  const ids = await Promise.all(messages.map(({ id }) => messageIdOf(conversationId, id)));
  const found = await stored(context, ids);
  // An id of another conversation cannot be used again: it stands for an id of this conversation.
  const others = found.map((message) => message && message.conversation.id !== conversationId);
  const own = await Promise.all(ids.map((id, at) => (others[at] ? uuid5("message", conversationId, id) : id)));
  const foundOwn = others.some(Boolean) ? await stored(context, own) : found;
  return messages.map((message, at) => ({ message, id: own[at]!, stored: foundOwn[at] ?? undefined }));
}

async function stored({ client }: ChatContext, ids: string[]): Promise<(Found | null)[]> {
  const { nodes } = await client.query<{ nodes: (Partial<Found> | null)[] }>(STORED, { ids });
  return nodes.map((node) => (node?.conversation ? (node as Found) : null));
}

async function append(context: ChatContext, conversationId: string, parentId: string | null, messages: MessageInput[]) {
  const write = () =>
    context.client.query(APPEND, { input: { conversationId, parentId, messages } }, { idempotent: true });
  try {
    await write();
  } catch (error) {
    if (!hasCode(error, "NOT_FOUND") || parentId !== null) throw error;
    await context.client.createConversation({ id: conversationId });
    await write();
  }
}
