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
    mutex: Option<Arc<Mutex<()>>>,
    timeout: Duration,
}

/// Held while writing.
#[must_use]
pub(in crate::store) struct WriteLockGuard(Option<OwnedMutexGuard<()>>);

impl WriteLock {
    /// One at a time, each waiting for at most `timeout`.
    pub(in crate::store) fn exclusive(timeout: Duration) -> Self {
        Self { mutex: Some(Arc::default()), timeout }
    }

    /// All at once.
    pub(in crate::store) fn unlimited() -> Self {
        Self { mutex: None, timeout: Duration::ZERO }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Unavailable` when it takes too long.
    pub(in crate::store) async fn acquire(&self) -> Result<WriteLockGuard> {
        let Some(mutex) = &self.mutex else { return Ok(WriteLockGuard(None)) };
        let guard = tokio::time::timeout(self.timeout, mutex.clone().lock_owned()).await;
        let too_long = |_| Error::Unavailable(DbErr::Custom("other writes take too long".into()));
        guard.map(|guard| WriteLockGuard(Some(guard))).map_err(too_long)
    }

    /// The same for a thread, however long it takes.
    pub(in crate::store) fn blocking_acquire(&self) -> WriteLockGuard {
        WriteLockGuard(self.mutex.clone().map(Mutex::blocking_lock_owned))
    }
}

impl WriteLockGuard {
    /// Whether anybody else must wait meanwhile.
    pub(in crate::store) fn is_exclusive(&self) -> bool {
        self.0.is_some()
    }
}
