// What scripts of different libraries ask alike, and what must come of it.

import assert from "node:assert/strict";
import { assertConsecutive } from "./common.mjs";

export const CREATE = `
  mutation Create($input: CreateConversationInput!) {
    createConversation(input: $input) { conversation { id title messageCount } }
  }
`;
export const APPEND = `
  mutation Append($input: AppendMessageInput!) {
    appendMessage(input: $input) { message { id position role content } }
  }
`;
export const FOLLOW = `
  subscription Follow($id: ID!) {
    messageAdded(conversationId: $id) { cursor node { id position role content } }
  }
`;

/** A message as every operation here selects it, without the library's additions. */
export const plain = ({ id, position, role, content }) => ({ id, position, role, content });

/** A message and its cursor, without the library's additions. */
export const plainEdge = ({ cursor, node }) => ({ cursor, node: plain(node) });

/** Everything that has arrived once some messages were appended: they are the last of it, in order. */
export async function receiveInOrder(inbox, append) {
  const sent = [];
  for (const content of ["one", "two", "three – 三 🙂"]) sent.push(await append(content));
  const received = await inbox.until((items) => items.some(({ node }) => node.position === sent[2].position));
  assertConsecutive(received.map(({ node }) => node));
  assert.deepEqual(received.slice(-3).map(({ node }) => node), sent);
  return received;
}
