//! The parts of an operation whose times are recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::kind::Kind;

/// A part of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Parsing and validating the document.
    Validate,
    /// A read from the database, with its wait in the queue.
    Read,
    /// The wait of a write: in the queue, and for the write lock.
    QueueWait,
    /// The statements of a write. On PostgreSQL those of an append commit, too.
    Write,
    /// The commit of a write.
    Commit,
}

/// The number of parts.
const PARTS: usize = 5;

impl Part {
    /// The name of its span.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Read => "read",
            Self::QueueWait => "queue wait",
            Self::Write => "write",
            Self::Commit => "commit",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Validate | Self::QueueWait => Kind::Internal,
            Self::Read | Self::Write | Self::Commit => Kind::Client,
        }
    }

    /// Whether the database does it.
    pub(super) fn is_of_database(self) -> bool {
        self.kind() == Kind::Client
    }
}

/// The times that the parts of an operation have taken so far. Parts that run at the same time are added.
#[derive(Debug, Default)]
pub(super) struct Totals([AtomicU64; PARTS]);

impl Totals {
    pub(super) fn add(&self, part: Part, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0[part as usize].fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> PartTimes {
        let of = |part: Part| Duration::from_nanos(self.0[part as usize].load(Ordering::Relaxed));
        PartTimes {
            validate: of(Part::Validate),
            read: of(Part::Read),
            queue_wait: of(Part::QueueWait),
            write: of(Part::Write),
            commit: of(Part::Commit),
        }
    }
}

/// How long the parts of an operation took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartTimes {
    /// As [`Part::Validate`].
    pub validate: Duration,
    /// As [`Part::Read`].
    pub read: Duration,
    /// As [`Part::QueueWait`].
    pub queue_wait: Duration,
    /// As [`Part::Write`].
    pub write: Duration,
    /// As [`Part::Commit`].
    pub commit: Duration,
}
