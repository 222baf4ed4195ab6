import { type ChatContext, conversationIdOf, hasCode } from "./context.js";
import { MESSAGE_FIELDS, type StoredMessage, type UIMessageLike, fromScrollback } from "./messages.js";
import { recover } from "./recover.js";

/** The most messages of a page. */
const PAGE = 100;

const HISTORY = `query UIMessages($id: ID!, $first: Int!, $after: String, $leafId: ID) {
  conversation(id: $id) {
    messages(first: $first, after: $after, leafId: $leafId) {
      nodes { ${MESSAGE_FIELDS} }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

interface History {
  conversation: { messages: { nodes: StoredMessage[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } };
}

/** All messages of a branch, oldest first. There are none if there is no such conversation. */
export async function loadMessages<MESSAGE extends UIMessageLike>(
  context: ChatContext,
  chatId: string,
  leafId?: string,
): Promise<MESSAGE[]> {
  const id = await conversationIdOf(context, chatId);
  const stored: StoredMessage[] = [];
  for (let after: string | null = null; ; ) {
    const page: History | undefined = await historyPage(context, { id, first: PAGE, after, leafId });
    if (!page) return [];
    const { nodes, pageInfo } = page.conversation.messages;
    stored.push(...nodes);
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  const last = stored.at(-1);
  if (last) stored[stored.length - 1] = await recover(context, last);
  return stored.filter(isShown).map((message) => fromScrollback<MESSAGE>(message, context));
}

async function historyPage(context: ChatContext, variables: Record<string, unknown>): Promise<History | undefined> {
  try {
    return await context.client.query<History>(HISTORY, variables);
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** A deleted message is not, and an answer that failed or has just begun has nothing to show. */
function isShown({ deletedAt, status, parts }: StoredMessage): boolean {
  const isEmpty = parts.every(({ text }) => text === "");
  return deletedAt === null && (status === "COMPLETE" || !isEmpty);
}
