import { MESSAGE_FIELDS, type StoredMessage } from "../ai-sdk/messages.js";
import type { ScrollbackClient } from "../client.js";
import { ScrollbackError } from "../errors.js";

/** A stored message with its place in the tree. */
export type TreeMessage = StoredMessage & { position: number; parent: { id: string } | null };

/** All messages of a conversation, on all branches, parents first. */
export interface MessageTree {
  headId: string | null;
  messages: TreeMessage[];
}

const NODE = `${MESSAGE_FIELDS} position parent { id }`;

const START = `query ThreadStart($id: ID!) {
  conversation(id: $id) { messageCount head { id } messages(first: 1) { nodes { siblings { id } } } }
}`;

const FIRST = `query ThreadFirst($id: ID!, $leafId: ID!) {
  conversation(id: $id) { messages(first: 1, leafId: $leafId) { edges { cursor node { ${NODE} } } } }
}`;

const NODES = `query ThreadMessages($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { ${NODE} } } }`;

/** The most ids of a request. */
const BATCH = 50;

/** How long to wait for messages before it is checked again how many there are. */
const IDLE_MS = 1_000;

/** Reads the messages of all branches. Deleted ones are left out, and their successors follow what was before them. */
export async function readTree(client: ScrollbackClient, id: string): Promise<MessageTree> {
  type Start = {
    conversation: {
      messageCount: number;
      head: { id: string } | null;
      messages: { nodes: { siblings: { id: string }[] }[] };
    };
  };
  const { conversation } = await client.query<Start>(START, { id });
  const oldest = conversation.messages.nodes[0]?.siblings[0];
  if (!oldest) return { headId: null, messages: [] };
  type First = { conversation: { messages: { edges: { cursor: string; node: TreeMessage }[] } } };
  const first = (await client.query<First>(FIRST, { id, leafId: oldest.id })).conversation.messages.edges[0]!;
  const ids = await idsAfter(client, id, first.cursor, conversation.messageCount - (first.node.deletedAt ? 0 : 1));
  const messages = [first.node, ...(await readMessages(client, ids))];
  return withoutDeleted({ headId: conversation.head?.id ?? null, messages });
}

/** The ids of the messages after a cursor, on all branches: the API lists one branch, but sends those of all. */
async function idsAfter(client: ScrollbackClient, id: string, cursor: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  if (count <= 0) return ids;
  let alive = 0;
  let expected = count;
  const stop = new AbortController();
  const check = async () => {
    // Messages that were deleted meanwhile do not come.
    const { messageCount } = await client.conversation(id);
    expected = Math.min(expected, messageCount - 1);
    if (alive >= expected) stop.abort();
  };
  let timer = setInterval(() => void check().catch((error) => stop.abort(error)), IDLE_MS);
  try {
    for await (const { node } of client.follow(id, { cursor, signal: stop.signal })) {
      clearInterval(timer);
      timer = setInterval(() => void check().catch((error) => stop.abort(error)), IDLE_MS);
      ids.push(node.id);
      if (node.deletedAt === null && ++alive >= expected) break;
    }
  } catch (error) {
    if (!stop.signal.aborted || error instanceof ScrollbackError) throw error;
  } finally {
    clearInterval(timer);
  }
  return ids;
}

async function readMessages(client: ScrollbackClient, ids: string[]): Promise<TreeMessage[]> {
  const messages: TreeMessage[] = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    const { nodes } = await client.query<{ nodes: (TreeMessage | null)[] }>(NODES, { ids: ids.slice(at, at + BATCH) });
    messages.push(...nodes.filter((node) => node !== null));
  }
  return messages;
}

function withoutDeleted({ headId, messages }: MessageTree): MessageTree {
  const parents = new Map(messages.map(({ id, parent }) => [id, parent?.id ?? null]));
  const deleted = new Set(messages.filter(({ deletedAt }) => deletedAt !== null).map(({ id }) => id));
  const kept = (id: string | null): string | null => {
    let found = id;
    while (found !== null && deleted.has(found)) found = parents.get(found) ?? null;
    return found;
  };
  const alive = messages.filter(({ id }) => !deleted.has(id));
  const linked = alive.map((message) => {
    const parent = kept(message.parent?.id ?? null);
    return { ...message, parent: parent === null ? null : { id: parent } };
  });
  return { headId: kept(headId), messages: linked };
}
