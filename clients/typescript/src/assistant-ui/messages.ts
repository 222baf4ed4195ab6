import type { ExportedMessageRepository, ThreadMessage } from "@assistant-ui/react";
import { isObject, uiIdOf } from "../ai-sdk/messages.js";
import { storable } from "../ai-sdk/text.js";
import { type ThreadPart, fromThreadPart, toThreadPart } from "./parts.js";
import type { HistoryInput } from "./storage.js";
import type { TreeMessage } from "./tree.js";

export type { ThreadMessage };

/** A message of the repository, as it is loaded. */
type Entry = ExportedMessageRepository["messages"][number];

/** The key in the metadata for what has no place elsewhere. */
const KEY = "assistantUi";

/** Stands for a message without content, which Scrollback does not have. */
const EMPTY = { custom: { kind: "assistant-ui-empty", data: {} } };

/** The message of Scrollback. `id` is the id that it gets. */
export function fromThreadMessage(message: ThreadMessage, id: string, runConfig: unknown): HistoryInput {
  const { id: threadMessageId, role, content, attachments = [], createdAt, status, metadata } = storable(message);
  const parts = (content as unknown as ThreadPart[]).map(fromThreadPart);
  const attached = attachments.flatMap((attachment, at) => fromAttachment(attachment as unknown as Attachment, at));
  const all = [...parts, ...attached];
  const { custom, ...others } = metadata as unknown as Record<string, unknown>;
  const aside = { id: threadMessageId === id ? undefined : threadMessageId, createdAt, status, metadata: others, runConfig };
  return {
    role: role.toUpperCase() as HistoryInput["role"],
    parts: all.some(isFilled) ? all : [...all, EMPTY],
    metadata: storable({ ...(isObject(custom) ? custom : {}), [KEY]: aside }),
  };
}

const isFilled = (part: Record<string, { text?: unknown }>) =>
  !("text" in part || "reasoning" in part) || Object.values(part)[0]?.text !== "";

type Attachment = { content: ThreadPart[] } & Record<string, unknown>;

/** The contents of an attachment. Each knows the attachment that it belongs to. */
function fromAttachment({ content, ...attachment }: Attachment, at: number): Record<string, Record<string, unknown>>[] {
  if (content.length === 0) return [{ custom: { kind: "assistant-ui-attachment", data: attachment } }];
  return content.map((part) => {
    const [[kind, fields]] = Object.entries(fromThreadPart(part)) as [[string, Record<string, unknown>]];
    return { [kind]: { ...fields, extra: { ...(fields.extra as object), attachment: { ...attachment, at } } } };
  });
}

/** The message of assistant-ui that a stored message holds, whichever client wrote it. */
export function toThreadMessage(stored: TreeMessage, parentId: string | null, filesFrom?: string): Entry {
  const { [KEY]: kept, ...custom } = isObject(stored.metadata) ? stored.metadata : {};
  const aside = isObject(kept) ? kept : {};
  const role = stored.role === "TOOL" ? "assistant" : stored.role.toLowerCase();
  const { content, attachments } = contentOf(stored, filesFrom);
  const lists = { unstable_state: null, unstable_annotations: [], unstable_data: [], steps: [] };
  const defaults = role === "assistant" && !("metadata" in aside) ? lists : {};
  const status = aside.status ?? (stored.status === "COMPLETE" ? COMPLETE : INTERRUPTED);
  const message = {
    id: threadIdOf(stored),
    role,
    createdAt: new Date(typeof aside.createdAt === "string" ? aside.createdAt : stored.createdAt),
    content,
    metadata: { ...defaults, ...(isObject(aside.metadata) ? aside.metadata : {}), custom },
    ...(role === "user" ? { attachments } : {}),
    ...(role === "assistant" ? { status } : {}),
  };
  const runConfig = isObject(aside.runConfig) ? { runConfig: aside.runConfig } : {};
  return { message: message as unknown as ThreadMessage, parentId, ...runConfig };
}

const COMPLETE = { type: "complete", reason: "unknown" };
const INTERRUPTED = { type: "incomplete", reason: "cancelled" };

function contentOf({ parts }: TreeMessage, filesFrom?: string): { content: ThreadPart[]; attachments: Attachment[] } {
  const content: ThreadPart[] = [];
  const attachments = new Map<unknown, Attachment>();
  for (const stored of parts) {
    const part = toThreadPart(stored, filesFrom);
    if (!part || part.type === "empty") continue;
    const { attachment, ...own } = part;
    if (stored.kind === "assistant-ui-attachment") {
      attachments.set(part, { ...(stored.data as Record<string, unknown>), content: [] });
    } else if (isObject(attachment)) {
      const { at, ...fields } = attachment;
      const found = attachments.get(at) ?? { ...fields, content: [] };
      found.content.push(own as ThreadPart);
      attachments.set(at, found);
    } else {
      content.push(own as ThreadPart);
    }
  }
  return { content, attachments: [...attachments.values()] };
}

/** The id that assistant-ui uses for a stored message. */
export function threadIdOf(stored: TreeMessage): string {
  const kept = isObject(stored.metadata) ? stored.metadata[KEY] : undefined;
  return isObject(kept) && typeof kept.id === "string" ? kept.id : uiIdOf(stored);
}
