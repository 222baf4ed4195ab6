// What the tests of the AI SDK's entry share.

import { randomUUID } from "node:crypto";
import { MESSAGE_FIELDS } from "scrollback-client/ai-sdk";
import { post } from "../common.mjs";

export * from "../common.mjs";

/** The id of a chat that does not exist yet. */
export const newChat = () => randomUUID();

/** The messages of the active branch as the API returns them. */
export async function stored(id, fields = "") {
  const query = `query ($id: ID!) {
    conversation(id: $id) { messages(last: 100) { nodes { ${MESSAGE_FIELDS} content siblings { id } ${fields} } } }
  }`;
  return (await post(query, { id })).conversation.messages.nodes;
}
