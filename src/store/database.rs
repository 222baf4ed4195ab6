//! The handle of the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context;
use ring::hmac;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use tokio::sync::{Notify, OnceCell, Semaphore};

use super::changed_owners::ChangedOwners;
use super::engine::connect::{self, FileSettings, Process, ServerLock, Settings};
use super::engine::row_level_security::{Reader, RowLevelSecurity};
use super::engine::write_lock::WriteLock;
use super::error::Result;
use super::hot::reads::Reads;
use super::hot::writer::request::WorkerContext;
use super::hot::writer::{Writer, WriterFigures};
use super::object_storage::ObjectStorage;
use super::retention_figures::RetentionFigures;
use super::search_index::Pending;
use crate::clock::Clock;
use crate::model::{AuditActor, FileRules, OwnerId, ShareRules};
use crate::signals::Signals;

/// The database, ready for use. Clones share it.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
    pub(super) row_level_security: RowLevelSecurity,
    pub(super) write_lock: WriteLock,
    pub(super) writer: Writer,
    pub(super) reads: Reads,
    /// Only of a server on SQLite.
    pub(super) lock: Option<ServerLock>,
    pub(super) clock: Clock,
    /// Who this process is in the audit log.
    pub(super) performer: AuditActor,
    /// What may be shared.
    pub(super) shares: ShareRules,
    /// The contents of attachments. `None`: there are no attachments.
    pub(super) files: Option<Files>,
    /// How long after an erasure writes of the user are refused.
    pub(super) erasure_settle: Duration,
    pub(super) signals: Signals,
    /// Lets few searches run at a time: each takes the processor, and megabytes of memory.
    pub(super) searches: Semaphore,
    /// Lets few sums of token usage run at a time: each may read hundreds of thousands of rows.
    pub(super) sums: Semaphore,
    /// Owners whose changes are to be indexed.
    pub(super) pending: Pending,
    /// Tells webhooks whose data changed.
    pub(super) changed_owners: ChangedOwners,
    pub(super) retention: RetentionFigures,
    pub(super) writer_figures: Arc<WriterFigures>,
    pub(super) statements: Arc<AtomicU64>,
}

/// The contents of attachments.
pub(super) struct Files {
    pub(super) storage: ObjectStorage,
    /// `None`: attachments are turned off. What is there can only be removed.
    pub(super) rules: Option<FileRules>,
    /// Signs URLs.
    pub(super) link_key: OnceCell<hmac::Key>,
    /// Wakes who removes objects.
    pub(super) removals: Notify,
}

impl Files {
    fn open(settings: &FileSettings) -> anyhow::Result<Option<Self>> {
        let FileSettings { storage, rules } = settings;
        if rules.is_none() && !ObjectStorage::exists(storage) {
            return Ok(None);
        }
        let storage = ObjectStorage::open(storage).context("the setting `files.storage` is not valid")?;
        Ok(Some(Self { storage, rules: rules.clone(), link_key: OnceCell::new(), removals: Notify::new() }))
    }
}

impl Store {
    /// Opens the database and applies or checks its migrations, as `settings` say.
    ///
    /// # Errors
    /// The database cannot be reached or opened, its schema is not this version's, or another server uses it
    /// and it is SQLite.
    pub async fn connect(settings: &Settings, clock: Clock, signals: Signals) -> anyhow::Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let connect::Connections { read, write, writer, write_lock, lock } =
            connect::connect(settings, &statements).await?;
        let files = match &settings.files {
            Some(files) => Files::open(files)?,
            None => None,
        };
        let reads = reads(settings, &read, &statements)?;
        let row_level_security = settings.row_level_security;
        let pending = Pending::default();
        let changed_owners = ChangedOwners::new(signals.clone());
        let writer_figures = Arc::new(WriterFigures::default());
        let processors = available_parallelism().map_or(1, usize::from);
        let context = WorkerContext {
            clock: clock.clone(),
            signals: signals.clone(),
            pending: pending.clone(),
            changed_owners: changed_owners.clone(),
            statements: statements.clone(),
            row_level_security,
            figures: writer_figures.clone(),
        };
        let writer = Writer::start(writer, settings.writes, context)?;
        Ok(Self(Arc::new(Inner {
            read,
            write,
            row_level_security,
            write_lock,
            writer,
            reads,
            lock,
            clock,
            performer: performer(settings.process),
            shares: settings.shares,
            files,
            erasure_settle: settings.erasure_settle,
            signals,
            searches: Semaphore::new(2 * processors),
            sums: Semaphore::new(processors),
            pending,
            changed_owners,
            retention: RetentionFigures::default(),
            writer_figures,
            statements,
        })))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<()> {
        // SeaORM's `ping` runs no statement, so it does not show that the database executes one.
        self.0.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// The number of SQL statements since the start, without those of background indexing.
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// The number of connections in use, and of idle connections.
    pub fn connections(&self) -> (usize, usize) {
        connect::in_use_and_idle(&self.0.read, &self.0.write)
    }

    /// The name of the database system in traces.
    pub fn system_name(&self) -> &'static str {
        if self.backend() == DbBackend::Sqlite { "sqlite" } else { "postgresql" }
    }

    /// What the write workers did.
    pub fn writer_figures(&self) -> &WriterFigures {
        &self.0.writer_figures
    }

    /// The number of writes that wait or are being written, and their bytes.
    pub fn queued_writes(&self) -> (usize, usize) {
        self.0.writer.queued()
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.0.read.get_database_backend()
    }

    /// A connection that reads rows of these owners.
    pub(super) fn reader_of<'o>(&self, owners: impl Iterator<Item = &'o OwnerId>) -> Reader<'_> {
        Reader::of(self.0.row_level_security, &self.0.read, owners)
    }

    /// A connection that reads rows of all owners, for background tasks.
    pub(super) fn reader_of_all_owners(&self) -> Reader<'_> {
        Reader::of_all_owners(self.0.row_level_security, &self.0.read)
    }

    /// After a commit that overwrote or removed content: clears the traces of it.
    pub(super) fn erased(&self) {
        self.0.writer.erased();
        if let Some(files) = &self.0.files {
            files.removals.notify_one();
        }
    }

    /// Waits until there may be objects to remove.
    pub async fn removals(&self) {
        match &self.0.files {
            Some(files) => files.removals.notified().await,
            None => std::future::pending().await,
        }
    }

    /// The signals sent after commits.
    pub fn signals(&self) -> &Signals {
        &self.0.signals
    }

    /// Closes the database after queued writes and running statements have ended.
    pub async fn close(&self) {
        self.0.writer.close().await;
        self.0.reads.close().await;
        for connection in [&self.0.write, &self.0.read] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "cannot close the database");
            }
        }
        if let Some(lock) = &self.0.lock {
            lock.release();
        }
    }
}

/// Who a process is in the audit log.
fn performer(process: Process) -> AuditActor {
    match process {
        Process::Server => AuditActor::Server,
        Process::Command => AuditActor::Operator(whoami::username().unwrap_or_else(|_| "unknown".into())),
    }
}

/// Starts the workers of the hot reads.
fn reads(
    settings: &Settings,
    read: &DatabaseConnection,
    statements: &Arc<AtomicU64>,
) -> anyhow::Result<Reads> {
    let statements = statements.clone();
    if read.get_database_backend() == DbBackend::Sqlite {
        let target: SqliteConnectOptions = settings.url.parse().context("cannot read the database URL")?;
        Reads::on_sqlite(target.get_filename(), settings.statement_timeout, statements)
    } else {
        Ok(Reads::on_postgres(read.get_postgres_connection_pool(), settings.row_level_security, statements))
    }
}
