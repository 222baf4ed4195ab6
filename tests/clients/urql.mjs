// urql: @urql/core over HTTP, subscriptions over graphql-ws.

import assert from "node:assert/strict";
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { assertConsecutive, authorization, httpUrl, Inbox, nowhere, run, step, untilLive, wsUrl } from "./common.mjs";
import { APPEND, CREATE, FOLLOW, plain, plainEdge, receiveInOrder } from "./operations.mjs";

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

async function append(id, content) {
  const input = { conversationId: id, role: "USER", content };
  return plain((await data(client.mutation(gql(APPEND), { input }))).appendMessage.message);
}

function follow(id) {
  const inbox = new Inbox();
  const { unsubscribe } = client.subscription(gql(FOLLOW), { id }).subscribe(({ data, error }) => {
    if (error) inbox.fail(error);
    else inbox.push(plainEdge(data.messageAdded));
  });
  return { inbox, unsubscribe };
}

async function history(id, first) {
  const edges = [];
  for (let after = null; ; ) {
    const page = (await data(client.query(HISTORY, { id, first, after }))).conversation.messages;
    assert.ok(page.edges.length <= first, "a page is no longer than was asked for");
    edges.push(...page.edges.map(plainEdge));
    if (!page.pageInfo.hasNextPage) return edges;
    after = page.pageInfo.endCursor;
  }
}

await run("urql", async () => {
  step("create a conversation");
  const input = { title: "urql", messages: [{ role: "SYSTEM", content: "Be brief" }] };
  const { conversation } = (await data(client.mutation(gql(CREATE), { input }))).createConversation;
  assert.equal(conversation.title, "urql");
  assert.equal(conversation.messageCount, 1);

  step("subscribe");
  const { inbox, unsubscribe } = follow(conversation.id);
  await untilLive(inbox, (content) => append(conversation.id, content));

  step("receive what is appended, in order");
  const received = await receiveInOrder(inbox, (content) => append(conversation.id, content));

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
