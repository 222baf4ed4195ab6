import type { ThreadHistoryAdapter } from "@assistant-ui/react";
import type { ScrollbackClient } from "../client.js";
import { withFormat } from "./format.js";
import { type ThreadMessage, fromThreadMessage, toThreadMessage } from "./messages.js";
import { type ThreadItem, load, remove, save } from "./storage.js";

/** The messages of the thread that `thread` returns, with their branches. */
export function createHistoryAdapter(client: ScrollbackClient, thread: () => ThreadItem): ThreadHistoryAdapter {
  const write = (message: ThreadMessage, parentId: string | null, runConfig: unknown) =>
    save(client, thread(), message.id, parentId, (id) => fromThreadMessage(message, id, runConfig));
  return {
    async load() {
      const { headId, messages } = await load(client, thread());
      return { headId, messages: messages.map(({ stored, parentId }) => toThreadMessage(stored, parentId)) };
    },
    append: ({ message, parentId, runConfig }) => write(message, parentId, runConfig),
    update: ({ message, parentId, runConfig }) => write(message, parentId, runConfig),
    delete: (items) => remove(client, thread(), items.map(({ message }) => message.id)),
    withFormat: (format) => withFormat(client, thread, format),
  };
}
