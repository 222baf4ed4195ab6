import type { ScrollbackClient } from "../client.js";
import type { FromScrollbackOptions, ToScrollbackOptions } from "./messages.js";

/** What the functions of a chat store share. */
export interface ChatContext extends FromScrollbackOptions, Pick<ToScrollbackOptions, "invalidText"> {
  client: ScrollbackClient;
}

/** Whether an error of the server has a code. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes(String((error as { code?: unknown }).code));
}
