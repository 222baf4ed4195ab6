import type { RemoteThreadListAdapter, ThreadMessage } from "@assistant-ui/react";
import type { ScrollbackClient } from "../client.js";
import { ScrollbackError } from "../errors.js";
import { newId } from "../ids.js";
import type { Conversation } from "../types.js";
import type { HistoryOptions } from "./history.js";
import { useThreadHistory } from "./use-history.js";

/** The threads of a page. */
const PAGE = 50;

/** The longest title that is made of a question, in characters. */
const TITLE = 60;

/** Options of the list of threads. */
export interface ThreadListOptions extends HistoryOptions {
  /** Makes the title of a thread. Default: the beginning of its first question. */
  generateTitle?: (messages: readonly ThreadMessage[]) => string | Promise<string>;
  /** Whether `delete` moves threads to the trash, from where they can be restored. Default: they are deleted for good. */
  trash?: boolean;
}

/** The threads of a user for assistant-ui: each is a conversation, whose metadata is `custom`. */
export function createThreadListAdapter(
  client: ScrollbackClient,
  { generateTitle = firstQuestion, trash = false, ...options }: ThreadListOptions = {},
): RemoteThreadListAdapter & Pick<Required<RemoteThreadListAdapter>, "unarchive" | "updateCustom"> {
  /** The conversation of each new thread, so that a repeated `initialize` creates no second one. */
  const created = new Map<string, string>();
  return {
    async list({ after } = {}) {
      const filter = { archived: null };
      const page = await client.conversations({ first: PAGE, filter }).page(after);
      const { hasNextPage, endCursor } = page.pageInfo;
      const nextCursor = hasNextPage && endCursor ? endCursor : undefined;
      return { threads: page.nodes.map(toThread), nextCursor };
    },
    async initialize(threadId, { custom } = {}) {
      const id = created.get(threadId) ?? newId();
      created.set(threadId, id);
      await client.createConversation({ id, ...(custom ? { metadata: custom } : {}) });
      return { remoteId: id, externalId: undefined };
    },
    async fetch(threadId) {
      return toThread(await client.conversation(threadId));
    },
    async rename(id, title) {
      await client.updateConversation({ id, title });
    },
    async updateCustom(id, custom) {
      await client.updateConversation({ id, metadata: custom ?? {} });
    },
    async archive(id) {
      await client.updateConversation({ id, archived: true });
    },
    async unarchive(id) {
      await client.updateConversation({ id, archived: false });
    },
    async delete(id) {
      try {
        await (trash ? client.trashConversation(id) : client.deleteConversation(id));
      } catch (error) {
        if (!(error instanceof ScrollbackError) || error.code !== "NOT_FOUND") throw error;
      }
    },
    async generateTitle(id, messages) {
      const title = await generateTitle(messages);
      if (title !== "") await client.updateConversation({ id, title });
      return streamOf(title) as Awaited<ReturnType<RemoteThreadListAdapter["generateTitle"]>>;
    },
    unstable_useAdapters: function useScrollbackAdapters() {
      return useThreadHistory(client, options);
    },
  };
}

function toThread({ id, title, archivedAt, updatedAt, metadata }: Conversation) {
  return {
    remoteId: id,
    status: archivedAt === null ? ("regular" as const) : ("archived" as const),
    title: title ?? undefined,
    lastMessageAt: new Date(updatedAt),
    custom: metadata as Record<string, unknown>,
  };
}

/** The first line of the first question. */
function firstQuestion(messages: readonly ThreadMessage[]): string {
  const parts = messages.find(({ role }) => role === "user")?.content ?? [];
  const text = parts.map((part) => (part.type === "text" ? part.text : "")).join(" ").trim();
  const line = Array.from(text.split("\n")[0] ?? "");
  return line.length > TITLE ? `${line.slice(0, TITLE - 1).join("").trimEnd()}…` : line.join("");
}

/** The text as an `AssistantStream` with one text part. */
function streamOf(text: string): ReadableStream<unknown> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue({ type: "part-start", part: { type: "text" }, path: [] });
      controller.enqueue({ type: "text-delta", textDelta: text, path: [0] });
      controller.enqueue({ type: "part-finish", path: [0] });
      controller.close();
    },
  });
}
