import type { ScrollbackError } from "./errors.js";
import {
  ChangeCursorDocument,
  ChangesDocument,
  EndCursorDocument,
  FirstMessageDocument,
  MessageAddedDocument,
  MessageTextDocument,
} from "./generated/operations.js";
import { request } from "./http.js";
import { type FollowOptions, resume } from "./resume.js";
import type { Session } from "./session.js";
import { codePointLength } from "./text.js";
import type { SubscriptionTransport } from "./transport.js";
import type { Change, MessageEdge, MessageTextChunk } from "./types.js";

/** How to follow a conversation. */
export interface FollowMessagesOptions extends FollowOptions {
  /** The cursor of a message, or `endCursor` of a page. Default: that of the last message of the active branch. */
  cursor?: string | null | undefined;
}

/** How to follow changes. */
export interface FollowChangesOptions extends FollowOptions {
  /** The cursor of a change, or `changeCursor` of a page of conversations. Default: now. */
  cursor?: string | null | undefined;
  /**
   * Is called when the server has deleted the changes after the cursor (`feed.keep`). Read everything again and return
   * the new `changeCursor`: the iteration continues there. Without this function the iteration throws CURSOR_EXPIRED.
   */
  onCursorExpired?: ((error: ScrollbackError) => string | Promise<string>) | undefined;
}

/** How to follow the text of a message. */
export interface FollowTextOptions extends FollowOptions {
  /** The number of code points that are known already. Default: 0. */
  offset?: number | undefined;
}

/** Subscriptions that resume by themselves. */
export class Follower {
  readonly #session: Session;
  readonly #transport: SubscriptionTransport;

  constructor(session: Session, transport: SubscriptionTransport) {
    this.#session = session;
    this.#transport = transport;
  }

  /**
   * The messages of a conversation after a cursor, each once and in order, across lost connections. The iteration ends
   * when the conversation is deleted. Error NOT_FOUND: there was no such conversation from the start.
   */
  async *messages(
    conversationId: string,
    { cursor, ...options }: FollowMessagesOptions = {},
  ): AsyncGenerator<MessageEdge, void, void> {
    let after = cursor ?? (await this.#endCursor(conversationId, options.signal));
    if (!after) {
      // An empty conversation has no cursor: its first message is found in the changes.
      const edge = await this.#firstMessage(conversationId, options);
      if (!edge) return;
      after = edge.cursor;
      yield edge;
    }
    let isKnown = false;
    yield* resume(
      this.#session,
      this.#transport,
      {
        document: MessageAddedDocument,
        variables: () => ({ conversationId, after }),
        event: ({ messageAdded }) => {
          isKnown = true;
          after = messageAdded.cursor;
          return messageAdded;
        },
        recover: async ({ code }) => (code === "NOT_FOUND" && (isKnown || !cursor) ? "end" : "throw"),
      },
      options,
    );
  }

  /** All changes to the data of the user after a cursor, each once and in order, across lost connections. */
  async *changes({ cursor, onCursorExpired, ...options }: FollowChangesOptions = {}): AsyncGenerator<
    Change,
    void,
    void
  > {
    let after = cursor ?? (await this.#changeCursor(options.signal));
    yield* resume(
      this.#session,
      this.#transport,
      {
        document: ChangesDocument,
        variables: () => ({ after }),
        event: ({ changes }) => {
          after = changes.cursor;
          return changes;
        },
        recover: async (error) => {
          if (error.code !== "CURSOR_EXPIRED" || !onCursorExpired) return "throw";
          after = await onCursorExpired(error);
          return "resume";
        },
      },
      options,
    );
  }

  /**
   * The text of a message while it is written, each piece once and in order, across lost connections. The last piece has
   * another status than STREAMING.
   */
  async *text(
    messageId: string,
    { offset = 0, ...options }: FollowTextOptions = {},
  ): AsyncGenerator<MessageTextChunk, void, void> {
    let next = offset;
    let isKnown = false;
    yield* resume(
      this.#session,
      this.#transport,
      {
        document: MessageTextDocument,
        variables: () => ({ messageId, offset: next }),
        event: ({ messageText }) => {
          isKnown = true;
          next = messageText.offset + codePointLength(messageText.text);
          return messageText;
        },
        isLast: ({ status }) => status !== "STREAMING",
        recover: async ({ code }) => (code === "NOT_FOUND" && isKnown ? "end" : "throw"),
      },
      options,
    );
  }

  async #firstMessage(conversationId: string, options: FollowOptions): Promise<MessageEdge | undefined> {
    const cursor = await this.#changeCursor(options.signal);
    // Messages that came before the cursor of the changes.
    const { conversation } = await request(
      this.#session,
      FirstMessageDocument,
      { id: conversationId },
      { signal: options.signal },
    );
    const edge = conversation?.messages.edges[0];
    if (edge) return edge;
    for await (const change of this.changes({ ...options, cursor })) {
      if (change.conversationId !== conversationId) continue;
      if (change.__typename === "ConversationDeleted") return undefined;
      if (change.__typename === "MessageAdded" && change.message && change.messageEdge) {
        return { cursor: change.messageEdge.cursor, node: change.message };
      }
    }
    return undefined;
  }

  async #endCursor(id: string, signal: AbortSignal | undefined): Promise<string | null> {
    const { conversation } = await request(this.#session, EndCursorDocument, { id }, { signal });
    return conversation?.messages.pageInfo.endCursor ?? null;
  }

  async #changeCursor(signal: AbortSignal | undefined): Promise<string> {
    return (await request(this.#session, ChangeCursorDocument, {}, { signal })).conversations.changeCursor;
  }
}
