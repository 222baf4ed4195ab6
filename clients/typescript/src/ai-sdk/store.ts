import type { UIMessage, UIMessageChunk } from "ai";
import type { ScrollbackClient } from "../client.js";
import type { CreateConversationInput } from "../generated/operations.js";
import { newId } from "../ids.js";
import { conversationIdOf } from "./context.js";
import { stopStream } from "./active.js";
import { type ResumableStreamOptions, resumableStream } from "./answer.js";
import { loadMessages } from "./load.js";
import type { FromScrollbackOptions, ToScrollbackOptions } from "./messages.js";
import { type ChatRequest, receiveMessages } from "./receive.js";
import { resumeStream } from "./resume.js";
import { saveMessages } from "./save.js";

/** Options of a store. */
export interface ChatStoreOptions extends FromScrollbackOptions, Pick<ToScrollbackOptions, "invalidText"> {}

/** The chats of one user, for the Vercel AI SDK. Ids of chats may be any text. */
export interface ChatStore<MESSAGE extends UIMessage = UIMessage> {
  /** Creates a chat, and returns its id. */
  createChat(input?: CreateConversationInput): Promise<string>;
  /** All messages of a chat, oldest first: of the active branch, or of the one that ends in a message. */
  loadMessages(chatId: string, leafId?: string): Promise<MESSAGE[]>;
  /**
   * Stores what is new in the messages of a chat: new messages, edited questions as branches, changed answers. The chat
   * is created if there is none. A repetition changes nothing.
   */
  saveMessages(chat: { chatId: string; messages: MESSAGE[] }): Promise<void>;
  /**
   * Takes a request of `useChat`, stores its new messages, and returns all messages of the chat for the model. The body
   * has all messages or only the last one, as `message`.
   */
  receiveMessages(body: ChatRequest<MESSAGE>): Promise<MESSAGE[]>;
  /** The stream of an answer, which is stored while it is sent, can be resumed, and can be stopped from anywhere. */
  resumableStream(options: ResumableStreamOptions<MESSAGE>): Promise<ReadableStream<UIMessageChunk>>;
  /** The stream of the answer that is being written, from its beginning. Null if there is none. */
  resumeStream(chatId: string): Promise<ReadableStream<UIMessageChunk> | null>;
  /** Stops the answer that is being written, on whichever server. Returns whether there was one. */
  stopStream(chatId: string): Promise<boolean>;
}

/** Creates a store of the chats of a client's user. */
export function createChatStore<MESSAGE extends UIMessage = UIMessage>(
  client: ScrollbackClient,
  options: ChatStoreOptions = {},
): ChatStore<MESSAGE> {
  let viewer: Promise<string> | undefined;
  const readViewer = async () => (await client.query<{ viewer: { id: string } }>("{ viewer { id } }")).viewer.id;
  const forget = (error: unknown) => {
    viewer = undefined;
    throw error;
  };
  const context = { client, ...options, viewer: () => (viewer ??= readViewer().catch(forget)) };
  return {
    async createChat(input = {}) {
      return (await client.createConversation({ ...input, id: input.id ?? newId() })).id;
    },
    loadMessages: (chatId, leafId) => loadMessages<MESSAGE>(context, chatId, leafId),
    async saveMessages({ chatId, messages }) {
      await saveMessages(context, await conversationIdOf(context, chatId), messages);
    },
    receiveMessages: (body) => receiveMessages<MESSAGE>(context, body),
    resumableStream: (answer) => resumableStream(context, answer),
    resumeStream: (chatId) => resumeStream(context, chatId),
    stopStream: (chatId) => stopStream(context, chatId),
  };
}
