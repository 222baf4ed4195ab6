//! Whose turn it is to write, where only one can.
//!
//! SQLite lets one connection write at a time and makes the others poll. Here two kinds of connection
//! write, the writer's and SeaORM's, so each first takes a turn, in the order they came; within the
//! process the database is never found busy. On PostgreSQL everybody may write at once.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::error::Error;
use crate::store::error::Result;

/// Gives the turns.
#[derive(Clone)]
pub(in crate::store) struct WriteLock {
    queue: Option<Arc<Mutex<()>>>,
    patience: Duration,
}

/// Held while writing.
#[must_use]
pub(in crate::store) struct WriteLockGuard(Option<OwnedMutexGuard<()>>);

impl WriteLock {
    /// One at a time, each waiting for at most `patience`.
    pub(in crate::store) fn one_by_one(patience: Duration) -> Self {
        Self { queue: Some(Arc::default()), patience }
    }

    /// All at once.
    pub(in crate::store) fn free() -> Self {
        Self { queue: None, patience: Duration::ZERO }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Unavailable` when it takes too long.
    pub(in crate::store) async fn take(&self) -> Result<WriteLockGuard> {
        let Some(queue) = &self.queue else { return Ok(WriteLockGuard(None)) };
        let guard = tokio::time::timeout(self.patience, queue.clone().lock_owned()).await;
        let too_long = |_| Error::Unavailable(DbErr::Custom("other writes take too long".into()));
        guard.map(|guard| WriteLockGuard(Some(guard))).map_err(too_long)
    }

    /// The same for a thread, however long it takes.
    pub(in crate::store) fn blocking_take(&self) -> WriteLockGuard {
        WriteLockGuard(self.queue.clone().map(Mutex::blocking_lock_owned))
    }
}

impl WriteLockGuard {
    /// Whether anybody else must wait meanwhile.
    pub(in crate::store) fn is_exclusive(&self) -> bool {
        self.0.is_some()
    }
}
