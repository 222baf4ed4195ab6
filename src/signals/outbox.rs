//! Signals to other replicas that were not sent yet.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::topic::TopicKey;

/// If more topics are pending, all listeners are woken instead: the connection was lost for a long time.
const MAX_TOPICS: usize = 10_000;

/// The signals to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PendingSignals {
    /// Wake the listeners of these topics.
    Topics(Vec<TopicKey>),
    /// Wake all listeners, because too many topics were pending.
    AllTopics,
}

#[derive(Default)]
pub(super) struct Outbox {
    pending: Mutex<Pending>,
    filled: Notify,
}

#[derive(Default)]
struct Pending {
    keys: HashSet<TopicKey>,
    overflowed: bool,
}

impl Outbox {
    /// Adds a topic. A topic that is already pending is sent once.
    pub(super) fn push(&self, key: TopicKey) {
        {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if pending.keys.len() >= MAX_TOPICS {
                pending.overflowed = true;
                pending.keys.clear();
            }
            if !pending.overflowed {
                pending.keys.insert(key);
            }
        }
        self.filled.notify_one();
    }

    /// Waits for signals and takes all of them.
    pub(super) async fn take(&self) -> PendingSignals {
        loop {
            {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                let Pending { keys, overflowed } = mem::take(&mut *pending);
                if overflowed {
                    return PendingSignals::AllTopics;
                }
                if !keys.is_empty() {
                    return PendingSignals::Topics(keys.into_iter().collect());
                }
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn topics_are_coalesced_and_overflow_wakes_all_topics() {
        let outbox = Outbox::default();
        outbox.push(7);
        outbox.push(7);
        assert_eq!(outbox.take().await, PendingSignals::Topics(vec![7]));
        for key in 0..=MAX_TOPICS as TopicKey {
            outbox.push(key);
        }
        outbox.push(1);
        assert_eq!(outbox.take().await, PendingSignals::AllTopics);
        outbox.push(2);
        assert_eq!(outbox.take().await, PendingSignals::Topics(vec![2]));
    }
}
