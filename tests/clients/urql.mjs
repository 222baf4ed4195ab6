// urql: @urql/core over HTTP, subscriptions over graphql-ws.

import assert from "node:assert/strict";
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { assertConsecutive, authorization, httpUrl, Inbox, nowhere, run, step, untilLive, wsUrl } from "./common.mjs";

const CREATE = gql`
  mutation Create($input: CreateConversationInput!) {
    createConversation(input: $input) { conversation { id title messageCount } }
  }
`;
const APPEND = gql`
  mutation Append($input: AppendMessageInput!) {
    appendMessage(input: $input) { message { id position role content } }
  }
`;
const FOLLOW = gql`
  subscription Follow($id: ID!) {
    messageAdded(conversationId: $id) { cursor node { id position role content } }
  }
`;
const HISTORY = gql`
  query History($id: ID!, $first: Int, $after: String) {
    conversation(id: $id) {
      messages(first: $first, after: $after) {
        edges { cursor node { id position role content } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`;

const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: authorization });
const client = new Client({
  url: httpUrl,
  preferGetMethod: false,
  fetchOptions: { headers: authorization },
  // urql aborts every request once it has the answer. The fetch of Node.js 20 then sometimes rejects a
  // promise that nobody holds, which ends the process.
  fetch: (input, { signal, ...init }) => fetch(input, init),
  requestPolicy: "network-only",
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = "", variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

async function data(result) {
  const { data, error } = await result.toPromise();
  if (error) throw error;
  return data;
}

/** A message as every operation here selects it, without urql's additions. */
const plain = ({ id, position, role, content }) => ({ id, position, role, content });

async function append(id, content) {
  const input = { conversationId: id, role: "USER", content };
  return plain((await data(client.mutation(APPEND, { input }))).appendMessage.message);
}

function follow(id) {
  const inbox = new Inbox();
  const { unsubscribe } = client.subscription(FOLLOW, { id }).subscribe(({ data, error }) => {
    if (error) inbox.fail(error);
    else inbox.push({ cursor: data.messageAdded.cursor, node: plain(data.messageAdded.node) });
  });
  return { inbox, unsubscribe };
}

async function history(id, first) {
  const edges = [];
  for (let after = null; ; ) {
    const page = (await data(client.query(HISTORY, { id, first, after }))).conversation.messages;
    assert.ok(page.edges.length <= first, "a page is no longer than was asked for");
    edges.push(...page.edges.map(({ cursor, node }) => ({ cursor, node: plain(node) })));
    if (!page.pageInfo.hasNextPage) return edges;
    after = page.pageInfo.endCursor;
  }
}

await run("urql", async () => {
  step("create a conversation");
  const input = { title: "urql", messages: [{ role: "SYSTEM", content: "Be brief" }] };
  const { conversation } = (await data(client.mutation(CREATE, { input }))).createConversation;
  assert.equal(conversation.title, "urql");
  assert.equal(conversation.messageCount, 1);

  step("subscribe");
  const { inbox, unsubscribe } = follow(conversation.id);
  await untilLive(inbox, (content) => append(conversation.id, content));

  step("receive what is appended, in order");
  const sent = [];
  for (const content of ["one", "two", "three – 三 🙂"]) sent.push(await append(conversation.id, content));
  const received = await inbox.until((items) => items.some(({ node }) => node.position === sent[2].position));
  assertConsecutive(received.map(({ node }) => node));
  assert.deepEqual(received.slice(-3).map(({ node }) => node), sent);

  step("read the history back, page by page");
  const edges = await history(conversation.id, 2);
  assertConsecutive(edges.map(({ node }) => node));
  assert.equal(edges[0].node.content, "Be brief");
  assert.deepEqual(edges.slice(-received.length), received, "history and subscription agree, cursors too");

  step("an unknown conversation");
  const { error } = await client.query(HISTORY, { id: nowhere, first: 1 }).toPromise();
  assert.equal(error?.graphQLErrors[0]?.extensions.code, "NOT_FOUND");

  unsubscribe();
  await socket.dispose();
});
