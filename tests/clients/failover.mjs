// Followers behind a proxy, over WebSockets and server-sent events, while servers behind it end.
//
// For each line on its standard input it appends messages, and prints `N received` when all followers have all of them.
// The end of the input is the end.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { createClient as createSseClient } from "graphql-sse";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { Inbox, assertConsecutive, authorization, httpUrl, run, step, wsUrl } from "./common.mjs";

const FOLLOW = `subscription ($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position } }
}`;

const FOLLOWERS = 3;
const APPENDS = 10;

const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

let reconnects = 0;

const retrying = { retryAttempts: Infinity, shouldRetry: () => true };

function webSocketClient() {
  return createClient({
    url: wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: authorization,
    ...retrying,
    retryWait: soon,
    on: { connected: (_socket, _payload, wasRetry) => (reconnects += wasRetry ? 1 : 0) },
  });
}

function eventStreamClient() {
  return createSseClient({
    url: httpUrl,
    headers: authorization,
    ...retrying,
    retry: soon,
    on: { connected: (wasRetry) => (reconnects += wasRetry ? 1 : 0) },
  });
}

/** The messages of a conversation, from a cursor on. */
function follow(client, id, cursor) {
  const inbox = new Inbox();
  // After every reconnect both clients send this object again, with the last cursor that was seen.
  const variables = { id, after: cursor };
  client.subscribe({ query: FOLLOW, variables }, {
    next({ data, errors }) {
      if (errors) return inbox.fail(new Error(JSON.stringify(errors)));
      inbox.push(data.messageAdded.node);
      variables.after = data.messageAdded.cursor;
    },
    error: (error) => inbox.fail(error instanceof Error ? error : new Error(JSON.stringify(error))),
    complete: () => inbox.fail(new Error("the subscription is complete")),
  });
  return inbox;
}

/** The data of an operation, which is repeated until a server answers. Its ids make a repetition harmless. */
async function post(query, variables) {
  for (;;) {
    try {
      const response = await fetch(httpUrl, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...authorization },
        body: JSON.stringify({ query, variables }),
      });
      // The proxy answers with a page if it has no server.
      const { data, errors } = response.ok ? await response.json() : {};
      if (data) return data;
      if (errors) assert.ok(errors[0].extensions.retryable, JSON.stringify(errors));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
    await soon();
  }
}

await run("failover", async () => {
  step("begin");
  const { createConversation } = await post(
    `mutation ($input: CreateConversationInput!) {
      createConversation(input: $input) { conversation { id messages { pageInfo { endCursor } } } }
    }`,
    { input: { id: randomUUID(), messages: [{ role: "SYSTEM", content: "start" }] } },
  );
  const { id, messages } = createConversation.conversation;
  const clients = Array.from({ length: FOLLOWERS }, () => [webSocketClient(), eventStreamClient()]).flat();
  const inboxes = clients.map((client) => follow(client, id, messages.pageInfo.endCursor));

  const sent = [];
  const query = "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id position } } }";
  for await (const _ of createInterface({ input: process.stdin })) {
    for (let number = 0; number < APPENDS; number++) {
      const content = `message ${sent.length + 1}`;
      step(`append ${content}`);
      const input = { id: randomUUID(), conversationId: id, role: "USER", content };
      sent.push((await post(query, { input })).appendMessage.message);
    }
    step(`receive ${sent.length} messages`);
    await Promise.all(inboxes.map((inbox) => inbox.until((items) => items.length >= sent.length)));
    console.log(`${sent.length} received`);
  }

  step("everything arrived once, in order");
  for (const { items } of inboxes) assert.deepEqual(items, sent);
  assertConsecutive(sent);
  assert.ok(reconnects > 0, "no follower was on a server that ended");
  await Promise.all(clients.map((client) => client.dispose()));
});
