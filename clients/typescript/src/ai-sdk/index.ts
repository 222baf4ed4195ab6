/**
 * Chats of the Vercel AI SDK in Scrollback: messages without loss, and answers that survive a reload.
 *
 * @module
 */

export type { ResumableStreamOptions } from "./answer.js";
export {
  type FromScrollbackOptions,
  MESSAGE_FIELDS,
  type MessageInput,
  type StoredMessage,
  type ToScrollbackOptions,
  type UIMessageLike,
  fromScrollback,
  toScrollback,
} from "./messages.js";
export type { PartInput, StoredPart } from "./parts.js";
export type { ChatRequest } from "./receive.js";
export { type ChatStore, type ChatStoreOptions, createChatStore } from "./store.js";
export { type InvalidText, InvalidTextError } from "./text.js";
