//! What retention has done since the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::RetentionReason;

/// Counters of conversations, one for each reason.
#[derive(Default)]
pub(super) struct RetentionFigures([AtomicU64; RetentionReason::ALL.len()]);

impl RetentionFigures {
    fn counter(&self, reason: RetentionReason) -> &AtomicU64 {
        let [trash, expired, deleted, archived] = &self.0;
        match reason {
            RetentionReason::Trash => trash,
            RetentionReason::Expired => expired,
            RetentionReason::InactiveDelete => deleted,
            RetentionReason::InactiveArchive => archived,
        }
    }

    pub(super) fn add(&self, reason: RetentionReason) {
        self.counter(reason).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self, reason: RetentionReason) -> u64 {
        self.counter(reason).load(Ordering::Relaxed)
    }
}
