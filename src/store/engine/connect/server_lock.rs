//! The lock that allows one server on an SQLite database.
//!
//! A server holds an advisory lock on a file next to the database while it runs. The operating system releases the
//! lock when the process ends. The existence of the file means nothing. The file is never removed: otherwise two
//! processes could hold locks on two files of the same name.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::file_error::open_error;
use crate::permissions;

/// The suffix of the lock file.
pub(super) const SUFFIX: &str = ".lock";

/// Held while a server runs, and while the schema changes.
pub(in crate::store) struct ServerLock(File);

impl ServerLock {
    /// Locks an existing database. The lock file is next to the target of symbolic links.
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

    /// Releases the lock.
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
