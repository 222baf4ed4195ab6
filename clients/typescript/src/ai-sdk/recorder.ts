import type { UIMessage, UIMessageChunk } from "ai";
import { codePointLength } from "../text.js";
import type { FinishOptions, MessageWriter } from "../writer.js";
import { coalesce } from "./coalesce.js";
import { type ChatContext, hasCode } from "./context.js";
import { EventLog, HEARTBEAT_MS } from "./event-log.js";
import { type MessageInput, toScrollback } from "./messages.js";
import { VisibleText } from "./visible-text.js";

/** The code points of an answer that readers see while it is written. The server takes 262,144. */
const VISIBLE = 250_000;

/** How long chunks are collected before they are written. */
const COLLECT_MS = 20;

/** The answer to record. */
export interface Answer {
  conversationId: string;
  /** The id of the stored message. */
  messageId: string;
  /** The message before. */
  parentId: string | null;
  /** The message goes on that is stored already, and was edited then. */
  continued: { editedAt: string | null } | undefined;
  model: string | undefined;
  /** Metadata to begin with, which has the id of the SDK. */
  metadata: unknown;
}

/** Writes an answer while it is sent: its text into a streaming message, and all chunks into a log. */
export class Recorder {
  readonly #context: ChatContext;
  readonly #answer: Answer;
  readonly #writer: MessageWriter | undefined;
  readonly #log: EventLog;
  readonly #visible = new VisibleText();
  #length = 0;
  #collected: UIMessageChunk[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(context: ChatContext, answer: Answer, writer: MessageWriter | undefined, log: EventLog) {
    this.#context = context;
    this.#answer = answer;
    this.#writer = writer;
    this.#log = log;
  }

  /** Begins the streaming message and the log. `onStop` is called when a client asks to stop. */
  static async open(context: ChatContext, answer: Answer, onStop: () => void): Promise<Recorder> {
    const { conversationId, messageId: id, parentId, continued, model, metadata } = answer;
    const log = await EventLog.open(context, { messageId: id, editedAt: continued?.editedAt ?? null }, onStop);
    if (continued) return new Recorder(context, answer, undefined, log);
    const input = { conversationId, id, parentId, metadata, ...(model === undefined ? {} : { model }) };
    const writer = context.client.stream(input, { heartbeatMs: HEARTBEAT_MS });
    await writer.opened;
    writer.signal.addEventListener("abort", () => writer.stopRequested && onStop());
    return new Recorder(context, answer, writer, log);
  }

  /** Records a chunk. */
  write(chunk: UIMessageChunk): void {
    this.#collected.push(chunk);
    this.#timer ??= setTimeout(() => this.#flush(), COLLECT_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const chunks = coalesce(this.#collected.splice(0));
    this.#writeText(chunks.map((chunk) => this.#visible.add(chunk)).join(""));
    // A log that cannot be written must not end the answer. Readers then get it when it is complete.
    this.#writing = this.#writing.then(() => this.#log.append(chunks)).catch(() => {});
  }

  #writeText(text: string): void {
    this.#length += codePointLength(text);
    if (!this.#writer || text === "" || this.#length > VISIBLE) return;
    try {
      this.#writer.write(text);
    } catch {
      // The message was ended or deleted elsewhere; `end` finds out which.
    }
  }

  /** Ends the answer with its parts, then the log. */
  async end(message: UIMessage, status: "COMPLETE" | "INTERRUPTED" | "FAILED"): Promise<void> {
    this.#flush();
    const { conversationId, messageId: id } = this.#answer;
    const input = await toScrollback(conversationId, message, { ...this.#context, id });
    try {
      await (this.#writer ? this.#finish(this.#writer, input, status) : this.#update(input));
    } catch (error) {
      if (!hasCode(error, "NOT_FOUND")) throw error; // Somebody deleted the chat meanwhile.
    } finally {
      await this.#writing;
      await this.#log.end().catch(() => {});
    }
  }

  async #finish(writer: MessageWriter, input: MessageInput, status: string): Promise<void> {
    const { parts, metadata } = input;
    const isEmpty = parts.length === 1 && "custom" in parts[0]! && status !== "COMPLETE";
    const end = (options: FinishOptions) =>
      status === "FAILED" ? writer.fail(options) : status === "INTERRUPTED" ? writer.interrupt(options) : writer.finish(options);
    try {
      await end({ metadata, ...(isEmpty ? {} : { parts: parts as NonNullable<FinishOptions["parts"]> }) });
    } catch (error) {
      // The text was shortened, for example by `reset-step`, or the server had ended the message.
      if (!hasCode(error, "BAD_USER_INPUT", "CONFLICT")) throw error;
      if (hasCode(error, "BAD_USER_INPUT")) await end({});
      await this.#update(input);
    }
  }

  async #update({ id, parts, metadata }: MessageInput): Promise<void> {
    await this.#context.client.updateMessage({ id, parts: parts as NonNullable<FinishOptions["parts"]>, metadata });
  }
}
