import type { Conversation, ScrollbackClient } from "scrollback-client";

/** How far the user has read in each conversation. */
export class Reading {
  /** The last request of each conversation. They are sent one after the other, because the last one counts. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(readonly client: ScrollbackClient) {}

  /** Marks the messages up to a position as read. */
  markRead(conversationId: string, position: number): Promise<Conversation> {
    return this.#next(conversationId, () => this.client.markRead({ conversationId, position }));
  }

  /** Marks the newest message that is not the user's as unread. */
  markUnread(conversationId: string): Promise<Conversation> {
    return this.#next(conversationId, async () => {
      const { nodes } = await this.client.history(conversationId, { includeDeleted: false });
      const newest = nodes.findLast(({ role }) => role !== "USER");
      const position = Math.max(0, (newest?.position ?? 0) - 1);
      return this.client.markRead({ conversationId, position, backward: true });
    });
  }

  #next<T>(conversationId: string, request: () => Promise<T>): Promise<T> {
    const previous = this.#last.get(conversationId) ?? Promise.resolve();
    const next = previous.then(request, request);
    this.#last.set(conversationId, next);
    return next;
  }
}
