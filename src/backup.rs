//! Backups of the whole database, and restores.
//!
//! A backup is one zstd frame with a checksum. On SQLite it has the database file, as it was when the backup began. On
//! PostgreSQL it has the exports of all users from one state of the database, one after the other
//! ([`crate::model::BackupRecord`]).
//!
//! A restore reads the whole file and checks it before it changes anything.

mod file;
mod lines;
mod logical;
mod restore;
mod sections;
mod spool;

pub use file::BackupFile;
pub use logical::write_all_users;
pub use restore::{RestoredUsers, restore_users};
pub use spool::{Backup, UsersBackup};

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Context;

use crate::store::{self, copy_sqlite_database};

/// Writes a backup of an SQLite database. It blocks the thread.
///
/// The database is first copied to a temporary file in `folder`, because a copy takes less time than compression, and the
/// log of the database grows meanwhile. `progress` gets the bytes that were copied or compressed, and all.
///
/// # Errors
/// The database cannot be read, or the backup cannot be written.
pub fn write_sqlite_database(
    settings: &store::Settings,
    folder: &Path,
    output: &mut BackupFile,
    bytes_per_second: u64,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<()> {
    let copy = tempfile::Builder::new().prefix(".scrollback-backup-").tempfile_in(folder);
    let copy = copy.with_context(|| format!("cannot write to {}", folder.display()))?;
    copy_sqlite_database(settings, copy.path(), bytes_per_second, |done, all| progress(done, 2 * all))?;
    let mut file = File::open(copy.path()).context("cannot read the copy of the database")?;
    let bytes = file.metadata().context("cannot read the copy of the database")?.len();
    let mut reader = file::Counted::new(&mut file, |done| progress(bytes + done, 2 * bytes));
    output.write_with(Some(bytes), |encoder| io::copy(&mut reader, encoder).map(drop))
}
