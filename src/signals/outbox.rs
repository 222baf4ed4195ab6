//! What other replicas shall hear, gathered until the relay takes it.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::topic::TopicKey;

/// Past this many, everybody is woken instead of each: the relay has been away for long.
const MAX_TOPICS: usize = 10_000;

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PendingSignals {
    /// These topics.
    Topics(Vec<TopicKey>),
    /// There was too much to keep.
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
    /// Adds a topic; one that waits already is sent once.
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

    /// Waits until there is something, and takes all of it.
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
