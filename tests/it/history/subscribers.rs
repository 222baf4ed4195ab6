//! Subscribers that disconnect and resume at random, and that use another replica if one is away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::deployment::{Addresses, address, client};
use super::log::{Entry, entry};
use super::texts::ReceivedText;
use crate::harness::{EventStream, Socket};

/// The final state of the data.
#[derive(Debug, Clone)]
pub(super) struct FinalState {
    /// Messages of each conversation.
    pub(super) lengths: BTreeMap<String, usize>,
    /// Messages that were appended to all of them, and answers that ended.
    pub(super) changes: usize,
}

const MESSAGES: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position content status } }
}";

const CHANGES: &str = "subscription($after: String) {
  changes(after: $after) {
    __typename cursor conversationId ... on MessageAdded { messageId } ... on MessageUpdated { messageId }
  }
}";

const TEXT: &str = "subscription($id: ID!, $offset: Int) {
  messageText(messageId: $id, offset: $offset) { offset text status }
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

/// The state of a subscriber.
trait SubscriberState {
    const QUERY: &'static str;
    /// The most events before it disconnects.
    const TIMEOUT: usize;
    fn variables(&self) -> Value;
    /// Handles the data of an event.
    fn take(&mut self, data: &Value);
    /// Whether it has everything. There is nothing to compare with before everything is written.
    fn is_complete(&self, ended: Option<&FinalState>) -> bool;
}

/// Subscribes until it has everything.
async fn follow<K: SubscriberState>(
    front: Addresses,
    over_socket: bool,
    mut ending: watch::Receiver<Option<FinalState>>,
    kept: &mut K,
) {
    loop {
        let Some(mut stream) = Stream::open(&front, over_socket, K::QUERY, kept.variables()).await else {
            tokio::time::sleep(BACKOFF).await;
            continue;
        };
        // Some drop soon, some stay for long.
        let patience = rand::rng().random_range(1..K::TIMEOUT);
        for _ in 0..patience {
            let data = tokio::select! {
                // What is complete is not asked for more.
                biased;
                _ = ending.wait_for(|ended| kept.is_complete(ended.as_ref())) => return,
                data = stream.next() => data,
            };
            match data {
                Some(Value::Null) => {}
                Some(data) => kept.take(&data),
                None => break,
            }
        }
    }
}

struct Conversation {
    id: String,
    cursor: Value,
    entries: Vec<Entry>,
}

impl SubscriberState for Conversation {
    const QUERY: &'static str = MESSAGES;
    const TIMEOUT: usize = 120;

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

    fn is_complete(&self, ended: Option<&FinalState>) -> bool {
        ended.is_some_and(|ended| self.entries.len() + 1 == ended.lengths[&self.id])
    }
}

/// Everything after a conversation's first message.
pub(super) async fn follow_conversation(
    front: Addresses,
    id: String,
    over_socket: bool,
    ending: watch::Receiver<Option<FinalState>>,
) -> Vec<Entry> {
    let query = "query($id: ID!) { conversation(id: $id) { messages(first: 1) { pageInfo { endCursor } } } }";
    let first = client(&front).retry(query, json!({ "id": id })).await;
    let cursor = first["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
    let mut kept = Conversation { id, cursor, entries: Vec::new() };
    follow(front, over_socket, ending, &mut kept).await;
    kept.entries
}

/// The changes in an account's feed.
#[derive(Default)]
pub(super) struct AccountFeed {
    /// Messages that were added, each with its conversation.
    pub(super) added: Vec<(String, String)>,
    /// Messages that were updated since.
    pub(super) updated: BTreeSet<String>,
}

struct Account {
    cursor: Value,
    reads: BTreeSet<String>,
    told: AccountFeed,
}

impl SubscriberState for Account {
    const QUERY: &'static str = CHANGES;
    const TIMEOUT: usize = 120;

    fn variables(&self) -> Value {
        json!({ "after": self.cursor })
    }

    fn take(&mut self, data: &Value) {
        let change = &data["changes"];
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        let message = text("messageId");
        match change["__typename"].as_str() {
            Some("MessageAdded") => {
                assert!(self.reads.insert(message.clone()), "told twice: {change}");
                self.told.added.push((text("conversationId"), message));
            }
            Some("MessageUpdated") => {
                assert!(self.reads.contains(&message), "updated before it was added: {change}");
                assert!(self.told.updated.insert(message), "an answer ends once: {change}");
            }
            _ => panic!("nothing else changes: {change}"),
        }
        self.cursor = change["cursor"].clone();
    }

    fn is_complete(&self, ended: Option<&FinalState>) -> bool {
        ended.is_some_and(|ended| self.told.added.len() + self.told.updated.len() == ended.changes)
    }
}

/// Everything that changed for the account after a cursor.
pub(super) async fn follow_account(
    front: Addresses,
    cursor: Value,
    over_socket: bool,
    ending: watch::Receiver<Option<FinalState>>,
) -> AccountFeed {
    let mut kept = Account { cursor, reads: BTreeSet::new(), told: AccountFeed::default() };
    follow(front, over_socket, ending, &mut kept).await;
    kept.told
}

struct Text {
    id: String,
    received: ReceivedText,
}

impl SubscriberState for Text {
    const QUERY: &'static str = TEXT;
    const TIMEOUT: usize = 12;

    fn variables(&self) -> Value {
        json!({ "id": self.id, "offset": self.received.length() })
    }

    fn take(&mut self, data: &Value) {
        let chunk = &data["messageText"];
        let offset = usize::try_from(chunk["offset"].as_u64().unwrap()).unwrap();
        self.received.pieces.push((offset, chunk["text"].as_str().unwrap().to_owned()));
        let status = chunk["status"].as_str().unwrap();
        self.received.ended = (status != "STREAMING").then(|| status.to_owned());
    }

    fn is_complete(&self, _: Option<&FinalState>) -> bool {
        self.received.ended.is_some()
    }
}

/// The text of an answer until it ends.
pub(super) async fn follow_text(
    front: Addresses,
    id: String,
    over_socket: bool,
    ending: watch::Receiver<Option<FinalState>>,
) -> ReceivedText {
    let mut kept = Text { id, received: ReceivedText::default() };
    follow(front, over_socket, ending, &mut kept).await;
    kept.received
}
