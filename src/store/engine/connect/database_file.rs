//! Checks of the SQLite file before and after opening it. SQLite itself reports only "unable to open database file".

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::file_error::open_error;
use crate::permissions;

/// The header of every SQLite database. An empty file is a valid new database.
/// <https://sqlite.org/fileformat.html#the_database_header>
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Creates an empty file and its folders if there is none. SQLite turns it into a database, and gives the files that
/// it creates next to it the same permissions.
pub(super) fn prepare(file: &Path) -> anyhow::Result<()> {
    check(file)?;
    if let Some(folder) = file.parent() {
        permissions::create_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    permissions::open_or_create(file).map(drop).map_err(|error| open_error(file, &error))
}

/// The file of a database and its companions.
pub(super) fn with_companions(file: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name: OsString = file.into();
        name.push(suffix);
        name.into()
    };
    ["", "-wal", "-shm", super::server_lock::SUFFIX].map(beside).to_vec()
}

/// Rejects a file that cannot become or be a database.
///
/// # Errors
/// It is a folder or not a database, its parent is not a folder, or it cannot be read and written.
fn check(file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    if let Some(parent) = file.ancestors().skip(1).find(|parent| parent.exists())
        && !parent.is_dir()
    {
        bail!("cannot open the database {name}: {} is a file, not a folder", parent.display());
    }
    let Ok(metadata) = file.metadata() else { return Ok(()) };
    if metadata.is_dir() {
        bail!("cannot open the database {name}: it is a folder; `database.url` must name a file");
    }
    if !metadata.is_file() {
        bail!("cannot open the database {name}: it is not a regular file");
    }
    let opened = OpenOptions::new().read(true).write(true).open(file);
    let mut start = Vec::new();
    opened
        .and_then(|opened| opened.take(HEADER.len() as u64).read_to_end(&mut start))
        .map_err(|error| open_error(file, &error))?;
    if !start.is_empty() && start != HEADER {
        bail!("{name} is not an SQLite database: move it away, or set `database.url` to another file");
    }
    Ok(())
}

/// Explains why a file that passed [`check`] could not be opened, if the system says more than SQLite. Usually the
/// log cannot be created next to it.
pub(super) fn explain(file: &Path, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let trial = folder.join(format!(".scrollback-{:x}", rand::random::<u64>()));
    match OpenOptions::new().write(true).create_new(true).open(&trial) {
        Err(fault) => open_error(file, &fault),
        Ok(_) => {
            let _ = std::fs::remove_file(&trial);
            error.into().context(format!("cannot open the database {}", file.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_read_only_file_system_is_named() {
        let error = std::io::Error::from(ErrorKind::ReadOnlyFilesystem);
        let message = open_error(Path::new("a.db"), &error).to_string();
        assert_eq!(message, "cannot open the database a.db: its file system is read-only");
    }

    #[test]
    fn the_error_of_sqlite_is_kept_if_the_system_reports_none() {
        let folder = tempfile::tempdir().unwrap();
        let error = explain(&folder.path().join("a.db"), anyhow!("locked"));
        assert!(format!("{error:#}").ends_with("a.db: locked"), "{error:#}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
