//! Followers that drop and resume at random, and fail over when a replica goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::deployment::{Addresses, address, client};
use super::log::{Entry, entry};
use crate::harness::{EventStream, Socket};

/// How much there is in the end.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// Messages of each conversation.
    pub(super) lengths: BTreeMap<String, usize>,
    /// Messages that were appended to all of them.
    pub(super) total: usize,
}

const MESSAGES: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position content } }
}";

const CHANGES: &str = "subscription($after: String) {
  changes(after: $after) { __typename cursor conversationId ... on MessageAdded { messageId } }
}";

const BACKOFF: Duration = Duration::from_millis(20);

/// A subscription over either transport.
enum Stream {
    Socket(Box<Socket>),
    Events(EventStream),
}

impl Stream {
    /// Begins at some replica; `None` when it is away.
    async fn open(front: &Addresses, over_socket: bool, query: &str, variables: Value) -> Option<Self> {
        let client = client(front);
        if over_socket {
            let mut socket = Socket::try_open(&address(front), client.token()).await?;
            socket.try_subscribe("s", query, variables).await?;
            Some(Self::Socket(Box::new(socket)))
        } else {
            EventStream::try_open(&client, query, variables, None).await.ok().map(Self::Events)
        }
    }

    /// The data of the next event; `None` when the subscription has to be begun again.
    async fn next(&mut self) -> Option<Value> {
        let payload = match self {
            Self::Socket(socket) => {
                let message = socket.next().await.ok()?;
                match message["type"].as_str() {
                    Some("next") => message["payload"].clone(),
                    Some("error") => json!({ "errors": message["payload"] }),
                    Some("ping") => return Some(Value::Null),
                    other => panic!("{other:?}: {message}"),
                }
            }
            Self::Events(events) => {
                let event = events.next().await?;
                assert_eq!(event.name, "next", "{event:?}");
                event.data
            }
        };
        if let Some(error) = payload["errors"].get(0) {
            let code = &error["extensions"]["code"];
            assert!(code == "UNAVAILABLE" || code == "SLOW_CONSUMER", "{error}");
            return None;
        }
        Some(payload["data"].clone())
    }
}

/// What a follower keeps of what it is told.
trait Kept {
    const QUERY: &'static str;
    fn variables(&self) -> Value;
    /// Takes an event's data.
    fn take(&mut self, data: &Value);
    fn is_complete(&self, ended: &Ended) -> bool;
}

/// Follows until it has everything.
async fn follow(
    front: Addresses,
    over_socket: bool,
    mut ending: watch::Receiver<Option<Ended>>,
    kept: &mut impl Kept,
) {
    loop {
        let Some(mut stream) = Stream::open(&front, over_socket, kept_query(kept), kept.variables()).await
        else {
            tokio::time::sleep(BACKOFF).await;
            continue;
        };
        // Some drop soon, some stay for long.
        let patience = rand::rng().random_range(1..120);
        for _ in 0..patience {
            let data = tokio::select! {
                data = stream.next() => data,
                _ = ending.wait_for(|ended| ended.as_ref().is_some_and(|ended| kept.is_complete(ended))) => return,
            };
            match data {
                Some(Value::Null) => {}
                Some(data) => kept.take(&data),
                None => break,
            }
        }
    }
}

fn kept_query<K: Kept>(_: &K) -> &'static str {
    K::QUERY
}

struct Conversation {
    id: String,
    cursor: Value,
    entries: Vec<Entry>,
}

impl Kept for Conversation {
    const QUERY: &'static str = MESSAGES;

    fn variables(&self) -> Value {
        json!({ "id": self.id, "after": self.cursor })
    }

    fn take(&mut self, data: &Value) {
        let edge = &data["messageAdded"];
        let entry = entry(&edge["node"]);
        let last = self.entries.last().map_or(1, |entry| entry.position);
        assert_eq!(entry.position, last + 1, "missed or told twice");
        self.cursor = edge["cursor"].clone();
        self.entries.push(entry);
    }

    fn is_complete(&self, ended: &Ended) -> bool {
        self.entries.len() + 1 == ended.lengths[&self.id]
    }
}

/// Everything after a conversation's first message.
pub(super) async fn follow_conversation(
    front: Addresses,
    id: String,
    over_socket: bool,
    ending: watch::Receiver<Option<Ended>>,
) -> Vec<Entry> {
    let query = "query($id: ID!) { conversation(id: $id) { messages(first: 1) { pageInfo { endCursor } } } }";
    let first = client(&front).retry(query, json!({ "id": id })).await;
    let cursor = first["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
    let mut kept = Conversation { id, cursor, entries: Vec::new() };
    follow(front, over_socket, ending, &mut kept).await;
    kept.entries
}

struct Account {
    cursor: Value,
    seen: BTreeSet<String>,
    messages: Vec<(String, String)>,
}

impl Kept for Account {
    const QUERY: &'static str = CHANGES;

    fn variables(&self) -> Value {
        json!({ "after": self.cursor })
    }

    fn take(&mut self, data: &Value) {
        let change = &data["changes"];
        assert_eq!(change["__typename"], "MessageAdded", "nothing else changes");
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        assert!(self.seen.insert(text("messageId")), "told twice: {change}");
        self.cursor = change["cursor"].clone();
        self.messages.push((text("conversationId"), text("messageId")));
    }

    fn is_complete(&self, ended: &Ended) -> bool {
        self.messages.len() == ended.total
    }
}

/// Every message of the account after a cursor: its conversation and its id.
pub(super) async fn follow_account(
    front: Addresses,
    cursor: Value,
    over_socket: bool,
    ending: watch::Receiver<Option<Ended>>,
) -> Vec<(String, String)> {
    let mut kept = Account { cursor, seen: BTreeSet::new(), messages: Vec::new() };
    follow(front, over_socket, ending, &mut kept).await;
    kept.messages
}
