//! Signals: "look, something was committed". Never the thing itself.
//!
//! The database is the truth; a signal only wakes those who wait for news of a topic. Signals are
//! coalesced, may come late, twice or for nothing, and are sent after the commit. Who is woken
//! reads the database from where it stands, so a lost signal costs time and never a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::{ConversationId, OwnerId};

/// What there may be news of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A conversation's messages.
    Conversation(ConversationId),
    /// Anything an owner has.
    Account(OwnerId),
}

/// Wakes who waits in this process. Clones share the waiting.
#[derive(Clone, Default)]
pub struct Signals(Arc<Mutex<HashMap<Topic, watch::Sender<()>>>>);

impl Signals {
    /// Starts listening. Everything committed from now on will wake the listener.
    pub fn listen(&self, topic: Topic) -> Listener {
        let receiver = self.topics().entry(topic.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Listener { signals: self.clone(), topic, receiver }
    }

    /// Wakes who listens to `topic`.
    pub fn signal(&self, topic: &Topic) {
        if let Some(sender) = self.topics().get(topic) {
            sender.send_replace(());
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for news of one topic.
pub struct Listener {
    signals: Signals,
    topic: Topic,
    receiver: watch::Receiver<()>,
}

impl Listener {
    /// Returns once there was a signal since the last call.
    pub async fn signalled(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The sender stays in the map while there are listeners; without one nothing can come.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut topics = self.signals.topics();
        if topics.get(&self.topic).is_some_and(|sender| sender.receiver_count() <= 1) {
            topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_before_the_wait_is_not_lost_and_the_last_listener_cleans_up() {
        let signals = Signals::default();
        let topic = Topic::Account(OwnerId::new("ada").unwrap());
        let mut one = signals.listen(topic.clone());
        let mut two = signals.listen(topic.clone());
        signals.signal(&topic);
        signals.signal(&topic);
        one.signalled().await;
        two.signalled().await;
        drop(one);
        signals.signal(&topic);
        two.signalled().await;
        drop(two);
        assert!(signals.topics().is_empty());
        signals.signal(&topic);
    }
}
