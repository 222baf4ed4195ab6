//! Verifies that acknowledged messages exist, once and in order.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::http::{Connection, post};
use crate::open_loop::number;
use crate::statistics::NumberSet;
use crate::test_data::Conversation;

const READ: &str = "query($id: ID!, $after: String) { conversation(id: $id) {
  messages(first: 100, after: $after) { nodes { id position } pageInfo { endCursor hasNextPage } }
} }";

/// The number of connections.
const READERS: usize = 8;

/// The stored messages.
#[derive(Default)]
pub(crate) struct Stored {
    /// The numbers of stored messages.
    pub(crate) messages: NumberSet,
    /// Messages that exist more than once.
    pub(crate) twice: usize,
    /// Messages in another conversation or with a position that leaves a gap.
    pub(crate) misplaced: usize,
    /// The last position of each conversation.
    pub(crate) last: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Node>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
struct Node {
    id: Uuid,
    position: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    end_cursor: Option<String>,
    has_next_page: bool,
}

impl Stored {
    /// Reads every conversation completely.
    pub(crate) async fn read(address: &str, conversations: &[Conversation]) -> Self {
        let conversations: Arc<[Conversation]> = conversations.into();
        let mut running = JoinSet::new();
        for reader in 0..READERS {
            let (address, conversations) = (address.to_owned(), conversations.clone());
            running.spawn(async move {
                let mut connection = Connection::open(&address).await.expect("a connection");
                let mut read = Vec::new();
                for at in (reader..conversations.len()).step_by(READERS) {
                    read.push((at, nodes(&mut connection, &address, &conversations[at]).await));
                }
                read
            });
        }
        let mut it = Self { last: vec![0; conversations.len()], ..Self::default() };
        for (at, nodes) in running.join_all().await.into_iter().flatten() {
            it.last[at] = nodes.len() as u64;
            for (place, node) in (1..).zip(&nodes) {
                it.misplaced += usize::from(node.position != place);
                // The first message of each conversation is test data.
                let Some(number) = number(&node.id) else { continue };
                it.misplaced += usize::from(number % conversations.len() != at);
                it.twice += usize::from(!it.messages.insert(number));
            }
        }
        it
    }
}

async fn nodes(connection: &mut Connection, address: &str, conversation: &Conversation) -> Vec<Node> {
    let (mut nodes, mut after) = (Vec::new(), None);
    loop {
        let variables = json!({ "id": conversation.id, "after": after });
        let mut data = connection.data(&post(address, &conversation.token, READ, &variables)).await;
        let page: Page = serde_json::from_value(data["conversation"]["messages"].take()).expect("a page");
        nodes.extend(page.nodes);
        if !page.page_info.has_next_page {
            return nodes;
        }
        after = page.page_info.end_cursor;
    }
}
