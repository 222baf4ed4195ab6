import type { Change, Conversation, ConversationFilter, ScrollbackClient } from "scrollback-client";
import { Store } from "./store.js";

/** Which conversations the sidebar shows. */
export type View = "chats" | "archive" | "trash";

export interface ListState {
  view: View;
  /** Only conversations with this label. */
  label: string | undefined;
  pinned: readonly Conversation[];
  others: readonly Conversation[];
  labels: readonly { label: string; conversationCount: number }[];
  hasMore: boolean;
  isLoading: boolean;
  error: string | undefined;
}

const PAGE = 30;
const LABELS = "{ labels { label conversationCount } }";
type Labels = { labels: ListState["labels"] };

/** The list of conversations. */
export class ConversationList {
  readonly state = new Store<ListState>({
    view: "chats",
    label: undefined,
    pinned: [],
    others: [],
    labels: [],
    hasMore: false,
    isLoading: true,
    error: undefined,
  });
  readonly #client: ScrollbackClient;
  #end: string | null = null;
  #attempt = 0;
  #isOutdated = false;
  readonly #refreshing = new Map<string, Promise<void>>();

  constructor(client: ScrollbackClient) {
    this.#client = client;
  }

  /** Shows another view. */
  async show(view: View, label?: string): Promise<void> {
    this.state.update({ view, label, pinned: [], others: [], hasMore: false, isLoading: true });
    await this.load().catch(() => {});
  }

  /** Reads the first page, and returns the cursor from which changes follow. */
  async load(): Promise<string> {
    const attempt = ++this.#attempt;
    this.#isOutdated = false;
    this.state.update({ isLoading: true, error: undefined });
    try {
      const filter = this.#filter();
      // The cursor must be the older one: a change that is seen twice does no harm.
      const pinned = await this.#client.conversations({ first: 100, filter: { ...filter, pinned: true } }).page();
      const [others, { labels }] = await Promise.all([
        this.#client.conversations({ first: PAGE, filter: { ...filter, pinned: false } }).page(),
        this.#client.query<Labels>(LABELS),
      ]);
      if (attempt === this.#attempt) {
        this.#end = others.pageInfo.endCursor;
        const { hasNextPage } = others.pageInfo;
        this.#set(pinned.nodes, others.nodes);
        this.state.update({ labels, hasMore: hasNextPage, isLoading: false });
      }
      // A change came while the pages were read, and they may be older.
      if (attempt === this.#attempt && this.#isOutdated) await this.load();
      return pinned.changeCursor;
    } catch (error) {
      if (attempt === this.#attempt) {
        this.state.update({ isLoading: false, error: error instanceof Error ? error.message : String(error) });
      }
      throw error;
    }
  }

  /** Reads the next page. */
  async loadMore(): Promise<void> {
    const { hasMore, isLoading } = this.state.value;
    if (!hasMore || isLoading) return;
    const attempt = this.#attempt;
    this.state.update({ isLoading: true });
    try {
      const filter = { ...this.#filter(), pinned: false };
      const page = await this.#client.conversations({ first: PAGE, filter }).page(this.#end);
      if (attempt !== this.#attempt) return;
      this.#end = page.pageInfo.endCursor;
      const { pinned, others } = this.state.value;
      this.#set(pinned, [...others, ...page.nodes]);
      this.state.update({ hasMore: page.pageInfo.hasNextPage, isLoading: false });
    } catch (error) {
      this.state.update({ isLoading: false, error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Keeps the list current. */
  apply(change: Change): void {
    switch (change.__typename) {
      case "ConversationCreated":
      case "ConversationUpdated":
        if (change.conversation) this.put(change.conversation);
        else this.#remove(change.conversationId);
        void this.#loadLabels(change.conversation);
        break;
      case "ConversationDeleted":
        this.#remove(change.conversationId);
        break;
      case "MessageUpdated":
        break;
      default:
        // Its place and its unread messages have changed.
        this.#refresh(change.conversationId);
    }
  }

  /** Shows a conversation as it is now, where it belongs. */
  put(conversation: Conversation): void {
    this.#isOutdated = true;
    const { pinned, others } = this.state.value;
    const without = (all: readonly Conversation[]) => all.filter(({ id }) => id !== conversation.id);
    if (!this.#belongs(conversation)) return this.#set(without(pinned), without(others));
    const isPinned = conversation.pinnedAt !== null;
    this.#set(
      isPinned ? [...without(pinned), conversation] : without(pinned),
      isPinned ? without(others) : [...without(others), conversation],
    );
  }

  #refresh(id: string): void {
    // One request at a time for each conversation, and one more if something happened meanwhile.
    const previous = this.#refreshing.get(id) ?? Promise.resolve();
    const refresh = previous
      .then(async () => {
        if (this.#refreshing.get(id) !== refresh) return;
        this.put(await this.#client.conversation(id));
      })
      .catch(() => {})
      .finally(() => {
        if (this.#refreshing.get(id) === refresh) this.#refreshing.delete(id);
      });
    this.#refreshing.set(id, refresh);
  }

  async #loadLabels(conversation: Conversation | null): Promise<void> {
    const { labels } = this.state.value;
    const known = labels.map(({ label }) => label.toLowerCase());
    const isKnown = conversation?.labels.every((label) => known.includes(label.toLowerCase()));
    if (isKnown && !labels.length) return;
    const result = await this.#client.query<Labels>(LABELS).catch(() => undefined);
    if (result) this.state.update({ labels: result.labels });
  }

  #filter(): ConversationFilter {
    const { view, label } = this.state.value;
    return { archived: view === "archive" ? true : view === "trash" ? null : false, trashed: view === "trash", label };
  }

  #belongs({ archivedAt, trashedAt, labels }: Conversation): boolean {
    const { view, label } = this.state.value;
    if (label !== undefined && !labels.some((one) => one.toLowerCase() === label.toLowerCase())) return false;
    if (view === "trash") return trashedAt !== null;
    return trashedAt === null && (archivedAt !== null) === (view === "archive");
  }

  #remove(id: string): void {
    const { pinned, others } = this.state.value;
    this.#set(
      pinned.filter((one) => one.id !== id),
      others.filter((one) => one.id !== id),
    );
  }

  #set(pinned: readonly Conversation[], others: readonly Conversation[]): void {
    const byActivity = (one: Conversation, other: Conversation) => (one.updatedAt < other.updatedAt ? 1 : -1);
    this.state.update({ pinned: pinned.toSorted(byActivity), others: others.toSorted(byActivity) });
  }
}
