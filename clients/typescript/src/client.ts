import type { TypedDocument } from "./document.js";
import { type FollowChangesOptions, type FollowMessagesOptions, type FollowTextOptions, Follower } from "./follow.js";
import {
  AppendMessageDocument,
  type AppendMessageInput,
  AppendMessagesDocument,
  type AppendMessagesInput,
  ClearConversationDocument,
  ConversationDocument,
  ConversationsDocument,
  CreateConversationDocument,
  type CreateConversationInput,
  DeleteConversationDocument,
  DeleteMessageDocument,
  MarkReadDocument,
  type MarkReadInput,
  MessageDocument,
  MessagesDocument,
  RestoreConversationDocument,
  SearchMessagesDocument,
  SetMessageFeedbackDocument,
  type SetMessageFeedbackInput,
  StopMessageDocument,
  SwitchBranchDocument,
  TrashConversationDocument,
  UpdateConversationDocument,
  type UpdateConversationInput,
  UpdateMessageDocument,
  type UpdateMessageInput,
} from "./generated/operations.js";
import { type RequestOptions, hasMutation, request } from "./http.js";
import { newId } from "./ids.js";
import { List, toPage } from "./list.js";
import { type ClientOptions, Session } from "./session.js";
import { serverSentEvents } from "./sse.js";
import type { SubscriptionTransport } from "./transport.js";
import type {
  Change,
  Conversation,
  ConversationPage,
  ConversationsOptions,
  HistoryOptions,
  Message,
  MessageEdge,
  MessagePage,
  MessageTextChunk,
  MessageWithSiblings,
  SearchOptions,
  SearchPage,
} from "./types.js";
import { MessageWriter, type StreamInput, type WriterOptions } from "./writer.js";

/** Creates a client for one user. */
export function createClient(options: ClientOptions): ScrollbackClient {
  return new ScrollbackClient(options);
}

/**
 * A client for one user. Requests are retried with backoff; retries change nothing, because every object is created with
 * an id that the client chose. All errors are `ScrollbackError`s, except the reason of a signal that aborts.
 */
export class ScrollbackClient {
  readonly #session: Session;
  readonly #transport: SubscriptionTransport;
  readonly #follower: Follower;

  constructor(options: ClientOptions) {
    this.#session = new Session(options);
    this.#transport = options.subscriptions ?? serverSentEvents();
    this.#follower = new Follower(this.#session, this.#transport);
  }

  /**
   * Executes a query or a mutation of your own and returns its data. Mutations are not sent a second time unless
   * `idempotent` is set: set it if everything that they create has an id.
   */
  query<R = unknown, V extends object = Record<string, unknown>>(
    document: TypedDocument<R, V> | string,
    variables?: V,
    options: RequestOptions = {},
  ): Promise<R> {
    const idempotent = options.idempotent ?? !hasMutation(document.toString());
    return this.#request(document as TypedDocument<R, V>, (variables ?? {}) as V, { ...options, idempotent });
  }

  /** The conversations, most recently active first unless ordered otherwise. */
  conversations(options: ConversationsOptions & RequestOptions = {}): List<Conversation, ConversationPage> {
    const { signal, attempts, ...variables } = options;
    return new List(async (after) => {
      const data = await this.#request(ConversationsDocument, { ...variables, after }, { signal, attempts });
      return toPage(data.conversations);
    });
  }

  /** A conversation. Error NOT_FOUND: the user has none with this id. */
  async conversation(id: string, options?: RequestOptions): Promise<Conversation> {
    return (await this.#request(ConversationDocument, { id }, options)).conversation as Conversation;
  }

  /** Creates a conversation, with its first messages if given. */
  async createConversation(input: CreateConversationInput = {}, options?: RequestOptions): Promise<Conversation> {
    const variables = { input: { ...input, id: input.id ?? newId() } };
    return (await this.#request(CreateConversationDocument, variables, options)).createConversation.conversation;
  }

  /** Changes the given fields of a conversation. */
  async updateConversation(input: UpdateConversationInput, options?: RequestOptions): Promise<Conversation> {
    return (await this.#request(UpdateConversationDocument, { input }, options)).updateConversation.conversation;
  }

  /** Deletes a conversation and its messages for good. */
  async deleteConversation(id: string, options?: RequestOptions): Promise<void> {
    await this.#request(DeleteConversationDocument, { input: { id } }, options);
  }

  /** Deletes the content of all messages of a conversation, and keeps the conversation. */
  async clearConversation(id: string, options?: RequestOptions): Promise<Conversation> {
    const data = await this.#request(ClearConversationDocument, { input: { id } }, options);
    return data.clearConversation.conversation;
  }

  /** Moves a conversation to the trash. */
  async trashConversation(id: string, options?: RequestOptions): Promise<Conversation> {
    const data = await this.#request(TrashConversationDocument, { input: { id } }, options);
    return data.trashConversation.conversation;
  }

  /** Takes a conversation out of the trash. */
  async restoreConversation(id: string, options?: RequestOptions): Promise<Conversation> {
    const data = await this.#request(RestoreConversationDocument, { input: { id } }, options);
    return data.restoreConversation.conversation;
  }

  /** Marks the messages up to a position as read. */
  async markRead(input: MarkReadInput, options?: RequestOptions): Promise<Conversation> {
    return (await this.#request(MarkReadDocument, { input }, options)).markRead.conversation;
  }

  /** Activates the branch that ends in a message. */
  async switchBranch(conversationId: string, leafId: string, options?: RequestOptions): Promise<Conversation> {
    const data = await this.#request(SwitchBranchDocument, { input: { conversationId, leafId } }, options);
    return data.switchBranch.conversation;
  }

  /** A page of a conversation's messages, oldest first. Without options: the last 50 of the active branch. */
  async history(
    conversationId: string,
    { signal, attempts, ...variables }: HistoryOptions & RequestOptions = {},
  ): Promise<MessagePage> {
    const all = { ...variables, id: conversationId };
    const { conversation } = await this.#request(MessagesDocument, all, { signal, attempts });
    return toPage((conversation as NonNullable<typeof conversation>).messages);
  }

  /** All messages of a branch, from the first. `first` is the size of the pages. */
  messages(
    conversationId: string,
    { first = 100, ...options }: Pick<HistoryOptions, "first" | "leafId" | "includeDeleted"> & RequestOptions = {},
  ): List<Message, MessagePage> {
    return new List((after) => this.history(conversationId, { first, ...options, after }));
  }

  /** A message with its conversation and its siblings. Null: the user has none with this id. */
  async message(id: string, options?: RequestOptions): Promise<MessageWithSiblings | null> {
    const { node } = await this.#request(MessageDocument, { id }, options);
    return node && "content" in node ? (node as MessageWithSiblings) : null;
  }

  /** The messages that have all words of a query. The edges of the pages have snippets. */
  search(query: string, options: SearchOptions & RequestOptions = {}): List<SearchPage["nodes"][number], SearchPage> {
    const { signal, attempts, ...variables } = options;
    return new List(async (after) => {
      const all = { ...variables, query, after };
      return toPage((await this.#request(SearchMessagesDocument, all, { signal, attempts })).searchMessages);
    });
  }

  /** Appends a message, and returns it with its cursor. */
  async append(input: AppendMessageInput, options?: RequestOptions): Promise<Message & { cursor: string }> {
    const variables = { input: { ...input, id: input.id ?? newId() } };
    const { messageEdge } = (await this.#request(AppendMessageDocument, variables, options)).appendMessage;
    return { ...messageEdge.node, cursor: messageEdge.cursor };
  }

  /** Appends up to 100 messages at once, each after the one before. */
  async appendAll(input: AppendMessagesInput, options?: RequestOptions): Promise<Message[]> {
    const messages = input.messages.map((message) => ({ ...message, id: message.id ?? newId() }));
    const variables = { input: { ...input, messages } };
    return (await this.#request(AppendMessagesDocument, variables, options)).appendMessages.messages;
  }

  /** Changes the given fields of a message. */
  async updateMessage(input: UpdateMessageInput, options?: RequestOptions): Promise<Message> {
    return (await this.#request(UpdateMessageDocument, { input }, options)).updateMessage.message;
  }

  /**
   * Deletes the content of a message. Its position is kept. `wasDeleted` says that it had been deleted before, perhaps by
   * an attempt of this call whose response was lost.
   */
  async deleteMessage(id: string, options?: RequestOptions): Promise<Message & { wasDeleted: boolean }> {
    const { message, wasDeleted } = (await this.#request(DeleteMessageDocument, { input: { id } }, options)).deleteMessage;
    return { ...message, wasDeleted };
  }

  /** Sets what the user thinks of a message. */
  async setMessageFeedback(input: SetMessageFeedbackInput, options?: RequestOptions): Promise<Message> {
    return (await this.#request(SetMessageFeedbackDocument, { input }, options)).setMessageFeedback.message;
  }

  /** Begins a message that is written piece by piece. */
  stream(input: StreamInput, options?: WriterOptions): MessageWriter {
    return new MessageWriter(this.#session, input, options);
  }

  /** Asks the writer of a streaming message to stop. */
  async stopMessage(messageId: string, options?: RequestOptions): Promise<Message> {
    return (await this.#request(StopMessageDocument, { input: { messageId } }, options)).stopMessage.message;
  }

  /** See `Follower.messages`. */
  follow(conversationId: string, options?: FollowMessagesOptions): AsyncGenerator<MessageEdge, void, void> {
    return this.#follower.messages(conversationId, options);
  }

  /** See `Follower.changes`. */
  changes(options?: FollowChangesOptions): AsyncGenerator<Change, void, void> {
    return this.#follower.changes(options);
  }

  /** See `Follower.text`. */
  messageText(messageId: string, options?: FollowTextOptions): AsyncGenerator<MessageTextChunk, void, void> {
    return this.#follower.text(messageId, options);
  }

  /** Closes the connection that subscriptions share. End the subscriptions first, with their signals. */
  close(): void {
    this.#transport.close?.(this.#session);
  }

  #request<R, V>(document: TypedDocument<R, V>, variables: V, options?: RequestOptions): Promise<R> {
    return request(this.#session, document, variables, options);
  }
}
