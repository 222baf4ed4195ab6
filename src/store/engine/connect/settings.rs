//! Settings of the connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, DatabaseConnection};

use crate::model::{FileRules, ShareRules};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::hot::writer::Bounds;

/// The purpose of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// A server. SQLite allows one at a time.
    Server,
    /// A command. It can run next to a server.
    Command,
}

/// The contents of attachments.
#[derive(Clone)]
pub struct FileSettings {
    /// A folder, or the URL of an object store.
    pub storage: String,
    /// What is allowed. `None`: attachments are turned off.
    pub rules: Option<FileRules>,
}

/// How to open the database.
#[derive(Clone)]
pub struct Settings {
    /// The purpose of the process.
    pub process: Process,
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// The maximum number of connections. SQLite has one more, which writes.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// The timeout of statements on PostgreSQL, and of reads on SQLite.
    pub statement_timeout: Duration,
    /// Whether to apply pending migrations. Otherwise they are an error.
    pub migrate: bool,
    /// The limits of the write queue.
    pub writes: Bounds,
    /// What may be shared.
    pub shares: ShareRules,
    /// The contents of attachments. `None`: there is no place for them.
    pub files: Option<FileSettings>,
    /// How long after an erasure writes of the user are refused: those that were on their way.
    pub erasure_settle: Duration,
    /// The mode of row-level security on PostgreSQL.
    pub row_level_security: RowLevelSecurity,
}

impl Settings {
    /// The file of an SQLite database. None for PostgreSQL.
    pub(in crate::store) fn sqlite_file(&self) -> anyhow::Result<Option<PathBuf>> {
        if !self.url.starts_with("sqlite:") {
            return Ok(None);
        }
        let target: SqliteConnectOptions = self.url.parse().context("cannot read the database URL")?;
        let file = target.get_filename().to_owned();
        let in_memory = file == Path::new(":memory:") || self.url.contains("mode=memory");
        if file.as_os_str().is_empty() || in_memory {
            bail!(
                "`database.url` names a database in memory, which loses all data at exit: use a file, sqlite://path"
            );
        }
        Ok(Some(file))
    }
}

pub(super) struct Pools {
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
}

pub(super) fn common_options(settings: &Settings) -> ConnectOptions {
    let mut options = ConnectOptions::new(settings.url.clone());
    // Statements have no texts in them, but their parameters have. sqlx must not log them.
    options.sqlx_logging(false).record_stmt_in_spans(false).acquire_timeout(settings.acquire_timeout);
    options
}
