//! The measured operations.

use serde_json::{Value, json};

use crate::http::{Answer, Connection, post};
use crate::it::harness::APPEND;
use crate::test_data::{Conversation, TEXT};

/// Messages in a history.
pub(crate) const HISTORY: usize = 50;
/// Conversations in a list.
pub(crate) const LIST: usize = 20;

const READ_HISTORY: &str = "query($id: ID!) { conversation(id: $id) {
  id title messages(last: 50) { nodes { id position role content createdAt } pageInfo { startCursor } }
} }";

const READ_LIST: &str = "query { conversations(first: 20) { nodes {
  id title updatedAt messageCount head { id position role content createdAt }
} } }";

/// A page of a chat, as Apollo and Relay send it: with fragments and type names.
const READ_PAGE: &str = "query($id: ID!) { conversation(id: $id) { id __typename ...Page } }";

/// What a chat shows first.
const OPEN_CHAT: &str = "query($id: ID!) {
  viewer { id __typename }
  conversations(first: 20) { edges { cursor node { __typename
    id title updatedAt pinnedAt labels unreadCount messageCount head { id position role content createdAt __typename }
  } } pageInfo { hasNextPage endCursor } }
  conversation(id: $id) { id __typename ...Page }
}";

const PAGE: &str = "
fragment Page on Conversation { messages(last: 50) {
  edges { cursor node { ...PageMessage __typename } }
  pageInfo { hasPreviousPage startCursor }
} }
fragment PageMessage on Message {
  id role status createdAt editedAt model content
  parts { ...PagePart }
  usage { inputTokens outputTokens totalTokens }
  metadata
  parent { id __typename }
  siblings { id position __typename }
}
fragment PagePart on MessagePart { __typename
  ... on TextPart { text }
  ... on ReasoningPart { text }
  ... on FilePart { mediaType filename url }
  ... on ToolPart { toolCallId toolName state input output errorText }
  ... on SourceUrlPart { sourceId url title }
  ... on SourceDocumentPart { sourceId mediaType title filename }
  ... on DataPart { name data }
  ... on CustomPart { kind data }
}";

/// An operation that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Append one message, durable when the response is sent.
    Append,
    /// The same in a chat that has forked.
    AppendForked,
    /// Read the last messages of a conversation.
    History,
    /// Read an owner's newest conversations, each with its last message.
    List,
    /// Read the last messages of a chat with all that a client shows: parts, usage, and where they fork.
    Page,
    /// Read the list with labels and unread messages, and a page of a chat, in one request.
    Open,
}

impl Operation {
    /// The operation of this name. The fan-out is not one that clients repeat.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "append" => Self::Append,
            "append-forked" => Self::AppendForked,
            "history" => Self::History,
            "list" => Self::List,
            "page" => Self::Page,
            "open" => Self::Open,
            _ => return None,
        })
    }

    /// Whether it is about chats, as `chat_data` creates them.
    pub(crate) fn is_about_chats(self) -> bool {
        matches!(self, Self::AppendForked | Self::Page | Self::Open)
    }

    /// The request for a conversation, or for the conversations of its owner.
    pub(crate) fn request(self, address: &str, conversation: &Conversation) -> Vec<u8> {
        let Conversation { id, token } = conversation;
        match self {
            Self::Append | Self::AppendForked => {
                let input = json!({ "conversationId": id, "role": "USER", "content": TEXT.repeat(7) });
                post(address, token, APPEND, &json!({ "input": input }))
            }
            Self::History => post(address, token, READ_HISTORY, &json!({ "id": id })),
            Self::List => post(address, token, READ_LIST, &json!({})),
            Self::Page => post(address, token, &[READ_PAGE, PAGE].concat(), &json!({ "id": id })),
            Self::Open => post(address, token, &[OPEN_CHAT, PAGE].concat(), &json!({ "id": id })),
        }
    }

    /// Whether a response is a success. The check is cheap: after an error the field is missing, because
    /// nothing in it is nullable.
    pub(crate) fn succeeded(self, answer: &Answer<'_>) -> bool {
        let beginning: &[u8] = match self {
            Self::Append | Self::AppendForked => br#"{"data":{"appendMessage":{"message":{"id":"#,
            Self::History | Self::Page => br#"{"data":{"conversation":{"id":"#,
            Self::List => br#"{"data":{"conversations":{"nodes":[{"id":"#,
            Self::Open => br#"{"data":{"viewer":{"id":"#,
        };
        answer.status == 200 && answer.body.starts_with(beginning)
    }

    /// Sends the request once and checks the whole response.
    pub(crate) async fn check(self, connection: &mut Connection, request: &[u8]) {
        let data = connection.data(request).await;
        let found = match self {
            Self::Append | Self::AppendForked => data["appendMessage"]["message"]["position"].is_u64(),
            Self::History => are_messages(&data["conversation"]["messages"], HISTORY),
            Self::List => {
                let nodes = data["conversations"]["nodes"].as_array();
                let whole = |node: &Value| node["head"]["content"].is_string();
                nodes.is_some_and(|nodes| nodes.len() == LIST && nodes.iter().all(whole))
            }
            Self::Page => is_page(&data["conversation"]),
            Self::Open => {
                let edges = data["conversations"]["edges"].as_array();
                edges.is_some_and(|edges| edges.len() == LIST) && is_page(&data["conversation"])
            }
        };
        assert!(found, "{self:?}: another answer than was expected: {data}");
    }
}

fn are_messages(page: &Value, count: usize) -> bool {
    let nodes = page["nodes"].as_array();
    nodes.is_some_and(|nodes| nodes.len() == count && nodes.iter().all(|node| node["content"].is_string()))
}

/// Whether this is a page of a conversation of `chat_data`.
fn is_page(conversation: &Value) -> bool {
    let Some(edges) = conversation["messages"]["edges"].as_array() else { return false };
    let count = |is: fn(&Value) -> bool| edges.iter().filter(|edge| is(&edge["node"])).count();
    let siblings = |node: &Value| node["siblings"].as_array().map_or(0, Vec::len);
    edges.len() == HISTORY
        && count(|node| node["parts"][0]["__typename"].is_string()) == HISTORY
        && count(|node| node["parts"][0]["toolName"].is_string()) > HISTORY / 4
        && count(|node| node["parent"]["id"].is_string()) == HISTORY
        && edges.iter().all(|edge| siblings(&edge["node"]) >= 1)
        && edges.iter().filter(|edge| siblings(&edge["node"]) == 2).count() > 10
}
