//! Figures of signals between replicas, for metrics.
//!
//! The servers that carry signals send each payload to its sender, too. The time until it is back shows how long signals
//! take, without comparing the clocks of two machines.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::histogram::{DURATIONS, Histogram};

/// The most payloads that are waited for. Older ones were lost.
const MAX_SENT: usize = 256;

pub(super) struct SignalFigures {
    pub(super) delays: Histogram,
    received: AtomicU64,
    /// The hashes of payloads that are not back yet, and when they were sent, in this order.
    sent: Mutex<VecDeque<(u64, Instant)>>,
}

impl Default for SignalFigures {
    fn default() -> Self {
        Self { delays: Histogram::new(&DURATIONS), received: AtomicU64::new(0), sent: Mutex::default() }
    }
}

impl SignalFigures {
    /// Notes a payload that is about to be sent.
    pub(super) fn sent(&self, payload: &str) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() == MAX_SENT {
            sent.pop_front();
        }
        sent.push_back((hash(payload), Instant::now()));
    }

    /// Takes the time of a payload of this process that was received. Payloads sent before it were lost.
    pub(super) fn came_back(&self, payload: &str) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = hash(payload);
        if let Some(at) = sent.iter().position(|(sent, _)| *sent == hash) {
            let (_, since) = sent[at];
            sent.drain(..=at);
            drop(sent);
            self.delays.observe(since.elapsed().as_secs_f64());
        }
    }

    /// Counts a payload of another replica.
    pub(super) fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

fn hash(payload: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_that_come_back_are_timed_and_lost_ones_are_forgotten() {
        let figures = SignalFigures::default();
        for payload in ["lost", "a", "b"] {
            figures.sent(payload);
        }
        figures.came_back("a");
        figures.came_back("lost");
        figures.came_back("of nobody");
        assert_eq!(figures.delays.read().count, 1);
        figures.came_back("b");
        assert_eq!(figures.delays.read().count, 2);
        for number in 0..2 * MAX_SENT {
            figures.sent(&number.to_string());
        }
        assert_eq!(figures.sent.lock().unwrap().len(), MAX_SENT);
    }
}
