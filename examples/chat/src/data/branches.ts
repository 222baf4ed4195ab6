import type { Message, ScrollbackClient } from "scrollback-client";

/** What is known of a message in the tree of its conversation. */
interface Place {
  parentId: string | undefined;
  position: number;
}

/**
 * The tree of a conversation: all messages of all branches. It is read when a conversation turns out to have branches,
 * because the API activates a branch by its last message, and knows no list of the branches.
 */
export class Branches {
  readonly #client: ScrollbackClient;
  readonly #conversationId: string;
  readonly #signal: AbortSignal;
  readonly #places = new Map<string, Place>();
  #reading: Promise<void> | undefined;
  #wake: () => void = () => {};

  constructor(client: ScrollbackClient, conversationId: string, signal: AbortSignal) {
    this.#client = client;
    this.#conversationId = conversationId;
    this.#signal = signal;
  }

  /** Begins to read the tree, unless that was done. */
  load(): void {
    this.#reading ??= this.#read().catch((error: unknown) => {
      this.#reading = undefined;
      if (!this.#signal.aborted) console.error(error);
    });
  }

  add({ id, parent, position }: Message): void {
    this.#places.set(id, { parentId: parent?.id, position });
    this.#wake();
  }

  /** The last message of the newest branch through a message. */
  async leafOf(messageId: string, headId: string | undefined): Promise<string> {
    this.load();
    while (!this.#places.has(messageId) || (headId && !this.#places.has(headId))) {
      this.#signal.throwIfAborted();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    // A child has a higher position than its parent, so one pass finds all descendants.
    const descendants = new Set([messageId]);
    let leaf = messageId;
    const byPosition = [...this.#places].sort(([, one], [, other]) => one.position - other.position);
    for (const [id, { parentId }] of byPosition) {
      if (parentId === undefined || !descendants.has(parentId)) continue;
      descendants.add(id);
      leaf = id;
    }
    return leaf;
  }

  async #read(): Promise<void> {
    const signal = this.#signal;
    const { nodes } = await this.#client.history(this.#conversationId, { first: 1, signal });
    const root = nodes[0] && (await this.#client.message(nodes[0].id, { signal }));
    const oldest = root?.siblings[0]?.id;
    if (oldest === undefined) return;
    // The subscription sends the stored messages of all branches first, and then new ones.
    const { edges } = await this.#client.history(this.#conversationId, { leafId: oldest, first: 1, signal });
    const first = edges[0];
    if (!first) return;
    this.add(first.node);
    for await (const { node } of this.#client.follow(this.#conversationId, { cursor: first.cursor, signal })) {
      this.add(node);
    }
  }
}
