import type { GenericThreadHistoryAdapter, MessageFormatAdapter } from "@assistant-ui/react";
import { type FromScrollbackOptions, type UIMessageLike, fromScrollback, toScrollback } from "../ai-sdk/messages.js";
import { storable } from "../ai-sdk/text.js";
import type { ScrollbackClient } from "../client.js";
import type { InOrder } from "./in-order.js";
import { threadIdOf } from "./messages.js";
import { type HistoryInput, type ThreadItem, load, remove, save } from "./storage.js";
import type { TreeMessage } from "./tree.js";

/** The kind of the part that has a message in the format of another SDK. */
const KIND = "assistant-ui-message";

/** A history in the format of a runtime. Messages of the AI SDK become typed parts, others are kept as they are. */
export function withFormat<MESSAGE, STORED extends Record<string, unknown>>(
  client: ScrollbackClient,
  thread: () => ThreadItem,
  adapter: MessageFormatAdapter<MESSAGE, STORED>,
  ordered: InOrder,
  options: FromScrollbackOptions,
): GenericThreadHistoryAdapter<MESSAGE> {
  const { format } = adapter;
  let pinned: ThreadItem | undefined;
  const item = () => pinned ?? thread();
  const write = (entry: { parentId: string | null; message: MESSAGE }) => {
    const threadMessageId = adapter.getId(entry.message);
    const content = adapter.encode(entry);
    const to = item();
    const convert = (id: string) => toInput(format, id, threadMessageId, content);
    return ordered(() => save(client, to, threadMessageId, entry.parentId, convert));
  };
  return {
    pin() {
      pinned = thread();
    },
    async load() {
      const { headId, messages } = await load(client, item());
      const entries = messages.map(({ stored, parentId }) => ({
        id: threadIdOf(stored),
        parent_id: parentId,
        format,
        content: contentOf(format, stored, options) as STORED,
      }));
      return { headId, messages: entries.filter(({ content }) => content).map((entry) => adapter.decode(entry)) };
    },
    append: write,
    update: write,
    delete(items) {
      const from = item();
      return ordered(() => remove(client, from, items.map(({ message }) => adapter.getId(message))));
    },
  };
}

const isAiSdk = (format: string) => format.startsWith("ai-sdk/");

async function toInput(format: string, id: string, threadMessageId: string, content: object): Promise<HistoryInput> {
  if (isAiSdk(format)) {
    const message = { ...content, id: threadMessageId } as UIMessageLike;
    return toScrollback("", message, { id });
  }
  const data = storable(content) as Record<string, unknown>;
  const text = typeof data.content === "string" && data.content !== "" ? [{ text: { text: data.content } }] : [];
  const metadata = threadMessageId === id ? {} : { assistantUi: { id: threadMessageId } };
  return { role: roleOf(data), parts: [...text, { custom: { kind: KIND, data, extra: { format } } }], metadata };
}

/** The role, by the names that SDKs have for it. */
function roleOf({ role, type }: Record<string, unknown>): HistoryInput["role"] {
  const name = String(role ?? type).toLowerCase();
  if (name === "user" || name === "human") return "USER";
  return name === "system" || name === "developer" ? "SYSTEM" : "ASSISTANT";
}

/** The message in a format. Every message is one of the AI SDK; in other formats there are only their own. */
function contentOf(format: string, stored: TreeMessage, options: FromScrollbackOptions): object | undefined {
  if (isAiSdk(format)) {
    const { id: _, ...content } = fromScrollback(stored, options);
    return content;
  }
  const isOwn = ({ kind, extra }: TreeMessage["parts"][number]) =>
    kind === KIND && (extra as { format?: unknown } | null)?.format === format;
  return stored.parts.find(isOwn)?.data as object | undefined;
}
