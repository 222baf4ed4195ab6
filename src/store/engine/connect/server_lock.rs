//! One server at a time on an SQLite database.
//!
//! A server holds an advisory lock on a file beside the database as long as it runs. The operating system
//! releases the lock when the process ends, however it ends. So the existence of the file means nothing, and it
//! is never removed: two processes could otherwise hold locks on two files of the same name.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::file_error::open_error;
use crate::permissions;

/// What the name of the database file is followed by.
pub(super) const SUFFIX: &str = ".lock";

/// Held while a server runs, and while the schema changes.
pub(in crate::store) struct ServerLock(File);

impl ServerLock {
    /// Locks an existing database, whatever path leads to it.
    ///
    /// # Errors
    /// Another process holds the lock, or the file cannot be created or locked.
    pub(super) fn acquire(database: &Path) -> anyhow::Result<Self> {
        let path = database.canonicalize().map_err(|error| open_error(database, &error))?;
        let opened = permissions::open_or_create(&lock_file(&path));
        let file = opened.map_err(|error| open_error(database, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "another Scrollback server uses the SQLite database {}: stop it, set `database.url` to another \
                 file, or use PostgreSQL, which takes several servers",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(open_error(&lock_file(&path), &error)),
        }
    }

    /// Lets another process have it.
    pub(in crate::store) fn release(&self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of the database is kept until the process ends");
        }
    }
}

fn lock_file(database: &Path) -> PathBuf {
    let mut name: OsString = database.into();
    name.push(SUFFIX);
    name.into()
}
