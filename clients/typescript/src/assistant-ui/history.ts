import type { ThreadHistoryAdapter } from "@assistant-ui/react";
import type { ScrollbackClient } from "../client.js";
import { withFormat } from "./format.js";
import { inOrder } from "./in-order.js";
import { type ThreadMessage, fromThreadMessage, toThreadMessage } from "./messages.js";
import { type ThreadItem, load, remove, save } from "./storage.js";

/** Options of a history. */
export interface HistoryOptions {
  /**
   * The address of the server. With it, the URLs of files on the server become links from which a browser can download
   * the file, for 15 minutes at least. Without it they stay `attachment:ID`.
   */
  filesFrom?: string;
}

/** The messages of the thread that `thread` returns, with their branches. */
export function createHistoryAdapter(
  client: ScrollbackClient,
  thread: () => ThreadItem,
  options: HistoryOptions = {},
): ThreadHistoryAdapter {
  const ordered = inOrder();
  const write = (message: ThreadMessage, parentId: string | null, runConfig: unknown) => {
    const item = thread();
    return ordered(() => save(client, item, message.id, parentId, (id) => fromThreadMessage(message, id, runConfig)));
  };
  return {
    async load() {
      const { headId, messages } = await load(client, thread());
      const { filesFrom } = options;
      return { headId, messages: messages.map(({ stored, parentId }) => toThreadMessage(stored, parentId, filesFrom)) };
    },
    append: ({ message, parentId, runConfig }) => write(message, parentId, runConfig),
    update: ({ message, parentId, runConfig }) => write(message, parentId, runConfig),
    delete(items) {
      const item = thread();
      return ordered(() => remove(client, item, items.map(({ message }) => message.id)));
    },
    withFormat: (format) => withFormat(client, thread, format, ordered, options),
  };
}
