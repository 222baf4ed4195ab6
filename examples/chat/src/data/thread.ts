import {
  type Change,
  type Conversation,
  type Message,
  type ScrollbackClient,
  ScrollbackError,
  codePointLength,
} from "scrollback-client";
import { Branches } from "./branches.js";
import { Store } from "./store.js";

/** A message with the ids of its versions: the messages with the same parent, oldest first. */
export type ThreadMessage = Message & { versions: readonly string[] };

export interface ThreadState {
  conversation: Conversation | undefined;
  /** The messages of the active branch, oldest first, from some message to the last. */
  messages: readonly ThreadMessage[];
  hasOlder: boolean;
  isLoading: boolean;
  isLoadingOlder: boolean;
  error: { text: string; isMissing: boolean } | undefined;
  /** A message that was looked for. */
  revealed: string | undefined;
}

const PAGE = 30;
const VERSIONS = `query Versions($id: ID!, $last: Int, $before: String) {
  conversation(id: $id) { messages(last: $last, before: $before) { nodes { id siblings { id } } } }
}`;
type Versions = { conversation: { messages: { nodes: { id: string; siblings: { id: string }[] }[] } } };

/** A conversation that is open. */
export class Thread {
  readonly state = new Store<ThreadState>({
    conversation: undefined,
    messages: [],
    hasOlder: false,
    isLoading: true,
    isLoadingOlder: false,
    error: undefined,
    revealed: undefined,
  });
  readonly #client: ScrollbackClient;
  readonly #closing = new AbortController();
  readonly #branches: Branches;
  readonly #followed = new Set<string>();
  #start: string | null = null;
  #attempt = 0;
  #isLoading = false;
  #loaded: Promise<void>;

  constructor(
    client: ScrollbackClient,
    readonly id: string,
  ) {
    this.#client = client;
    this.#branches = new Branches(client, id, this.#closing.signal);
    this.#loaded = this.load();
  }

  has(messageId: string): boolean {
    return this.state.value.messages.some(({ id }) => id === messageId);
  }

  /** Reads the newest messages of the active branch, as many as were shown. */
  async load(): Promise<void> {
    const attempt = ++this.#attempt;
    const { signal } = this.#closing;
    this.#isLoading = true;
    try {
      const last = Math.min(100, Math.max(PAGE, this.state.value.messages.length));
      const [conversation, page] = await Promise.all([
        this.#client.conversation(this.id, { signal }),
        this.#page(last, undefined),
      ]);
      if (attempt !== this.#attempt) return;
      this.#start = page.start;
      const { messages, hasOlder } = page;
      this.state.update({ conversation, messages: this.#merge(messages), hasOlder, isLoading: false, error: undefined });
      this.#loadedMessages(messages);
    } catch (error) {
      if (signal.aborted || attempt !== this.#attempt) return;
      const isMissing = error instanceof ScrollbackError && ["NOT_FOUND", "BAD_USER_INPUT"].includes(error.code);
      const text = error instanceof Error ? error.message : String(error);
      this.state.update({ isLoading: false, error: { text, isMissing } });
    } finally {
      if (attempt === this.#attempt) this.#isLoading = false;
    }
  }

  /** Reads the messages before those that are shown. */
  async loadOlder(): Promise<void> {
    const { hasOlder, isLoadingOlder } = this.state.value;
    if (!hasOlder || isLoadingOlder || this.#start === null) return;
    const attempt = this.#attempt;
    this.state.update({ isLoadingOlder: true });
    try {
      const page = await this.#page(PAGE, this.#start);
      if (attempt !== this.#attempt) return;
      this.#start = page.start;
      this.state.update({ messages: [...page.messages, ...this.state.value.messages], hasOlder: page.hasOlder });
      this.#loadedMessages(page.messages);
    } finally {
      this.state.update({ isLoadingOlder: false });
    }
  }

  /** Loads the messages up to one, on its branch, and marks it. */
  async reveal(messageId: string): Promise<void> {
    await this.#loaded;
    for (const isSwitched of [false, true]) {
      if (isSwitched) await this.switchTo(messageId);
      while (!this.has(messageId) && this.state.value.hasOlder) await this.loadOlder();
      if (this.has(messageId)) break;
    }
    this.state.update({ revealed: messageId });
  }

  /** Activates the branch of a version of a message. */
  async switchTo(messageId: string): Promise<void> {
    const leafId = await this.#branches.leafOf(messageId, this.state.value.messages.at(-1)?.id);
    await this.#client.switchBranch(this.id, leafId, { signal: this.#closing.signal });
    await this.load();
  }

  /** Stops an answer. */
  async stop(): Promise<void> {
    const streaming = this.state.value.messages.filter(({ status }) => status === "STREAMING");
    await Promise.all(streaming.map(({ id }) => this.#client.stopMessage(id)));
  }

  /** Keeps the messages current. */
  apply(change: Change): void {
    switch (change.__typename) {
      case "ConversationUpdated":
        if (change.conversation) this.#update(change.conversation);
        break;
      case "ConversationDeleted":
        this.state.update({ error: { text: "This conversation was deleted.", isMissing: true }, messages: [] });
        break;
      case "MessageAdded":
        if (change.message) this.add(change.message);
        break;
      case "MessageUpdated":
        if (change.message) this.#replace(change.message);
        break;
      default:
        // A deleted message, a cleared conversation, and what later versions of the server report.
        void this.load();
    }
  }

  /** Shows a message that was added. */
  add(message: Message): void {
    this.#branches.add(message);
    if (this.has(message.id)) return this.#replace(message);
    const { messages } = this.state.value;
    const parentId = message.parent?.id;
    if (this.#isLoading || parentId !== messages.at(-1)?.id) return void this.load();
    this.state.update({ messages: [...messages, { ...message, versions: [message.id] }] });
    this.#loadedMessages([message]);
  }

  close(): void {
    this.#closing.abort();
  }

  #update(conversation: Conversation): void {
    this.state.update({ conversation });
    // The active branch may be another one. Neither the change nor the conversation says so.
    void this.load();
  }

  #replace(message: Message): void {
    const known = this.state.value.messages.find(({ id }) => id === message.id);
    if (!known) return;
    // While its text is followed, what the feed says about it may be older.
    if (message.status === "STREAMING" && known.content.length > message.content.length) return;
    this.#change(message.id, { ...message, versions: known.versions });
    this.#loadedMessages([message]);
    // What is being read may be older.
    if (this.#isLoading) void this.load();
  }

  #change(id: string, change: Partial<ThreadMessage>): void {
    const messages = this.state.value.messages.map((one) => (one.id === id ? { ...one, ...change } : one));
    this.state.update({ messages });
  }

  /** Messages that were read, but with texts that are known to be newer. */
  #merge(messages: readonly ThreadMessage[]): readonly ThreadMessage[] {
    const known = new Map(this.state.value.messages.map((message) => [message.id, message]));
    return messages.map((message) => {
      const before = known.get(message.id);
      const isOlder = message.status === "STREAMING" && (before?.content.length ?? 0) > message.content.length;
      return isOlder && before ? { ...before, versions: message.versions } : message;
    });
  }

  async #page(last: number, before: string | undefined) {
    const { signal } = this.#closing;
    const range = { last, ...(before === undefined ? {} : { before }) };
    const [page, versions] = await Promise.all([
      this.#client.history(this.id, { ...range, signal }),
      this.#client.query<Versions>(VERSIONS, { id: this.id, ...range }, { signal }),
    ]);
    const known = new Map(versions.conversation.messages.nodes.map(({ id, siblings }) => [id, siblings]));
    const messages = page.nodes.map((message) => ({
      ...message,
      versions: known.get(message.id)?.map(({ id }) => id) ?? [message.id],
    }));
    return { messages, start: page.pageInfo.startCursor, hasOlder: page.pageInfo.hasPreviousPage };
  }

  #loadedMessages(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.status === "STREAMING") void this.#followText(message);
    }
    if (this.state.value.messages.some(({ versions }) => versions.length > 1)) this.#branches.load();
  }

  /** Follows the text of a message until it ends. */
  async #followText({ id, content }: Message): Promise<void> {
    if (this.#followed.has(id)) return;
    this.#followed.add(id);
    const { signal } = this.#closing;
    try {
      let text = content;
      for await (const chunk of this.#client.messageText(id, { offset: codePointLength(text), signal })) {
        text += chunk.text;
        this.#change(id, { content: text, parts: [{ __typename: "TextPart", text, extra: null }], status: chunk.status });
      }
      // Its parts are known when it has ended.
      const message = await this.#client.message(id, { signal });
      if (message) this.#replace(message);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#followed.delete(id);
    }
  }
}
