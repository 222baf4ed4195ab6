// The documents of the chat. relay-compiler reads them; `main.ts` imports what it makes of them, as
// babel-plugin-relay would.

import { graphql } from "relay-runtime";

export const documents = () => [
  graphql`
    query chatConversationsQuery($first: Int, $after: String, $last: Int, $before: String) {
      conversations(first: $first, after: $after, last: $last, before: $before)
        @connection(key: "chat_conversations", filters: []) {
        __id
        edges { cursor node { id title } }
        pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
      }
    }
  `,
  graphql`
    query chatMessagesQuery($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      conversation(id: $id) {
        id
        messages(first: $first, after: $after, last: $last, before: $before)
          @connection(key: "chat_messages", filters: []) {
          __id
          edges { cursor node { id ...chat_message @relay(mask: false) } }
          pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
        }
      }
    }
  `,
  graphql`
    fragment chat_message on Message {
      position
      content
      status
      createdAt
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
  `,
  graphql`
    mutation chatCreateMutation($input: CreateConversationInput!, $connections: [ID!]!) {
      createConversation(input: $input) {
        conversationEdge @prependEdge(connections: $connections) { cursor node { id title } }
      }
    }
  `,
  graphql`
    mutation chatDeleteMutation($id: ID!, $connections: [ID!]!) {
      deleteConversation(input: { id: $id }) {
        deletedConversationId @deleteEdge(connections: $connections)
      }
    }
  `,
  graphql`
    mutation chatAppendMutation($input: AppendMessageInput!, $connections: [ID!]!) {
      appendMessage(input: $input) {
        messageEdge @appendEdge(connections: $connections) {
          cursor
          node { id ...chat_message @relay(mask: false) }
        }
      }
    }
  `,
  graphql`
    mutation chatTurnMutation($input: AppendMessagesInput!, $connections: [ID!]!) {
      appendMessages(input: $input) {
        messageEdges @appendEdge(connections: $connections) {
          cursor
          node { id ...chat_message @relay(mask: false) }
        }
      }
    }
  `,
  graphql`
    subscription chatAddedSubscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) {
        cursor
        node { id ...chat_message @relay(mask: false) }
      }
    }
  `,
  graphql`
    subscription chatChangesSubscription($after: String, $conversations: [ID!]!, $messages: [ID!]!) {
      changes(after: $after) {
        __typename
        ... on ConversationCreated {
          conversationEdge @prependEdge(connections: $conversations) { cursor node { id title } }
        }
        ... on ConversationDeleted {
          conversationId @deleteEdge(connections: $conversations)
        }
        ... on MessageAdded {
          messageEdge @appendEdge(connections: $messages) {
            cursor
            node { id ...chat_message @relay(mask: false) }
          }
        }
      }
    }
  `,
];
