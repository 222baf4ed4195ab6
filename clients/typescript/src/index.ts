/**
 * Client of Scrollback, a GraphQL server that stores chat.
 *
 * @module
 */

export * from "./client.js";
export * from "./document.js";
export { type ErrorCode, type GraphQLErrorBody, ScrollbackError } from "./errors.js";
export type { FollowChangesOptions, FollowMessagesOptions, FollowTextOptions } from "./follow.js";
export type {
  AppendMessageInput,
  AppendMessagesInput,
  ConversationFilter,
  ConversationOrder,
  CreateConversationInput,
  FeedbackRating,
  FinishMessageInput,
  MarkReadInput,
  MessagePartInput,
  MessageSearchFilter,
  MessageStatus,
  NewMessageInput,
  Role,
  SearchOrder,
  SetMessageFeedbackInput,
  TokenUsageInput,
  ToolState,
  UpdateConversationInput,
  UpdateMessageInput,
} from "./generated/operations.js";
export type { RequestOptions } from "./http.js";
export { newId } from "./ids.js";
export { List, type Page, type PageInfo } from "./list.js";
export { Outbox, type OutboxOptions, createOutbox } from "./outbox.js";
export { indexedDbStorage, memoryStorage, type OutboxEntry, type OutboxStorage, webStorage } from "./outbox-storage.js";
export type { FollowOptions } from "./resume.js";
export type { RetryOptions } from "./retry.js";
export type { ClientOptions, TokenProvider } from "./session.js";
export { type ServerSentEventsOptions, serverSentEvents } from "./sse.js";
export { codePointLength, toStorableText } from "./text.js";
export type * from "./transport.js";
export type * from "./types.js";
export { type FinishOptions, MessageWriter, type StreamInput, type WriterOptions } from "./writer.js";
