// A chat with Relay's store: both connections are paged both ways, and mutations and subscriptions change them.

import {
  commitMutation,
  ConnectionHandler,
  createOperationDescriptor,
  type Environment,
  fetchQuery,
  getRequest,
  type GraphQLTaggedNode,
  type MutationParameters,
  type OperationType,
  requestSubscription,
} from "relay-runtime";
import AddedSubscription, { type chatAddedSubscription } from "./__generated__/chatAddedSubscription.graphql";
import AppendMutation, { type chatAppendMutation } from "./__generated__/chatAppendMutation.graphql";
import ChangesSubscription, { type chatChangesSubscription } from "./__generated__/chatChangesSubscription.graphql";
import ConversationsQuery, { type chatConversationsQuery } from "./__generated__/chatConversationsQuery.graphql";
import CreateMutation, { type chatCreateMutation } from "./__generated__/chatCreateMutation.graphql";
import DeleteMutation, { type chatDeleteMutation } from "./__generated__/chatDeleteMutation.graphql";
import MessagesQuery, { type chatMessagesQuery } from "./__generated__/chatMessagesQuery.graphql";
import TurnMutation, { type chatTurnMutation } from "./__generated__/chatTurnMutation.graphql";
import { createEnvironment, type Server } from "./network";

type Conversations = chatConversationsQuery["response"]["conversations"];
type Messages = NonNullable<chatMessagesQuery["response"]["conversation"]>["messages"];

interface Test extends Server {
  step(description: string): void;
  equal(actual: unknown, expected: unknown): void;
}

function mutate<M extends MutationParameters>(
  environment: Environment,
  mutation: GraphQLTaggedNode,
  variables: M["variables"],
): Promise<M["response"]> {
  return new Promise((resolve, reject) => {
    commitMutation<M>(environment, {
      mutation,
      variables,
      onCompleted: (response, errors) => (errors?.length ? reject(new Error(JSON.stringify(errors))) : resolve(response)),
      onError: reject,
    });
  });
}

/** Reads what the store holds of a query, the pages of its connections merged. */
function read<Q extends OperationType>(environment: Environment, query: GraphQLTaggedNode, variables: Q["variables"]): Q["response"] {
  const operation = createOperationDescriptor(getRequest(query), variables);
  environment.retain(operation);
  return environment.lookup(operation.fragment).data as Q["response"];
}

/** Waits until the store holds what `check` accepts. */
function until(environment: Environment, query: GraphQLTaggedNode, variables: object, check: () => boolean): Promise<void> {
  const operation = createOperationDescriptor(getRequest(query), variables);
  return new Promise((resolve) => {
    const subscription = environment.subscribe(environment.lookup(operation.fragment), look);
    function look() {
      if (!check()) return;
      subscription.dispose();
      resolve();
    }
    look();
  });
}

export async function main({ step, equal, ...server }: Test): Promise<void> {
  const writer = createEnvironment(server);
  const titles = ["a", "b", "c", "d", "e"];
  const contents = ["1", "2", "3", "4", "5"];
  const ids: string[] = [];
  for (const title of titles) {
    const messages = contents.map((content) => ({ role: "USER" as const, content }));
    const { createConversation } = await mutate<chatCreateMutation>(writer.environment, CreateMutation, {
      input: { title, messages },
      connections: [],
    });
    ids.unshift(createConversation.conversationEdge.node.id);
  }
  const newest = titles.toReversed();
  const id = ids[0]!;

  const reader = createEnvironment(server);
  const conversations = (): Conversations => read<chatConversationsQuery>(reader.environment, ConversationsQuery, {}).conversations;
  const messages = (): Messages => read<chatMessagesQuery>(reader.environment, MessagesQuery, { id }).conversation!.messages;
  const titlesRead = (list = conversations()) => list.edges.map(({ node }) => node.title);
  const contentsRead = (list = messages()) => list.edges.map(({ node }) => node.content);

  step("page through both connections forwards");
  type Page = { first?: number; after?: string | null; last?: number; before?: string | null };
  const listConversations = (environment: Environment, page: Page) =>
    fetchQuery<chatConversationsQuery>(environment, ConversationsQuery, page).toPromise();
  const listMessages = (environment: Environment, page: Page) =>
    fetchQuery<chatMessagesQuery>(environment, MessagesQuery, { id, ...page }).toPromise();
  await listConversations(reader.environment, { first: 2 });
  equal(titlesRead(), newest.slice(0, 2));
  while (conversations().pageInfo.hasNextPage) {
    await listConversations(reader.environment, { first: 2, after: conversations().pageInfo.endCursor ?? null });
  }
  equal(titlesRead(), newest);
  await listMessages(reader.environment, { first: 2 });
  equal(contentsRead(), contents.slice(0, 2));
  while (messages().pageInfo.hasNextPage) {
    await listMessages(reader.environment, { first: 2, after: messages().pageInfo.endCursor ?? null });
  }
  equal(contentsRead(), contents);

  step("page through both connections backwards");
  const back = createEnvironment(server);
  const backConversations = () => read<chatConversationsQuery>(back.environment, ConversationsQuery, {}).conversations;
  const backMessages = () => read<chatMessagesQuery>(back.environment, MessagesQuery, { id }).conversation!.messages;
  await listConversations(back.environment, { last: 2 });
  equal(titlesRead(backConversations()), newest.slice(-2));
  while (backConversations().pageInfo.hasPreviousPage) {
    await listConversations(back.environment, { last: 2, before: backConversations().pageInfo.startCursor ?? null });
  }
  equal(titlesRead(backConversations()), newest);
  await listMessages(back.environment, { last: 2 });
  equal(contentsRead(backMessages()), contents.slice(-2));
  while (backMessages().pageInfo.hasPreviousPage) {
    await listMessages(back.environment, { last: 2, before: backMessages().pageInfo.startCursor ?? null });
  }
  equal(contentsRead(backMessages()), contents);
  equal(backMessages().edges, messages().edges);

  step("mutations put edges into the connections and take them out");
  const [inConversations, inMessages] = [conversations().__id, messages().__id];
  await mutate<chatAppendMutation>(reader.environment, AppendMutation, {
    input: {
      conversationId: id,
      role: "ASSISTANT",
      parts: [
        { text: { text: "6" } },
        { file: { mediaType: "image/png", url: "https://example.org/dot.png" } },
        { sourceUrl: { sourceId: "1", url: "https://example.org/" } },
        { sourceDocument: { sourceId: "2", mediaType: "application/pdf" } },
      ],
    },
    connections: [inMessages],
  });
  const turn = { conversationId: id, messages: [{ role: "USER" as const, content: "7" }, { role: "ASSISTANT" as const, content: "8" }] };
  await mutate<chatTurnMutation>(reader.environment, TurnMutation, { input: turn, connections: [inMessages] });
  contents.push("6", "7", "8");
  equal(contentsRead(), contents);
  equal(messages().edges[5]?.node.parts.map((part) => ("url" in part ? part.url : null)), [
    null, "https://example.org/dot.png", "https://example.org/", null,
  ]);
  const created = await mutate<chatCreateMutation>(reader.environment, CreateMutation, { input: { title: "f" }, connections: [inConversations] });
  equal(titlesRead(), ["f", ...newest]);
  // The whole list, read anew, has the same edges in the same order.
  await listMessages(back.environment, { first: 100 });
  equal(backMessages().edges, messages().edges);
  const createdEdge = created.createConversation.conversationEdge;
  await mutate<chatDeleteMutation>(reader.environment, DeleteMutation, { id: ids[4]!, connections: [inConversations] });
  equal(titlesRead(), ["f", "e", "d", "c", "b"]);

  step("pages continue from the edges that the mutations gave");
  const other = createEnvironment(server);
  const rest = await listMessages(other.environment, { first: 10, after: messages().edges[5]!.cursor });
  equal(rest?.conversation?.messages.edges.map(({ node }) => node.content), ["7", "8"]);
  const older = await listConversations(other.environment, { first: 10, after: createdEdge.cursor });
  // Messages were appended to "e", which has moved to the top since, but not above the new conversation.
  equal(older?.conversations.edges.map(({ node }) => node.title), ["e", "d", "c", "b"]);

  step("a subscription with an updater appends what others write");
  const added = requestSubscription<chatAddedSubscription>(reader.environment, {
    subscription: AddedSubscription,
    variables: { id, after: messages().edges.at(-1)!.cursor },
    updater: (store) => {
      const connection = store.get(inMessages);
      const edge = store.getRootField("messageAdded");
      if (!connection || !edge) throw new Error("there is a connection and an edge");
      const copy = ConnectionHandler.buildConnectionEdge(store, connection, edge);
      if (copy) ConnectionHandler.insertEdgeAfter(connection, copy);
    },
  });
  const append = (content: string) => mutate<chatAppendMutation>(writer.environment, AppendMutation, {
    input: { conversationId: id, role: "USER", content },
    connections: [],
  });
  const nine = await append("9");
  await append("10");
  contents.push("9", "10");
  await until(reader.environment, MessagesQuery, { id }, () => messages().edges.length === contents.length);
  equal(contentsRead(), contents);
  const { cursor, node } = nine.appendMessage.messageEdge;
  equal([messages().edges[8]?.cursor, messages().edges[8]?.node.id], [cursor, node.id]);
  added.dispose();

  step("the feed of changes keeps both connections, without an updater");
  const { changeCursor } = await feedCursor(server);
  const changes = requestSubscription<chatChangesSubscription>(reader.environment, {
    subscription: ChangesSubscription,
    variables: { after: changeCursor, conversations: [inConversations], messages: [inMessages] },
  });
  await append("11");
  contents.push("11");
  await mutate<chatCreateMutation>(writer.environment, CreateMutation, { input: { title: "g" }, connections: [] });
  await mutate<chatDeleteMutation>(writer.environment, DeleteMutation, { id: ids[3]!, connections: [] });
  await until(reader.environment, ConversationsQuery, {}, () => !titlesRead().includes("b"));
  equal(titlesRead(), ["g", "f", "e", "d", "c"]);
  equal(contentsRead(), contents);
  changes.dispose();
  for (const { client } of [writer, reader, back, other]) await client.dispose();
}

async function feedCursor({ url, token }: Server): Promise<{ changeCursor: string }> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: "{ conversations { changeCursor } }" }),
  });
  return (await response.json() as { data: { conversations: { changeCursor: string } } }).data.conversations;
}
