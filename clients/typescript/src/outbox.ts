import type { ScrollbackClient } from "./client.js";
import { ScrollbackError } from "./errors.js";
import type { AppendMessageInput } from "./generated/operations.js";
import { newId } from "./ids.js";
import { type OutboxEntry, type OutboxStorage, memoryStorage } from "./outbox-storage.js";
import { Backoff, type RetryOptions } from "./retry.js";
import type { Message } from "./types.js";

/** The options of an outbox. */
export interface OutboxOptions {
  /** Where messages wait. It must be one for each user. Default: the memory, which does not survive a reload. */
  storage?: OutboxStorage;
  /** The delays while the server cannot be reached. Default: 500 ms to 30 s. */
  retry?: Omit<RetryOptions, "attempts">;
  /** Is called with each message that was stored. */
  onSent?: (message: Message & { cursor: string }) => void;
  /** Is called when a message cannot be sent: `retry` or `discard` it. */
  onFailed?: (entry: OutboxEntry, error: ScrollbackError) => void;
}

/** Creates an outbox and begins to send what is in its storage. */
export function createOutbox(client: ScrollbackClient, options?: OutboxOptions): Outbox {
  return new Outbox(client, options);
}

/**
 * Appends that wait until the server can be reached. A message has its id from the start, so it is stored once, however
 * often it is sent. The messages of a conversation are sent in order: behind a message that cannot be sent, because of
 * a CONFLICT for example, the others wait until it is retried or discarded.
 */
export class Outbox {
  readonly #client: ScrollbackClient;
  readonly #options: OutboxOptions;
  readonly #storage: OutboxStorage;
  readonly #loaded: Promise<void>;
  readonly #listeners = new Set<() => void>();
  readonly #workers = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #waking = new AbortController();
  #entries: readonly OutboxEntry[] = [];
  readonly #online = () => this.#wake();

  constructor(client: ScrollbackClient, options: OutboxOptions = {}) {
    this.#client = client;
    this.#options = options;
    this.#storage = options.storage ?? memoryStorage();
    this.#loaded = this.#load();
    this.#loaded.catch(() => {});
    globalThis.addEventListener?.("online", this.#online);
  }

  /** Resolves when the storage was read. Rejects when it cannot be read. */
  get loaded(): Promise<void> {
    return this.#loaded;
  }

  /** What waits, in order. The same array until something changes. */
  get entries(): readonly OutboxEntry[] {
    return this.#entries;
  }

  /** Calls a function after every change of `entries`. Returns a function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds a message. Resolves when it is in the storage: from then on it is not lost. */
  async append(message: AppendMessageInput): Promise<OutboxEntry> {
    await this.#loaded;
    const last = this.#entries.at(-1)?.sequence ?? 0;
    const sequence = Math.max(last + 1, Date.now() * 1000);
    const entry: OutboxEntry = { message: { ...message, id: message.id ?? newId() }, sequence };
    this.#set([...this.#entries, entry]);
    try {
      await this.#storage.save(entry);
    } catch (error) {
      this.#set(this.#entries.filter((other) => other !== entry));
      throw error;
    }
    this.#work(message.conversationId);
    return entry;
  }

  /** Sends a message again that could not be sent. */
  async retry(id: string): Promise<void> {
    const entry = this.#entries.find(({ message }) => message.id === id);
    if (!entry) return;
    const { error: _, ...pending } = entry;
    await this.#storage.save(pending);
    this.#replace(entry, pending);
    this.#work(entry.message.conversationId);
  }

  /** Removes a message without sending it. The next one of its conversation follows. */
  async discard(id: string): Promise<void> {
    const entry = this.#entries.find(({ message }) => message.id === id);
    if (!entry) return;
    await this.#storage.remove(id);
    this.#replace(entry);
    this.#work(entry.message.conversationId);
  }

  /** Tries now, without waiting for the end of a delay. Resolves when nothing is pending that can be sent. */
  async flush(): Promise<void> {
    await this.#loaded;
    this.#wake();
    while (this.#workers.size) await Promise.all(this.#workers.values());
  }

  /** Stops sending. What was not sent stays in the storage. */
  close(): void {
    globalThis.removeEventListener?.("online", this.#online);
    this.#closing.abort();
    this.#wake();
  }

  async #load(): Promise<void> {
    const entries = await this.#storage.load();
    this.#set(entries.sort((one, other) => one.sequence - other.sequence));
    for (const { message } of entries) this.#work(message.conversationId);
  }

  #set(entries: readonly OutboxEntry[]): void {
    this.#entries = entries;
    for (const listener of this.#listeners) listener();
  }

  #replace(entry: OutboxEntry, ...others: OutboxEntry[]): void {
    this.#set(this.#entries.flatMap((other) => (other === entry ? others : [other])));
  }

  #wake(): void {
    this.#waking.abort();
    this.#waking = new AbortController();
  }

  /** Sends the messages of a conversation, unless they are being sent. */
  #work(conversationId: string): void {
    if (this.#workers.has(conversationId) || this.#closing.signal.aborted) return;
    const worker = this.#send(conversationId).finally(() => {
      this.#workers.delete(conversationId);
      // Something may have come just now.
      if (this.#next(conversationId)) this.#work(conversationId);
    });
    this.#workers.set(conversationId, worker);
  }

  /** The first message of a conversation, unless it cannot be sent. */
  #next(conversationId: string): OutboxEntry | undefined {
    const first = this.#entries.find(({ message }) => message.conversationId === conversationId);
    return first?.error ? undefined : first;
  }

  async #send(conversationId: string): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff({ minDelayMs: 500, maxDelayMs: 30_000, ...this.#options.retry });
    for (let entry = this.#next(conversationId); entry && !signal.aborted; entry = this.#next(conversationId)) {
      try {
        const message = await this.#client.append(entry.message, { attempts: 1, signal });
        await this.#storage.remove(message.id);
        this.#replace(entry);
        backoff.reset();
        this.#options.onSent?.(message);
      } catch (error) {
        if (signal.aborted) return;
        const isPermanent = error instanceof ScrollbackError && !error.retryable && error.code !== "UNAUTHENTICATED";
        if (isPermanent) {
          await this.#fail(entry, error);
          return;
        }
        const retryAfterMs = error instanceof ScrollbackError ? error.retryAfterMs : undefined;
        await backoff.wait(retryAfterMs, this.#waking.signal).catch(() => {});
      }
    }
  }

  async #fail(entry: OutboxEntry, error: ScrollbackError): Promise<void> {
    const failed = { ...entry, error: { code: error.code, message: error.message } };
    // If it cannot be saved, it is found again after the next load.
    await this.#storage.save(failed).catch(() => {});
    this.#replace(entry, failed);
    this.#options.onFailed?.(failed, error);
  }
}
