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

/// An operation that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Append one message, durable when the response is sent.
    Append,
    /// Read the last messages of a conversation.
    History,
    /// Read an owner's newest conversations, each with its last message.
    List,
}

impl Operation {
    /// The request for a conversation, or for the conversations of its owner.
    pub(crate) fn request(self, address: &str, conversation: &Conversation) -> Vec<u8> {
        let Conversation { id, token } = conversation;
        match self {
            Self::Append => {
                let input = json!({ "conversationId": id, "role": "USER", "content": TEXT.repeat(7) });
                post(address, token, APPEND, &json!({ "input": input }))
            }
            Self::History => post(address, token, READ_HISTORY, &json!({ "id": id })),
            Self::List => post(address, token, READ_LIST, &json!({})),
        }
    }

    /// Whether a response is a success. The check is cheap: after an error the field is missing, because
    /// nothing in it is nullable.
    pub(crate) fn succeeded(self, answer: &Answer<'_>) -> bool {
        let beginning: &[u8] = match self {
            Self::Append => br#"{"data":{"appendMessage":{"message":{"id":"#,
            Self::History => br#"{"data":{"conversation":{"id":"#,
            Self::List => br#"{"data":{"conversations":{"nodes":[{"id":"#,
        };
        answer.status == 200 && answer.body.starts_with(beginning)
    }

    /// Sends the request once and checks the whole response.
    pub(crate) async fn check(self, connection: &mut Connection, request: &[u8]) {
        let data = connection.data(request).await;
        let found = match self {
            Self::Append => data["appendMessage"]["message"]["position"].is_u64(),
            Self::History => are_messages(&data["conversation"]["messages"], HISTORY),
            Self::List => {
                let nodes = data["conversations"]["nodes"].as_array();
                let whole = |node: &Value| node["head"]["content"].is_string();
                nodes.is_some_and(|nodes| nodes.len() == LIST && nodes.iter().all(whole))
            }
        };
        assert!(found, "{self:?}: another answer than was expected: {data}");
    }
}

fn are_messages(page: &Value, count: usize) -> bool {
    let nodes = page["nodes"].as_array();
    nodes.is_some_and(|nodes| nodes.len() == count && nodes.iter().all(|node| node["content"].is_string()))
}
