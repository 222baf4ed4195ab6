//! The write lock of SQLite.
//!
//! SQLite lets one connection write at a time and makes the others poll. Two kinds of connections write here: that of
//! the write worker, and SeaORM's. Each first takes this lock, in the order of arrival, so within the process the
//! database is never busy. On PostgreSQL the lock does nothing.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::error::Error;
use crate::store::error::Result;

/// A fair lock, or none.
#[derive(Clone)]
pub(in crate::store) struct WriteLock {
    mutex: Option<Arc<Mutex<()>>>,
    timeout: Duration,
}

/// Held while writing.
#[must_use]
pub(in crate::store) struct WriteLockGuard(Option<OwnedMutexGuard<()>>);

impl WriteLock {
    /// One writer at a time. A writer waits for at most `timeout`.
    pub(in crate::store) fn exclusive(timeout: Duration) -> Self {
        Self { mutex: Some(Arc::default()), timeout }
    }

    /// Any number of writers.
    pub(in crate::store) fn unlimited() -> Self {
        Self { mutex: None, timeout: Duration::ZERO }
    }

    /// Waits for the lock.
    pub(in crate::store) async fn acquire(&self) -> Result<WriteLockGuard> {
        let Some(mutex) = &self.mutex else { return Ok(WriteLockGuard(None)) };
        let guard = tokio::time::timeout(self.timeout, mutex.clone().lock_owned()).await;
        let too_long = |_| {
            Error::Unavailable(DbErr::Custom(
                "the write lock was not free in time (`database.acquire_timeout`)".into(),
            ))
        };
        guard.map(|guard| WriteLockGuard(Some(guard))).map_err(too_long)
    }

    /// The same for a thread, without a timeout.
    pub(in crate::store) fn blocking_acquire(&self) -> WriteLockGuard {
        WriteLockGuard(self.mutex.clone().map(Mutex::blocking_lock_owned))
    }
}

impl WriteLockGuard {
    /// Whether other writers wait for it.
    pub(in crate::store) fn is_exclusive(&self) -> bool {
        self.0.is_some()
    }
}
