//! Signals: notifications that something was committed.
//!
//! A signal wakes the listeners of a topic, and they read the database from their position. So a lost signal
//! delays an item but loses none. Signals are coalesced and may arrive late, twice or without a change. They
//! are sent after the commit, outside of its transaction: within it, NOTIFY of PostgreSQL takes a lock that
//! all commits share.
//!
//! Within the process signals are delivered directly. Between replicas they are sent over LISTEN and NOTIFY
//! of PostgreSQL ([`postgres`]) or over NATS ([`nats`]). When such a connection was lost and is restored, all
//! listeners are woken.
//!
//! Signals carry no data, with one exception: text of a streaming message that was committed in this process
//! ([`CommittedText`]). A listener that has all text before it does not have to read it.

pub mod nats;
pub mod postgres;

mod figures;
mod mailbox;
mod outbox;
mod payload;
mod topic;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::model::{CommittedText, MessageId};
use figures::SignalFigures;
use mailbox::Mailbox;
pub use mailbox::Notification;
use outbox::Outbox;
pub use topic::Topic;
use topic::TopicKey;

/// Wakes listeners in this process and on other replicas. Clones share the listeners.
#[derive(Clone, Default)]
pub struct Signals(Arc<Inner>);

#[derive(Default)]
struct Inner {
    figures: SignalFigures,
    topics: Mutex<Topics>,
    /// Signals to send to other replicas. `None` if there are none.
    outbox: Option<Outbox>,
}

/// The mailboxes of the listeners of each topic.
type Topics = HashMap<TopicKey, Vec<Arc<Mailbox>>>;

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
        let mailbox = Arc::new(Mailbox::default());
        self.topics().entry(key).or_default().push(mailbox.clone());
        Listener { signals: self.clone(), key, mailbox }
    }

    /// Wakes the listeners of `topic`, in this process and on other replicas.
    pub fn signal(&self, topic: &Topic) {
        let key = topic.key();
        self.wake(key);
        self.send(key);
    }

    /// Hands text to the listeners of its message in this process, and wakes those on other replicas. `text` is called
    /// if there are listeners.
    pub fn signal_text(&self, message: MessageId, text: impl FnOnce() -> CommittedText) {
        let key = Topic::Message(message).key();
        // The text can be long, and all signals share the lock.
        let mailboxes = self.topics().get(&key).cloned();
        if let Some(mailboxes) = mailboxes {
            let text = Arc::new(text());
            mailboxes.iter().for_each(|mailbox| mailbox.add_text(&text));
        }
        self.send(key);
    }

    /// Wakes the listeners of `topic` on other replicas only.
    pub fn signal_replicas(&self, topic: &Topic) {
        self.send(topic.key());
    }

    /// How long signals took to the server between the replicas and back, in seconds.
    pub fn delays(&self) -> &Histogram {
        &self.0.figures.delays
    }

    /// The number of messages with signals from other replicas.
    pub fn received(&self) -> u64 {
        self.0.figures.received()
    }

    /// Wakes the listeners on other replicas.
    fn send(&self, key: TopicKey) {
        if let Some(outbox) = &self.0.outbox {
            outbox.push(key);
        }
    }

    /// Wakes the listeners in this process.
    fn wake(&self, key: TopicKey) {
        self.topics().get(&key).into_iter().flatten().for_each(|mailbox| mailbox.signal());
    }

    /// Wakes all listeners in this process, because signals may have been lost.
    fn wake_all(&self) {
        self.topics().values().flatten().for_each(|mailbox| mailbox.signal());
    }

    /// Removes the mailbox of a listener.
    fn remove(&self, key: TopicKey, mailbox: &Arc<Mailbox>) {
        let mut topics = self.topics();
        if let Some(mailboxes) = topics.get_mut(&key) {
            mailboxes.retain(|other| !Arc::ptr_eq(other, mailbox));
            if mailboxes.is_empty() {
                topics.remove(&key);
            }
        }
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to one topic.
pub struct Listener {
    signals: Signals,
    key: TopicKey,
    mailbox: Arc<Mailbox>,
}

impl Listener {
    /// Returns what came since the last call, as soon as there is something.
    pub async fn notified(&mut self) -> Notification {
        self.mailbox.notified().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.signals.remove(self.key, &self.mailbox);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::model::{ConversationId, MessageStatus, OwnerId, TextChunk};

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
    fn every_listener_of_a_message_is_handed_its_text() {
        let message = MessageId(uuid::Uuid::from_u128(7));
        let text = || CommittedText {
            owner: OwnerId::new("ada").unwrap(),
            message,
            chunk: TextChunk { offset: 0, text: "a".into(), status: MessageStatus::Streaming },
        };
        let signals = Signals::default();
        signals.signal_text(message, || panic!("nobody listens"));
        let listeners = [(); 2].map(|()| signals.listen(&Topic::Message(message)));
        signals.signal_text(message, text);
        for mut listener in listeners {
            let Some(Notification::Texts(texts, _)) = listener.notified().now_or_never() else { panic!() };
            assert_eq!(texts, [Arc::new(text())]);
        }
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
