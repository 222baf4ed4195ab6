// Apollo Client: HttpLink, GraphQLWsLink, and the normalised cache with Relay-style pages.

import assert from "node:assert/strict";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { createClient } from "graphql-ws";
import { filter, firstValueFrom } from "rxjs";
import WebSocket from "ws";
import { assertConsecutive, authorization, httpUrl, Inbox, nowhere, run, step, untilLive, wsUrl } from "./common.mjs";
import { APPEND, CREATE, FOLLOW, plain, plainEdge, receiveInOrder } from "./operations.mjs";

const LATEST = gql`
  query Latest($id: ID!, $last: Int, $before: String) {
    conversation(id: $id) {
      id
      messages(last: $last, before: $before) {
        edges { cursor node { id position role content } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`;

const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: authorization });
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink(socket),
    new HttpLink({ uri: httpUrl, headers: authorization }),
  ),
  cache: new InMemoryCache({
    typePolicies: { Conversation: { fields: { messages: relayStylePagination() } } },
  }),
});

async function append(id, content) {
  const input = { conversationId: id, role: "USER", content };
  const { data } = await client.mutate({ mutation: gql(APPEND), variables: { input } });
  return plain(data.appendMessage.message);
}

function follow(id) {
  const inbox = new Inbox();
  const subscription = client.subscribe({ query: gql(FOLLOW), variables: { id } }).subscribe({
    next: ({ data, error }) => {
      if (error) inbox.fail(error);
      else inbox.push(plainEdge(data.messageAdded));
    },
    error: (error) => inbox.fail(error),
  });
  return { inbox, subscription };
}

/** The messages that the view shows once it is not loading. */
async function settled(view) {
  const { data, error } = await firstValueFrom(view.pipe(filter(({ loading }) => !loading)));
  if (error) throw error;
  return data.conversation.messages;
}

/** Reads the newest page, then fetches more before it until there is none: what a chat view does. */
async function scrollBack(id, last) {
  const view = client.watchQuery({ query: LATEST, variables: { id, last } });
  const shown = view.subscribe({});
  let messages = await settled(view);
  assert.equal(messages.edges.length, last);
  while (messages.pageInfo.hasPreviousPage) {
    const before = messages.pageInfo.startCursor;
    await view.fetchMore({ variables: { last, before } });
    const merged = await settled(view);
    assert.ok(merged.edges.length > messages.edges.length, "another page was put before the ones there");
    messages = merged;
  }
  shown.unsubscribe();
  return messages.edges.map(plainEdge);
}

await run("apollo", async () => {
  step("create a conversation");
  const input = { title: "apollo", messages: [{ role: "SYSTEM", content: "Be brief" }] };
  const created = await client.mutate({ mutation: gql(CREATE), variables: { input } });
  const { conversation } = created.data.createConversation;
  assert.equal(conversation.title, "apollo");
  assert.equal(conversation.messageCount, 1);

  step("subscribe");
  const { inbox, subscription } = follow(conversation.id);
  await untilLive(inbox, (content) => append(conversation.id, content));

  step("receive what is appended, in order");
  const received = await receiveInOrder(inbox, (content) => append(conversation.id, content));

  step("scroll back through the history in the cache");
  const edges = await scrollBack(conversation.id, 2);
  assertConsecutive(edges.map(({ node }) => node));
  assert.equal(edges[0].node.position, 1);
  assert.equal(edges[0].node.content, "Be brief");
  assert.deepEqual(edges.slice(-received.length), received, "history and subscription agree, cursors too");

  step("an unknown conversation");
  const fault = await client.query({ query: LATEST, variables: { id: nowhere } }).then(assert.fail, (error) => error);
  assert.ok(CombinedGraphQLErrors.is(fault), `not an error of the API: ${fault}`);
  assert.equal(fault.errors[0].extensions.code, "NOT_FOUND");

  subscription.unsubscribe();
  await socket.dispose();
});
