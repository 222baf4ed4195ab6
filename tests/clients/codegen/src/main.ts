// A chat with the types of graphql-codegen's client preset.

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { type FragmentType, graphql, readFragment } from "./gql";

const MESSAGE = graphql(`
  fragment MessageFields on Message {
    id
    position
    role
    status
    content
    createdAt
    metadata
    parts {
      __typename
      ... on TextPart { text }
      ... on ReasoningPart { text }
      ... on FilePart { mediaType filename url }
      ... on ToolPart { toolCallId toolName state input output errorText }
      ... on SourceUrlPart { sourceId url title }
      ... on SourceDocumentPart { sourceId mediaType title filename }
      ... on DataPart { name data }
    }
  }
`);

const CREATE = graphql(`
  mutation Create($input: CreateConversationInput!, $orderBy: ConversationOrder) {
    createConversation(input: $input) {
      conversationEdge(orderBy: $orderBy) { cursor node { id title } }
    }
  }
`);

const APPEND = graphql(`
  mutation Append($input: AppendMessageInput!) {
    appendMessage(input: $input) {
      messageEdge { cursor node { ...MessageFields } }
    }
  }
`);

const MESSAGES = graphql(`
  query Messages($id: ID!, $first: Int, $after: String) {
    conversation(id: $id) {
      messages(first: $first, after: $after) {
        edges { cursor node { ...MessageFields } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

const CHANGES = graphql(`
  query Changes($after: String) {
    changes(after: $after) {
      nodes {
        __typename
        cursor
        changedAt
        actor
        ... on MessageAdded { messageEdge { cursor node { ...MessageFields } } }
        ... on ConversationCreated { conversation { id title } }
      }
    }
  }
`);

interface Test {
  url: string;
  token: string;
  step(description: string): void;
  equal(actual: unknown, expected: unknown): void;
}

export async function main({ url, token, step, equal }: Test): Promise<void> {
  async function request<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const { data, errors } = await response.json() as { data?: Data; errors?: unknown };
    if (!data || errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** The addresses in a message, whichever part has them. */
  function urls(message: FragmentType<typeof MESSAGE>): string[] {
    const { parts } = readFragment(MESSAGE, message);
    return parts.flatMap((part) => {
      switch (part.__typename) {
        case "FilePart":
        case "SourceUrlPart":
          return [part.url];
        case "SourceDocumentPart":
          // @ts-expect-error A document has no URL.
          return part.url === undefined ? [] : [];
        default:
          return [];
      }
    });
  }

  step("create a conversation and append to it");
  const { createConversation } = await request(CREATE, { input: { title: "typed", metadata: { a: 1 } } });
  const { id, title } = createConversation.conversationEdge.node;
  equal(title, "typed");
  const { appendMessage } = await request(APPEND, {
    input: {
      conversationId: id,
      role: "ASSISTANT",
      parts: [
        { text: { text: "See" } },
        { file: { mediaType: "image/png", url: "https://example.org/dot.png" } },
        { sourceUrl: { sourceId: "1", url: "https://example.org/", title: "Dots" } },
        { sourceDocument: { sourceId: "2", mediaType: "application/pdf" } },
      ],
    },
  });
  equal(urls(appendMessage.messageEdge.node), ["https://example.org/dot.png", "https://example.org/"]);

  // @ts-expect-error A part is exactly one field.
  const two: Parameters<typeof request<unknown, Input>>[1] = { input: { conversationId: id, role: "USER", parts: [{ text: { text: "a" }, reasoning: { text: "b" } }] } };
  equal(Object.keys(two), ["input"]);

  step("read the messages");
  const { conversation } = await request(MESSAGES, { id, first: 1 });
  const [edge] = conversation?.messages.edges ?? [];
  equal(edge, appendMessage.messageEdge);
  const rest = await request(MESSAGES, { id, first: 1, after: appendMessage.messageEdge.cursor });
  equal(rest.conversation?.messages.edges, []);
  const createdAt: string | undefined = edge && readFragment(MESSAGE, edge.node).createdAt;
  equal(typeof createdAt, "string");

  step("read the changes");
  const { changes } = await request(CHANGES, {});
  const added = changes.nodes.flatMap((node) => (node.__typename === "MessageAdded" && node.messageEdge ? [node.messageEdge] : []));
  equal(added.at(-1), appendMessage.messageEdge);
}

type Input = typeof APPEND extends TypedDocumentNode<infer _, infer Variables> ? Variables : never;
