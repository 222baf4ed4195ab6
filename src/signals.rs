//! Signals: "look, something was committed". Never the thing itself.
//!
//! The database is the truth; a signal only wakes those who wait for signals of a topic. Signals are
//! coalesced, may come late, twice or for nothing, and are sent after the commit, outside its
//! transaction (inside, PostgreSQL's NOTIFY takes a lock that all commits share). Who is woken reads
//! the database from where it stands, so a lost signal costs time and never a message.
//!
//! Within the process signals are always delivered directly. Between replicas they travel over
//! PostgreSQL's LISTEN and NOTIFY ([`postgres`]) or over NATS ([`nats`]); when such a connection was
//! lost and is back, everybody is woken.

pub mod nats;
pub mod postgres;

mod outbox;
mod payload;
mod topic;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

use outbox::Outbox;
pub use topic::Topic;
use topic::TopicKey;

/// Wakes who waits, here and on other replicas. Clones share the waiting.
#[derive(Clone, Default)]
pub struct Signals(Arc<Inner>);

#[derive(Default)]
struct Inner {
    topics: Mutex<HashMap<TopicKey, watch::Sender<()>>>,
    /// What other replicas shall hear; `None` when there are none.
    outbox: Option<Outbox>,
}

/// Keeps the connections to other replicas; they end when it is dropped.
pub struct ReplicaLink {
    _tasks: JoinSet<()>,
}

impl Signals {
    /// Signals that other replicas shall hear, once a relay takes them there.
    pub fn between_replicas() -> Self {
        Self(Arc::new(Inner { topics: Mutex::default(), outbox: Some(Outbox::default()) }))
    }

    /// Starts listening. Everything committed from now on will wake the listener.
    pub fn listen(&self, topic: &Topic) -> Listener {
        let key = topic.key();
        let receiver = self.topics().entry(key).or_insert_with(|| watch::channel(()).0).subscribe();
        Listener { signals: self.clone(), key, receiver }
    }

    /// Wakes who listens to `topic`, here and on other replicas.
    pub fn signal(&self, topic: &Topic) {
        let key = topic.key();
        self.wake(key);
        if let Some(outbox) = &self.0.outbox {
            outbox.push(key);
        }
    }

    /// Wakes who listens here.
    fn wake(&self, key: TopicKey) {
        if let Some(sender) = self.topics().get(&key) {
            sender.send_replace(());
        }
    }

    /// Wakes everybody here: signals may have been lost.
    fn wake_all(&self) {
        for sender in self.topics().values() {
            sender.send_replace(());
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<TopicKey, watch::Sender<()>>> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for signals of one topic.
pub struct Listener {
    signals: Signals,
    key: TopicKey,
    receiver: watch::Receiver<()>,
}

impl Listener {
    /// Returns once there was a signal since the last call.
    pub async fn notified(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The sender stays in the map while there are listeners; without one nothing can come.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut topics = self.signals.topics();
        if topics.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            topics.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, OwnerId};

    #[tokio::test]
    async fn a_signal_before_the_wait_is_not_lost_and_the_last_listener_cleans_up() {
        let signals = Signals::default();
        let topic = Topic::Account(OwnerId::new("ada").unwrap());
        let mut one = signals.listen(&topic);
        let mut two = signals.listen(&topic);
        signals.signal(&topic);
        signals.signal(&topic);
        one.notified().await;
        two.notified().await;
        drop(one);
        signals.wake_all();
        two.notified().await;
        drop(two);
        assert!(signals.topics().is_empty());
        signals.signal(&topic);
    }

    #[test]
    fn topics_have_distinct_keys() {
        let id = uuid::Uuid::from_u128(7);
        let conversation = Topic::Conversation(ConversationId(id));
        let account = Topic::Account(OwnerId::new(id.to_string()).unwrap());
        assert_ne!(conversation.key(), account.key());
        assert_eq!(conversation.key(), Topic::Conversation(ConversationId(id)).key());
    }
}
