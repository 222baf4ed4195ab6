//! Signals: notifications that something was committed. They carry no data.
//!
//! A signal wakes the listeners of a topic, and they read the database from their position. So a lost signal
//! delays an item but loses none. Signals are coalesced and may arrive late, twice or without a change. They
//! are sent after the commit, outside of its transaction: within it, NOTIFY of PostgreSQL takes a lock that
//! all commits share.
//!
//! Within the process signals are delivered directly. Between replicas they are sent over LISTEN and NOTIFY
//! of PostgreSQL ([`postgres`]) or over NATS ([`nats`]). When such a connection was lost and is restored, all
//! listeners are woken.

pub mod nats;
pub mod postgres;

mod figures;
mod outbox;
mod payload;
mod topic;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use figures::SignalFigures;
use outbox::Outbox;
pub use topic::Topic;
use topic::TopicKey;

/// Wakes listeners in this process and on other replicas. Clones share the listeners.
#[derive(Clone, Default)]
pub struct Signals(Arc<Inner>);

#[derive(Default)]
struct Inner {
    figures: SignalFigures,
    topics: Mutex<HashMap<TopicKey, watch::Sender<()>>>,
    /// Signals to send to other replicas. `None` if there are none.
    outbox: Option<Outbox>,
}

/// The connections to other replicas. They are closed when this is dropped.
pub struct ReplicaLink {
    _tasks: JoinSet<()>,
}

impl Signals {
    /// Signals that are also sent to other replicas, once a [`ReplicaLink`] exists.
    pub fn between_replicas() -> Self {
        Self(Arc::new(Inner { outbox: Some(Outbox::default()), ..Inner::default() }))
    }

    /// Registers a listener. It is woken by everything that is committed from now on.
    pub fn listen(&self, topic: &Topic) -> Listener {
        let key = topic.key();
        let receiver = self.topics().entry(key).or_insert_with(|| watch::channel(()).0).subscribe();
        Listener { signals: self.clone(), key, receiver }
    }

    /// Wakes the listeners of `topic`, in this process and on other replicas.
    pub fn signal(&self, topic: &Topic) {
        let key = topic.key();
        self.wake(key);
        if let Some(outbox) = &self.0.outbox {
            outbox.push(key);
        }
    }

    /// Wakes the listeners of `topic` on other replicas only.
    pub fn signal_replicas(&self, topic: &Topic) {
        if let Some(outbox) = &self.0.outbox {
            outbox.push(topic.key());
        }
    }

    /// How long signals took to the server between the replicas and back, in seconds.
    pub fn delays(&self) -> &Histogram {
        &self.0.figures.delays
    }

    /// The number of messages with signals from other replicas.
    pub fn received(&self) -> u64 {
        self.0.figures.received()
    }

    /// Wakes the listeners in this process.
    fn wake(&self, key: TopicKey) {
        if let Some(sender) = self.topics().get(&key) {
            sender.send_replace(());
        }
    }

    /// Wakes all listeners in this process, because signals may have been lost.
    fn wake_all(&self) {
        for sender in self.topics().values() {
            sender.send_replace(());
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<TopicKey, watch::Sender<()>>> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to one topic.
pub struct Listener {
    signals: Signals,
    key: TopicKey,
    receiver: watch::Receiver<()>,
}

impl Listener {
    /// Returns when there was a signal since the last call.
    pub async fn notified(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The sender stays in the map while it has listeners, so this does not happen.
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
