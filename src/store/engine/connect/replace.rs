//! Puts a restored SQLite database into its place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use migration::{Migrator, MigratorTrait};
use rusqlite::{Connection, OpenFlags};

use super::database_file;
use super::server_lock::ServerLock;
use super::settings::Settings;

/// What is added to the name of a database that is moved aside.
const ASIDE: &str = ".before-restore";

/// The place of an SQLite database that is restored.
pub struct SqliteTarget {
    file: PathBuf,
}

impl SqliteTarget {
    /// The database of the settings. `None` for PostgreSQL.
    ///
    /// # Errors
    /// The setting is not valid, or the folder cannot be made.
    pub fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(file) = settings.sqlite_file()? else { return Ok(None) };
        let file = file.canonicalize().unwrap_or(file);
        if file.exists() {
            database_file::prepare(&file)?;
        }
        Ok(Some(Self { file }))
    }

    /// The folder of the database, which is made if it does not exist.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        crate::permissions::create_folder(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder.to_owned())
    }

    /// Rejects a database that is not empty. With `force` it will be moved aside.
    ///
    /// # Errors
    /// It is not empty, or cannot be read; or there is a database aside already.
    pub fn check(&self, force: bool) -> anyhow::Result<()> {
        let name = self.file.display();
        if force {
            let aside = self.aside();
            if self.file.exists() && aside.exists() {
                bail!("{} is there already: move it away, or remove it", aside.display());
            }
            return Ok(());
        }
        if has_data(&self.file).with_context(|| format!("cannot read the database {name}"))? {
            bail!("the database {name} is not empty: restore to another, or move it aside with --force");
        }
        Ok(())
    }

    /// Puts a database into its place, under the lock that excludes servers. What is there is moved aside, or removed
    /// if it is empty.
    ///
    /// # Errors
    /// A server uses the database, [`SqliteTarget::check`] fails, or a file cannot be renamed.
    pub fn replace(&self, restored: &Path, force: bool) -> anyhow::Result<Option<PathBuf>> {
        let name = self.file.display();
        // The lock is a file of its own beside the database, so it stays while that is replaced.
        database_file::prepare(&self.file)?;
        let _lock = ServerLock::acquire(&self.file)?;
        self.check(force)?;
        let cannot_replace = || format!("cannot replace the database {name}");
        let mut aside = None;
        let is_used = fs::metadata(&self.file).with_context(cannot_replace)?.len() > 0;
        if is_used {
            // Closing the last connection copies the log into the file and removes it.
            settle(&self.file).with_context(cannot_replace)?;
            if force {
                let path = self.aside();
                fs::rename(&self.file, &path).with_context(cannot_replace)?;
                aside = Some(path);
            }
        }
        // The log of another database must not be applied to this one.
        for suffix in ["-wal", "-shm"] {
            let mut companion: OsString = self.file.clone().into();
            companion.push(suffix);
            match fs::remove_file(&companion) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(cannot_replace);
                }
                _ => {}
            }
        }
        fs::rename(restored, &self.file).with_context(cannot_replace)?;
        let folder = self.folder()?;
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot_replace)?;
        Ok(aside)
    }

    fn aside(&self) -> PathBuf {
        let mut name: OsString = self.file.clone().into();
        name.push(ASIDE);
        name.into()
    }
}

/// Rejects a file that is not a sound database of Scrollback, of this version or an older one.
///
/// # Errors
/// It is damaged, another application's, or a newer version's.
pub fn check_sqlite_file(file: &Path) -> anyhow::Result<()> {
    let connection = open(file).context("it is not an SQLite database")?;
    let damaged = "the SQLite database in it is damaged";
    let faults: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).context(damaged)?;
    if faults != "ok" {
        bail!("{damaged}: {faults}");
    }
    let mut applied = connection
        .prepare("SELECT version FROM seaql_migrations ORDER BY version")
        .context("the SQLite database in it is not Scrollback's")?;
    let applied: Vec<String> =
        applied.query_map([], |row| row.get(0)).and_then(Iterator::collect).context(damaged)?;
    let known: Vec<String> = Migrator::migrations().iter().map(|known| known.name().to_owned()).collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        bail!("it has the migration {unknown}, which this version does not know: use a newer version");
    }
    if applied.is_empty() {
        bail!("the SQLite database in it is not Scrollback's");
    }
    Ok(())
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags)
}

/// What a database must not have to be replaced: users, and what is left of erased ones.
const KEPT: [&str; 3] = ["account", "audit_entry", "signing_key"];

/// Whether a database has something to lose. A file that does not exist has nothing.
fn has_data(file: &Path) -> rusqlite::Result<bool> {
    if !fs::metadata(file).is_ok_and(|found| found.len() > 0) {
        return Ok(false);
    }
    let connection = open(file)?;
    let exists = |table: &str| {
        let find = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
        connection.query_row(find, [table], |row| row.get::<_, bool>(0))
    };
    if !exists("account")? {
        // Somebody else's.
        return connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0));
    }
    for table in KEPT {
        let rows = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if exists(table)? && connection.query_row(&rows, [], |row| row.get::<_, bool>(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies the log of a database into its file.
fn settle(file: &Path) -> rusqlite::Result<()> {
    let connection = open(file)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}
