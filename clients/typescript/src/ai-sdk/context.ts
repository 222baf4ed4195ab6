import type { ScrollbackClient } from "../client.js";
import { isUuid, uuid5 } from "./ids.js";
import type { FromScrollbackOptions, ToScrollbackOptions } from "./messages.js";

/** What the functions of a chat store share. */
export interface ChatContext extends FromScrollbackOptions, Pick<ToScrollbackOptions, "invalidText"> {
  client: ScrollbackClient;
  /** The user of the client. */
  viewer: () => Promise<string>;
}

/** The id of the conversation for the id of a chat: the same if it is a UUID. Others belong to the user. */
export async function conversationIdOf({ viewer }: ChatContext, chatId: string): Promise<string> {
  return isUuid(chatId) ? chatId : uuid5("chat", await viewer(), chatId);
}

/** Whether an error of the server has a code. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes(String((error as { code?: unknown }).code));
}
