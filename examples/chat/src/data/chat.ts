import {
  type Change,
  type Outbox,
  type ScrollbackClient,
  createClient,
  createOutbox,
  indexedDbStorage,
  newId,
} from "scrollback-client";
import { webSocket } from "scrollback-client/graphql-ws";
import { ConversationList } from "./list.js";
import { Reading } from "./reading.js";
import { type UserSession, fetchToken, requestAnswer } from "./session.js";
import { Store } from "./store.js";
import { Thread } from "./thread.js";
import { Uploads } from "./uploads.js";

/** A message to send. */
export interface Draft {
  text: string;
  files?: readonly { id: string; mediaType: string; filename: string; size?: readonly [number, number] | undefined }[];
  /** The message to send it after. Absent: the newest. Null: it becomes another first message. */
  parentId?: string | null;
}

/** What a signed-in user works with. */
export class Chat {
  readonly client: ScrollbackClient;
  readonly outbox: Outbox;
  readonly list: ConversationList;
  readonly reading: Reading;
  readonly uploads: Uploads;
  /** Texts that were not sent yet, by conversation. */
  readonly texts = new Map<string, string>();
  /** The conversation that is open. */
  readonly thread = new Store<Thread | undefined>(undefined);
  /** Whether the server can be reached, as far as it is known. */
  readonly online = new Store(navigator.onLine);
  /** What went wrong, to be shown for a while. */
  readonly notice = new Store<{ text: string; key: number } | undefined>(undefined);
  /** The conversations of the messages in the outbox. */
  readonly #waiting = new Map<string, string>();
  readonly #closing = new AbortController();

  constructor(readonly session: UserSession) {
    this.client = createClient({ url: session.url, token: fetchToken, subscriptions: webSocket() });
    this.list = new ConversationList(this.client);
    this.reading = new Reading(this.client);
    this.uploads = new Uploads(this.client, session.url);
    this.outbox = createOutbox(this.client, {
      storage: indexedDbStorage(`chat-outbox-${session.user}`),
      onSent: (message) => {
        this.online.set(true);
        // At once: it is not in the outbox any more.
        const conversationId = this.#waiting.get(message.id);
        if (conversationId === undefined) return;
        this.#waiting.delete(message.id);
        if (this.thread.value?.id === conversationId) this.thread.value.add(message);
        // Questions that were sent together have one answer.
        const follows = this.outbox.entries.some((entry) => entry.message.conversationId === conversationId && !entry.error);
        if (!follows) void this.answer(conversationId, message.id);
      },
      onFailed: (_, error) => this.report(`The message could not be sent: ${error.message}`),
    });
    this.outbox.subscribe(() => {
      for (const { message } of this.outbox.entries) this.#waiting.set(message.id, message.conversationId);
    });
    const { signal } = this.#closing;
    window.addEventListener("online", () => this.online.set(true), { signal });
    window.addEventListener("offline", () => this.online.set(false), { signal });
    void this.#follow(signal);
  }

  /** Opens a conversation, or none. */
  open(id: string | undefined): Thread | undefined {
    const { value } = this.thread;
    if (value?.id === id) return value;
    value?.close();
    const thread = id === undefined ? undefined : new Thread(this.client, id);
    this.thread.set(thread);
    return thread;
  }

  /** Begins a conversation with a message, and returns its id. */
  async begin(draft: Draft): Promise<string> {
    const id = newId();
    const title = draft.text.trim().split("\n")[0]!.slice(0, 60) || draft.files?.[0]?.filename || "New chat";
    await this.client.createConversation({ id, title });
    await this.send(id, draft);
    return id;
  }

  /** Sends a message now or, without a connection, later. */
  async send(conversationId: string, { text, files = [], parentId }: Draft): Promise<void> {
    const parts = files.map(({ id, mediaType, filename }) => ({
      file: { mediaType, filename, url: `attachment:${id}` },
    }));
    // Known sizes let the page keep the place of a picture before it is loaded.
    const sizes = Object.fromEntries(files.flatMap(({ id, size }) => (size ? [[id, size]] : [])));
    await this.outbox.append({
      conversationId,
      role: "USER",
      ...(parts.length ? { parts: [...parts, ...(text ? [{ text: { text } }] : [])] } : { content: text }),
      ...(Object.keys(sizes).length ? { metadata: { pictureSizes: sizes } } : {}),
      ...(parentId === undefined ? {} : { parentId }),
    });
  }

  /** Asks for the answer to a question, or for another one. */
  async answer(conversationId: string, questionId: string, answerId?: string): Promise<void> {
    try {
      await requestAnswer(conversationId, questionId, answerId);
    } catch (error) {
      this.report(`No answer was requested: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Does something, and shows its error. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.report(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  report(text: string): void {
    this.notice.set({ text, key: Date.now() });
  }

  close(): void {
    this.#closing.abort();
    this.open(undefined);
    this.outbox.close();
    this.client.close();
  }

  /** Reads the list, then follows all changes from there. They keep the list and the open conversation current. */
  async #follow(signal: AbortSignal): Promise<void> {
    try {
      const cursor = await this.list.load();
      const onCursorExpired = async () => {
        await this.thread.value?.load();
        return this.list.load();
      };
      const onInterruption = () => this.online.set(false);
      for await (const change of this.client.changes({ cursor, signal, onCursorExpired, onInterruption })) {
        this.online.set(navigator.onLine);
        this.#apply(change);
      }
    } catch (error) {
      if (!signal.aborted) this.report(error instanceof Error ? error.message : String(error));
    }
  }

  #apply(change: Change): void {
    this.list.apply(change);
    const thread = this.thread.value;
    if (thread && thread.id === change.conversationId) thread.apply(change);
  }
}
