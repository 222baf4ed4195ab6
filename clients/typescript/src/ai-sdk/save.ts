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

/** A message of the list, as it is to be stored. */
interface Entry {
  message: UIMessageLike;
  input: MessageInput;
  /** The message that has the id, if there is one. */
  stored: Found | null;
  /** Whether nothing is to be done. */
  isKept: boolean;
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
  for (const { input, stored } of entries) {
    if (stored) await flush();
    last = input.id;
    if (!stored) {
      batch.push(input);
      if (batch.length === BATCH) await flush();
      continue;
    }
    const { id, parts, metadata } = input;
    await context.client.query(UPDATE, { input: { id, parts, metadata } }, { idempotent: true });
    after = id;
  }
  await flush();
  return last;
}

/** The messages after the last one that is stored as it is, and the id of that one. */
async function unsaved(context: ChatContext, conversationId: string, messages: readonly UIMessageLike[]) {
  const entries: Entry[] = [];
  for (let end = messages.length; end > 0; end -= BATCH) {
    const window = await lookUp(context, conversationId, messages.slice(Math.max(0, end - BATCH), end));
    const kept = window.map(({ isKept }) => isKept).lastIndexOf(true);
    entries.unshift(...window.slice(kept + 1));
    if (kept >= 0) return { parent: window[kept]!.input.id, entries };
  }
  return { parent: null, entries };
}

async function lookUp(
  context: ChatContext,
  conversationId: string,
  messages: readonly UIMessageLike[],
): Promise<Entry[]> {
  const convert = (id: string, message: UIMessageLike) => toScrollback(conversationId, message, { ...context, id });
  const entries = await Promise.all(
    messages.map(async (message) => {
      const input = await convert(await messageIdOf(conversationId, message.id), message);
      return { message, input, stored: null, isKept: false } as Entry;
    }),
  );
  await find(context, entries);
  // An id of another conversation, and that of an edited question, cannot be used again. Others stand for them.
  const others = entries.filter(({ message, stored, isKept }) => {
    const isForeign = stored !== null && stored.conversation.id !== conversationId;
    return isForeign || (stored !== null && !isKept && message.role !== "assistant");
  });
  for (const entry of others) {
    const isForeign = entry.stored!.conversation.id !== conversationId;
    const names = isForeign ? [] : [JSON.stringify(entry.input.parts)];
    entry.input = await convert(await uuid5("version", conversationId, entry.input.id, ...names), entry.message);
  }
  if (others.length > 0) await find(context, others);
  return entries;
}

/** Reads the stored messages of entries. */
async function find(context: ChatContext, entries: Entry[]): Promise<void> {
  const found = await stored(context, entries.map(({ input }) => input.id));
  for (const [at, entry] of entries.entries()) {
    entry.stored = found[at] ?? null;
    entry.isKept = entry.stored !== null && (await isKept(context, entry.stored, entry.message));
  }
}

/** Whether nothing is to be done. A message that is being written belongs to its writer, a deleted one stays deleted. */
async function isKept({ invalidText }: ChatContext, stored: Found, message: UIMessageLike): Promise<boolean> {
  return stored.status === "STREAMING" || stored.deletedAt !== null || isSame(stored, message, invalidText);
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
