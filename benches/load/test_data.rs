//! Test data: users with conversations with messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Connection, post};

/// A seventh of a message.
pub(crate) const TEXT: &str = "A text of some length, as people write them. ";

/// The most messages of one request.
const CALL: usize = 100;

const CREATE: &str = "mutation($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { id } }
}";

pub(crate) const CONTINUE: &str = "mutation($input: AppendMessagesInput!) {
  appendMessages(input: $input) { messages { id } }
}";

const DELETE: &str = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { __typename } }";

/// A conversation and the token of its owner.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// The size of the test data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DataSize {
    /// Conversations of each owner.
    pub(crate) conversations: usize,
    /// Messages of each conversation.
    pub(crate) messages: usize,
}

/// Creates conversations for the owners of these tokens, one for each owner in turn.
pub(crate) async fn fill(address: &str, tokens: &[String], amount: DataSize) -> Vec<Conversation> {
    let all = tokens.len() * amount.conversations;
    let next = Arc::new(AtomicUsize::new(0));
    let tokens: Arc<[String]> = tokens.into();
    let mut running = JoinSet::new();
    for _ in 0..all.min(16) {
        let (address, tokens, next) = (address.to_owned(), tokens.clone(), next.clone());
        running.spawn(async move {
            let mut connection = Connection::open(&address).await.expect("a connection");
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= all {
                    return made;
                }
                let token = &tokens[number % tokens.len()];
                let title = format!("Conversation {number}");
                let id = create(&mut connection, &address, token, &title, amount.messages).await;
                made.push((number, Conversation { id, token: token.clone() }));
            }
        });
    }
    let mut made: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, conversation)| conversation).collect()
}

/// Creates a conversation and returns its id.
pub(crate) async fn create(
    connection: &mut Connection,
    address: &str,
    token: &str,
    title: &str,
    messages: usize,
) -> String {
    let first = messages.min(CALL);
    let input = json!({ "title": title, "messages": batch(first) });
    let data = connection.data(&post(address, token, CREATE, &json!({ "input": input }))).await;
    let id = data["createConversation"]["conversation"]["id"].as_str().expect("an id").to_owned();
    let mut written = first;
    while written < messages {
        let count = (messages - written).min(CALL);
        let input = json!({ "conversationId": id, "messages": batch(count) });
        connection.data(&post(address, token, CONTINUE, &json!({ "input": input }))).await;
        written += count;
    }
    id
}

fn batch(count: usize) -> Vec<Value> {
    let role = |nth: usize| if nth.is_multiple_of(2) { "USER" } else { "ASSISTANT" };
    (0..count).map(|nth| json!({ "role": role(nth), "content": TEXT.repeat(7) })).collect()
}

/// Deletes conversations.
pub(crate) async fn clear(address: &str, conversations: &[Conversation]) {
    let mut connection = Connection::open(address).await.expect("a connection");
    for Conversation { id, token } in conversations {
        connection.data(&post(address, token, DELETE, &json!({ "id": id }))).await;
    }
}
