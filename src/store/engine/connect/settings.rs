//! How the database is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, DatabaseConnection};

use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::hot::writer::Bounds;

/// What a process opens the database for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// To serve. SQLite takes one server at a time.
    Server,
    /// To run a command, which may be beside a server.
    Command,
}

/// How to open the database.
#[derive(Clone)]
pub struct Settings {
    /// What it is opened for.
    pub process: Process,
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// Most connections at once; SQLite has one more, which writes.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on a statement, and SQLite on one that reads.
    pub statement_timeout: Duration,
    /// Whether pending migrations are applied; otherwise they are refused.
    pub migrate: bool,
    /// How messages are appended.
    pub writes: Bounds,
    /// What is done about row-level security in PostgreSQL.
    pub row_level_security: RowLevelSecurity,
}

impl Settings {
    /// SQLite's file; none when it is not SQLite.
    pub(super) fn sqlite_file(&self) -> anyhow::Result<Option<PathBuf>> {
        if !self.url.starts_with("sqlite:") {
            return Ok(None);
        }
        let target: SqliteConnectOptions = self.url.parse().context("cannot read the database URL")?;
        let file = target.get_filename().to_owned();
        let in_memory = file == Path::new(":memory:") || self.url.contains("mode=memory");
        if file.as_os_str().is_empty() || in_memory {
            bail!("a database in memory would lose everything: give a file, sqlite://path");
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
    // Statements carry no texts, but their parameters do: nothing of them is logged.
    options.sqlx_logging(false).record_stmt_in_spans(false).acquire_timeout(settings.acquire_timeout);
    options
}
