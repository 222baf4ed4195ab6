import type {
  ChangesSubscription,
  ConversationFieldsFragment,
  ConversationsQuery,
  ConversationsQueryVariables,
  MessageAddedSubscription,
  MessageFieldsFragment,
  MessageQuery,
  MessageTextSubscription,
  MessagesQuery,
  MessagesQueryVariables,
  PartFieldsFragment,
  SearchMessagesQuery,
  SearchMessagesQueryVariables,
} from "./generated/operations.js";
import type { Page } from "./list.js";

/** A conversation. */
export type Conversation = ConversationFieldsFragment;
/** A message. */
export type Message = MessageFieldsFragment;
/** A part of a message. */
export type MessagePart = PartFieldsFragment;
/** A message and its cursor. */
export type MessageEdge = MessageAddedSubscription["messageAdded"];
/** A change of the feed. */
export type Change = ChangesSubscription["changes"];
/** A piece of the text of a message. */
export type MessageTextChunk = MessageTextSubscription["messageText"];

/** A page of conversations. */
export type ConversationPage = Page<Conversation, ConversationsQuery["conversations"]["edges"][number]> & {
  /** The cursor from which `changes` continues after this page. */
  changeCursor: string;
  /** Whether conversations may be missing because the index for `filter.query` is being made. */
  indexing: boolean;
};
/** Which conversations to read, and in which order. */
export type ConversationsOptions = Pick<ConversationsQueryVariables, "first" | "filter" | "orderBy">;

/** A page of messages, oldest first. */
export type MessagePage = Page<Message, NonNullable<MessagesQuery["conversation"]>["messages"]["edges"][number]>;
/** Which messages to read. */
export type HistoryOptions = Omit<MessagesQueryVariables, "id">;

/** A found message, its snippet and its cursor. */
export type SearchEdge = SearchMessagesQuery["searchMessages"]["edges"][number];
/** A page of found messages. */
export type SearchPage = Page<SearchEdge["node"], SearchEdge> & {
  /** Whether messages may be missing because the index is being made. */
  indexing: boolean;
};
/** Where and how to search. */
export type SearchOptions = Pick<SearchMessagesQueryVariables, "first" | "filter" | "orderBy">;

/** A message with its conversation, and all versions with the same parent. */
export type MessageWithSiblings = Extract<MessageQuery["node"], { content: string }>;
