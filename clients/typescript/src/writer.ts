import { ScrollbackError } from "./errors.js";
import {
  AppendMessageDocument,
  type AppendMessageInput,
  AppendMessageTextDocument,
  FinishMessageDocument,
  type FinishMessageInput,
} from "./generated/operations.js";
import { type RequestOptions, request } from "./http.js";
import { newId } from "./ids.js";
import type { Session } from "./session.js";
import { codePointLength, dropCodePoints, toStorableText } from "./text.js";
import type { Message } from "./types.js";

/** A message to write piece by piece. Its role is ASSISTANT unless given. */
export type StreamInput = Omit<AppendMessageInput, "role" | "status"> & { role?: AppendMessageInput["role"] };

/** What is set when a message ends. */
export type FinishOptions = Omit<FinishMessageInput, "messageId" | "status">;

/** How a writer works. */
export interface WriterOptions {
  /** The shortest time between two requests, in milliseconds: texts in between are sent together. Default: 50. */
  flushIntervalMs?: number;
  /**
   * After how many milliseconds without text the writer tells the server that it is still there, and learns whether a
   * stop was requested. It must be shorter than `feed.lease` (60 s). Default: 5,000.
   */
  heartbeatMs?: number;
  /** The most attempts for one piece. Default: 20, which is a few minutes. */
  attempts?: number;
  /** Gives up: nothing more is sent, and the server ends the message as INTERRUPTED when its lease has expired. */
  signal?: AbortSignal;
}

/** The most UTF-16 code units in one request. */
const LONGEST = 16_384;

/**
 * The writer of a STREAMING message. It sends texts in batches, tries again when the connection breaks, and never
 * doubles text. NUL and lone surrogates become U+FFFD.
 */
export class MessageWriter {
  /** The id of the message. */
  readonly id: string;
  /** Resolves with the message once it is stored. */
  readonly opened: Promise<Message>;
  readonly #session: Session;
  readonly #options: WriterOptions;
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;
  #text = "";
  /** How much of the text the server has: in UTF-16 code units, and in code points. */
  #index = 0;
  #offset = 0;
  #stopRequested = false;
  #isEnding = false;
  #wake: () => void = () => {};

  constructor(session: Session, input: StreamInput, options: WriterOptions = {}) {
    this.#session = session;
    this.#options = options;
    this.id = input.id ?? newId();
    this.opened = this.#open({ role: "ASSISTANT", ...input, id: this.id, status: "STREAMING" });
    this.#running = this.#run().catch((error: unknown) => {
      this.#controller.abort(error);
      throw error;
    });
    // The failure is thrown by `write` and `finish`.
    this.opened.catch(() => {});
    this.#running.catch(() => {});
  }

  /** Aborts when a stop is requested, and when the writer has failed. Pass it to the model. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a client of the user has asked the writer to stop. */
  get stopRequested(): boolean {
    return this.#stopRequested;
  }

  /** Adds text. It is sent soon; nothing needs to be awaited. Throws when the writer has ended or failed. */
  write(text: string): void {
    this.#throwIfFailed();
    if (this.#isEnding) throw new ScrollbackError("WRITER_ENDED", "the message was finished");
    this.#text += text;
    this.#wake();
  }

  /** Writes all texts of a model, and finishes the message. If the model fails, the message becomes FAILED. */
  async pipe(texts: AsyncIterable<string>, options: FinishOptions = {}): Promise<Message> {
    const iterator = texts[Symbol.asyncIterator]();
    const { signal } = this;
    let stop: (value: undefined) => void = () => {};
    const stopped = new Promise<undefined>((resolve) => (stop = resolve));
    const abort = () => stop(undefined);
    signal.addEventListener("abort", abort);
    try {
      while (!signal.aborted) {
        const result = await Promise.race([iterator.next(), stopped]);
        if (!result || result.done) break;
        this.write(result.value);
      }
    } catch (error) {
      await this.fail().catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
    // The model may never answer again.
    if (signal.aborted) void iterator.return?.()?.then(undefined, () => {});
    return this.finish(options);
  }

  /** Sends the rest and ends the message: INTERRUPTED if a stop was requested, COMPLETE otherwise. */
  finish(options: FinishOptions = {}): Promise<Message> {
    return this.#end(() => (this.#stopRequested ? "INTERRUPTED" : "COMPLETE"), options);
  }

  /** Sends the rest and ends the message as INTERRUPTED. */
  interrupt(options: FinishOptions = {}): Promise<Message> {
    return this.#end(() => "INTERRUPTED", options);
  }

  /** Sends the rest and ends the message as FAILED. */
  fail(options: FinishOptions = {}): Promise<Message> {
    return this.#end(() => "FAILED", options);
  }

  get #requestOptions(): RequestOptions {
    return { attempts: this.#options.attempts ?? 20, signal: this.#options.signal };
  }

  async #open(input: AppendMessageInput): Promise<Message> {
    const data = await request(this.#session, AppendMessageDocument, { input }, this.#requestOptions);
    return data.appendMessage.messageEdge.node;
  }

  async #end(status: () => FinishMessageInput["status"], options: FinishOptions): Promise<Message> {
    this.#isEnding = true;
    this.#wake();
    await this.#running;
    const input = { ...options, messageId: this.id, status: status() };
    const data = await request(this.#session, FinishMessageDocument, { input }, this.#requestOptions);
    return data.finishMessage.message;
  }

  #throwIfFailed(): void {
    if (this.signal.aborted && !this.#stopRequested) throw this.signal.reason;
  }

  async #run(): Promise<void> {
    await this.opened;
    const { flushIntervalMs = 50, heartbeatMs = 5_000 } = this.#options;
    for (;;) {
      if (this.#nextPiece() === "" && !this.#isEnding) await this.#pause(heartbeatMs, () => this.#nextPiece() !== "");
      const text = this.#nextPiece();
      if (text === "" && this.#isEnding) return;
      await this.#send(text);
      if (!this.#isEnding) await this.#pause(flushIntervalMs, () => false);
    }
  }

  /** What to send next. Half of a pair of surrogates waits for the other half. */
  #nextPiece(): string {
    let end = Math.min(this.#index + LONGEST, this.#text.length);
    const last = this.#text.charCodeAt(end - 1);
    const isHalf = last >= 0xd800 && last < 0xdc00;
    if (isHalf && end > this.#index && !(this.#isEnding && end === this.#text.length)) end -= 1;
    return this.#text.slice(this.#index, end);
  }

  async #send(text: string): Promise<void> {
    const input = { messageId: this.id, offset: this.#offset, text: toStorableText(text) };
    try {
      const data = await request(this.#session, AppendMessageTextDocument, { input }, this.#requestOptions);
      this.#index += text.length;
      this.#offset += codePointLength(text);
      if (data.appendMessageText.stopRequested && !this.#stopRequested) {
        this.#stopRequested = true;
        this.#controller.abort(new ScrollbackError("WRITER_ENDED", "a client requested that the writer stops"));
      }
    } catch (error) {
      const length = error instanceof ScrollbackError && error.code === "CONFLICT" && error.extensions["length"];
      if (typeof length !== "number" || length >= this.#offset) throw error;
      // The server has less than it had acknowledged, for example after a restored backup.
      this.#offset = length;
      this.#index = this.#text.length - dropCodePoints(this.#text, length).length;
    }
  }

  /** Waits for a time, or until there is something to do. */
  async #pause(ms: number, hasWork: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!this.#isEnding && !hasWork()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
