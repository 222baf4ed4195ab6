//! Figures of the write workers, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::histogram::{DURATIONS, Histogram, SIZES};

/// What the write workers of this process did.
pub struct WriterFigures {
    /// The number of writes in each batch.
    pub batch_sizes: Histogram,
    /// How long a batch took, from its first statement until it was durable, in seconds.
    pub batch_durations: Histogram,
    /// How long the commits of batches took, in seconds. Only on SQLite: on PostgreSQL the statement commits.
    pub commits: Histogram,
    /// How long the checkpoints of SQLite's log took, in seconds.
    pub checkpoints: Histogram,
    failed_checkpoints: AtomicU64,
}

/// When a batch was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchTimes {
    /// When its first statement could begin.
    pub(super) started: Instant,
    /// When its commit began, if that is a statement of its own.
    pub(super) committing: Option<Instant>,
    /// When it was durable, or had failed.
    pub(super) ended: Instant,
}

impl Default for WriterFigures {
    fn default() -> Self {
        Self {
            batch_sizes: Histogram::new(&SIZES),
            batch_durations: Histogram::new(&DURATIONS),
            commits: Histogram::new(&DURATIONS),
            checkpoints: Histogram::new(&DURATIONS),
            failed_checkpoints: AtomicU64::new(0),
        }
    }
}

impl WriterFigures {
    pub(super) fn written(&self, size: usize, times: BatchTimes) {
        let BatchTimes { started, committing, ended } = times;
        self.batch_sizes.observe(size as f64);
        self.batch_durations.observe(ended.saturating_duration_since(started).as_secs_f64());
        if let Some(committing) = committing {
            self.commits.observe(ended.saturating_duration_since(committing).as_secs_f64());
        }
    }

    pub(super) fn checkpointed(&self, duration: Duration, is_done: bool) {
        self.checkpoints.observe(duration.as_secs_f64());
        if !is_done {
            self.failed_checkpoints.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The checkpoints that failed, or that readers kept from truncating the log.
    pub fn failed_checkpoints(&self) -> u64 {
        self.failed_checkpoints.load(Ordering::Relaxed)
    }
}
