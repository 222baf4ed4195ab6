//! What is checked of SQLite's file before it is opened, and why it could not be: SQLite itself says no more
//! than "unable to open database file".

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::file_error::open_error;
use crate::permissions;

/// What every database of SQLite begins with; an empty file becomes one.
/// <https://sqlite.org/fileformat.html#the_database_header>
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Makes an empty file, and its folders, where there is none. SQLite makes it a database, and gives what it
/// creates beside it the permissions of the file.
///
/// # Errors
/// It cannot become or be a database ([`check`]), or cannot be made.
pub(super) fn prepare(file: &Path) -> anyhow::Result<()> {
    check(file)?;
    if let Some(folder) = file.parent() {
        permissions::create_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    permissions::open_or_create(file).map(drop).map_err(|error| open_error(file, &error))
}

/// The file of a database and those that are created beside it.
pub(super) fn with_companions(file: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name: OsString = file.into();
        name.push(suffix);
        name.into()
    };
    ["", "-wal", "-shm", super::server_lock::SUFFIX].map(beside).to_vec()
}

/// Refuses a file that cannot become or be a database.
///
/// # Errors
/// It is a folder, something else than a database, or in something that is no folder; or it may not be read
/// and written.
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

/// Why a file that passed [`check`] could not be opened, where the system says more than SQLite: mostly
/// because its log cannot be made beside it.
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
    fn what_sqlite_says_stays_where_the_system_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let error = explain(&folder.path().join("a.db"), anyhow!("locked"));
        assert!(format!("{error:#}").ends_with("a.db: locked"), "{error:#}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
