/**
 * The chunks of an answer that is being written, durable and in order, so that any server can replay and follow them.
 *
 * The API has no place for chunks that are not text. They are the streamed text, one JSON value a line, of messages in
 * conversations of their own. The ids follow from the answer, so every reader finds them. These conversations are in the
 * trash from their first moment: no list, search, context window or count has them. The server removes them for good.
 */
import type { UIMessageChunk } from "ai";
import type { ChatContext } from "./context.js";
import { hasCode } from "./context.js";
import { uuid5 } from "./ids.js";
import type { MessageWriter } from "../writer.js";

/** How long a log is kept after its end, for slow readers, and if its writer never ends it. */
const KEPT_MS = { ended: 10 * 60_000, open: 24 * 3_600_000 };

/** The code points of one message. The server takes 262,144. */
const SEGMENT = 200_000;

/** How soon a silent writer learns that it should stop. */
export const HEARTBEAT_MS = 2_000;

/** The metadata by which clients can tell these conversations from those of users. */
const OWN = { scrollback: "stream-events" };

/** The last line. */
const END = "null\n";

const STATUS = `query EventLogs($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { id status } } }`;

/** Which log: the answer as it was when the log began, and which attempt to continue it. */
export interface LogKey {
  messageId: string;
  editedAt: string | null;
  attempt: number;
}

const idOf = (kind: "log" | "events", { messageId, editedAt, attempt }: LogKey, segment: number) =>
  uuid5(kind, messageId, editedAt ?? "", String(attempt), String(segment));

/** The writer of a log. */
export class EventLog {
  readonly #context: ChatContext;
  readonly #key: LogKey;
  readonly #onStop: () => void;
  #segment = 0;
  #length = 0;
  #writer!: MessageWriter;

  private constructor(context: ChatContext, key: LogKey, onStop: () => void) {
    this.#context = context;
    this.#key = key;
    this.#onStop = onStop;
  }

  /** Begins the next log of a message. `onStop` is called when a client asks its writer to stop. */
  static async open(context: ChatContext, answer: Omit<LogKey, "attempt">, onStop: () => void): Promise<EventLog> {
    for (let attempt = 0; ; attempt++) {
      const log = new EventLog(context, { ...answer, attempt }, onStop);
      if ((await states(context, log.#key)).length > 0) continue;
      try {
        await log.#begin();
        return log;
      } catch (error) {
        if (!hasCode(error, "CONFLICT")) throw error; // Another writer was faster.
      }
    }
  }

  async #begin(): Promise<void> {
    const { client } = this.#context;
    const conversationId = await idOf("log", this.#key, this.#segment);
    const id = await idOf("events", this.#key, this.#segment);
    const expiresAt = new Date(Date.now() + KEPT_MS.open).toISOString();
    await client.createConversation({ id: conversationId, metadata: { ...OWN, writer: crypto.randomUUID() }, expiresAt });
    const writer = client.stream({ conversationId, id }, { heartbeatMs: HEARTBEAT_MS });
    await writer.opened;
    await client.trashConversation(conversationId);
    writer.signal.addEventListener("abort", () => writer.stopRequested && this.#onStop());
    this.#writer = writer;
    this.#length = 0;
  }

  /** Adds chunks. They are sent soon. */
  async append(chunks: readonly UIMessageChunk[]): Promise<void> {
    await this.#append(chunks.map((chunk) => `${JSON.stringify(chunk)}\n`).join(""));
  }

  async #append(text: string): Promise<void> {
    const points = Array.from(text);
    for (let at = 0; at < points.length; ) {
      if (this.#length >= SEGMENT) await this.#next();
      const piece = points.slice(at, at + SEGMENT - this.#length);
      this.#writer.write(piece.join(""));
      this.#length += piece.length;
      at += piece.length;
    }
  }

  /** Goes on in another message. Readers find it once this one has ended. */
  async #next(): Promise<void> {
    const [full, segment] = [this.#writer, this.#segment++];
    await this.#begin();
    await this.#finish(full, segment);
  }

  /** Ends the log. It is removed some time later. */
  async end(): Promise<void> {
    await this.#append(END);
    await this.#finish(this.#writer, this.#segment);
  }

  async #finish(writer: MessageWriter, segment: number): Promise<void> {
    await writer.finish();
    const expiresAt = new Date(Date.now() + KEPT_MS.ended).toISOString();
    await this.#context.client.updateConversation({ id: await idOf("log", this.#key, segment), expiresAt });
  }
}

/** A log that a reader found, and whether its writer is still there. */
export interface FoundLog {
  key: LogKey;
  isOpen: boolean;
  /** The message that is being written, to be stopped. */
  messageId: string;
}

/** The newest log of a message. */
export async function findLog(context: ChatContext, answer: Omit<LogKey, "attempt">): Promise<FoundLog | undefined> {
  let found: FoundLog | undefined;
  for (let attempt = 0; ; attempt++) {
    const key = { ...answer, attempt };
    const last = (await states(context, key)).at(-1);
    if (!last) return found;
    found = { key, isOpen: last.status === "STREAMING", messageId: last.id };
  }
}

/** The messages of a log that there are. */
async function states({ client }: ChatContext, key: LogKey): Promise<{ id: string; status: string }[]> {
  const ids = await Promise.all(Array.from({ length: 50 }, (_, segment) => idOf("events", key, segment)));
  const { nodes } = await client.query<{ nodes: ({ id: string; status: string } | null)[] }>(STATUS, { ids });
  return nodes.filter((node) => node !== null && node !== undefined);
}

/** The chunks from the beginning on, then as they are added. Returns whether the writer ended the log. */
export async function* readLog(
  context: ChatContext,
  key: LogKey,
  signal?: AbortSignal,
): AsyncGenerator<UIMessageChunk, boolean> {
  let line = "";
  for (let segment = 0; ; segment++) {
    const messageId = await idOf("events", key, segment);
    for await (const { text } of context.client.messageText(messageId, { signal })) {
      const lines = (line + text).split("\n");
      line = lines.pop()!;
      for (const complete of lines) {
        const chunk = JSON.parse(complete) as UIMessageChunk | null;
        if (chunk === null) return true;
        yield chunk;
      }
    }
    if ((await states(context, key)).length <= segment + 1) return false;
  }
}
