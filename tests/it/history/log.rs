//! Acknowledged and stored messages, and whether they agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::Client;

/// An append that was acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) conversation: String,
    pub(super) id: String,
    /// `None` for a streaming message.
    pub(super) content: Option<String>,
    pub(super) position: i64,
    pub(super) sent: Instant,
    pub(super) acknowledged: Instant,
}

/// A message as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: i64,
    pub(super) id: String,
    pub(super) content: String,
    pub(super) status: String,
}

impl Entry {
    /// Whether a read of the stored message may have returned this.
    pub(super) fn can_become(&self, stored: &Self) -> bool {
        let grew = self.status == "STREAMING" && stored.content.starts_with(&self.content);
        *self == *stored || (grew && (self.position, &self.id) == (stored.position, &stored.id))
    }
}

/// A conversation as it was read once.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) conversation: String,
    pub(super) began: Instant,
    pub(super) entries: Vec<Entry>,
}

pub(super) type Log = BTreeMap<String, Vec<Entry>>;

pub(super) fn entry(node: &Value) -> Entry {
    let text = |name: &str| node[name].as_str().unwrap().to_owned();
    let position = node["position"].as_i64().unwrap();
    Entry { position, id: text("id"), content: text("content"), status: text("status") }
}

const PAGE: &str = "query($id: ID!, $after: String) {
  conversation(id: $id) {
    messages(first: 100, after: $after) { nodes { id position content status } pageInfo { endCursor hasNextPage } }
  }
}";

/// A whole conversation; `None` when a page could not be had.
pub(super) async fn read(client: &Client, conversation: &str) -> Option<Vec<Entry>> {
    let (mut entries, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = client.attempt(PAGE, json!({ "id": conversation, "after": after })).await?;
        let messages = &answer["conversation"]["messages"];
        entries.extend(messages["nodes"].as_array()?.iter().map(entry));
        let positions: Vec<i64> = entries.iter().map(|entry| entry.position).collect();
        assert_eq!(
            positions,
            (1..=i64::try_from(entries.len()).unwrap()).collect::<Vec<_>>(),
            "holes or doubles"
        );
        if messages["pageInfo"]["hasNextPage"] == false {
            return Some(entries);
        }
        after = messages["pageInfo"]["endCursor"].clone();
    }
}

/// Checks the stored messages against the acknowledgements.
pub(super) fn check(log: &Log, acknowledged: &[Acknowledged]) {
    let ids: BTreeSet<&str> = log.values().flatten().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids.len(), log.values().map(Vec::len).sum::<usize>(), "an id stands twice");
    // Each conversation began with one message of its own.
    assert_eq!(ids.len(), acknowledged.len() + log.len(), "something is lost, or was never sent");
    for ack in acknowledged {
        let entry = &log[&ack.conversation][usize::try_from(ack.position).unwrap() - 1];
        assert_eq!((entry.position, &entry.id), (ack.position, &ack.id));
        if let Some(content) = &ack.content {
            assert_eq!((&entry.content, &*entry.status), (content, "COMPLETE"));
        }
    }
    // A message that was acknowledged before another was sent has a lower position.
    for (conversation, entries) in log {
        let mut acks: Vec<_> = acknowledged.iter().filter(|ack| ack.conversation == *conversation).collect();
        acks.sort_by_key(|ack| ack.position);
        assert_eq!(acks.len() + 1, entries.len());
        let mut latest_sent: Option<Instant> = None;
        for ack in &acks {
            if let Some(latest) = latest_sent {
                assert!(
                    ack.acknowledged >= latest,
                    "{ack:?} stands after what was sent after its acknowledgement"
                );
            }
            latest_sent = latest_sent.max(Some(ack.sent));
        }
    }
}
