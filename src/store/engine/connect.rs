//! Opens the database: the options of the connections, and the migrations.

mod copy;
mod database_file;
mod file_error;
mod first_connection;
mod replace;
mod server_lock;
pub(in crate::store) mod sessions;
mod settings;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sqlx::PgPool;

use crate::store::engine::background::is_background;
use crate::store::engine::row_level_security;
use crate::store::engine::schema_version;
use crate::store::engine::write_lock::WriteLock;
use crate::store::error::is_lock_conflict;
use crate::store::hot::writer::{self, WriterConnections};
pub use copy::copy_sqlite_database;
pub use replace::{SqliteTarget, check_sqlite_file};
pub use settings::{FileSettings, Process, Settings};
use settings::{Pools, common_options};

pub(in crate::store) use first_connection::{POOLER_WITHOUT_SESSIONS, check as check_first_connection};
pub(in crate::store) use server_lock::ServerLock;
pub(in crate::store) use sqlite::{MMAP_SIZE, keep_plans};

/// A connection to PostgreSQL that was idle for longer is pinged before it is used again.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

pub(in crate::store) struct Connections {
    pub(in crate::store) read: DatabaseConnection,
    pub(in crate::store) write: DatabaseConnection,
    pub(in crate::store) writer: WriterConnections,
    pub(in crate::store) write_lock: WriteLock,
    /// Only of a server on SQLite.
    pub(in crate::store) lock: Option<ServerLock>,
}

pub(in crate::store) async fn connect(
    settings: &Settings,
    statements: &Arc<AtomicU64>,
) -> anyhow::Result<Connections> {
    let lock = match settings.process {
        Process::Server => lock_database(settings)?,
        Process::Command => None,
    };
    let Pools { mut read, mut write } = open(settings).await?;
    row_level_security::check_role(&write, settings.row_level_security).await?;
    let pending = schema_version::pending(&write).await?;
    match pending.first() {
        None => {}
        Some(_) if settings.migrate => {
            let _lock = if lock.is_none() { lock_database(settings)? } else { None };
            apply_migrations(&write).await?;
        }
        Some(first) => bail!(
            "the database lacks {} migrations, from {first}: run `scrollback migrate up`",
            pending.len()
        ),
    }
    row_level_security::apply(&write, settings.row_level_security).await?;
    for connection in [&mut read, &mut write] {
        let statements = statements.clone();
        connection.set_metric_callback(move |_| {
            if !is_background() {
                statements.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (writer, write_lock) = match settings.sqlite_file()? {
        Some(file) => {
            let write_lock = WriteLock::exclusive(settings.acquire_timeout);
            let (writer, checkpoints) = (sqlite::open_for_writer(&file)?, sqlite::open_for_writer(&file)?);
            let [writer, checkpoints] = [writer, checkpoints].map(Box::new);
            (WriterConnections::Sqlite { writer, checkpoints, write_lock: write_lock.clone() }, write_lock)
        }
        None => {
            let blocked_owners = write.get_postgres_connection_pool().clone();
            (
                WriterConnections::Postgres { workers: open_worker_pool(settings).await?, blocked_owners },
                WriteLock::unlimited(),
            )
        }
    };
    Ok(Connections { read, write, writer, write_lock, lock })
}

/// The migrations and whether each is applied.
///
/// # Errors
/// The database cannot be reached, has migrations that this version does not know, or a data migration into it has not
/// finished.
pub async fn migrations(settings: &Settings) -> anyhow::Result<Vec<(String, bool)>> {
    let Pools { write, .. } = open(settings).await?;
    let migrations = schema_version::status(&write).await?;
    write.close().await?;
    Ok(migrations)
}

/// Applies the pending migrations. Another process may have applied them meanwhile.
async fn apply_migrations(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let applied = AtomicUsize::new(0);
    let up = async |tx: &DatabaseTransaction| {
        applied.store(Migrator::get_pending_migrations(tx).await?.len(), Ordering::Relaxed);
        Migrator::up(tx, None).await
    };
    migrate(connection, up).await?;
    let applied = applied.into_inner();
    if applied > 0 {
        tracing::info!(migrations = applied, "migrated the database");
    }
    Ok(())
}

/// Undoes the newest `steps` migrations. Data in tables and columns that they added is lost.
pub async fn undo_migrations(settings: &Settings, steps: u32) -> anyhow::Result<()> {
    let _lock = lock_database(settings)?;
    let Pools { write, .. } = open(settings).await?;
    schema_version::pending(&write).await?;
    migrate(&write, async |tx| Migrator::down(tx, Some(steps)).await).await?;
    write.close().await?;
    Ok(())
}

/// Migrates with row-level security suspended, so that migrations see all rows.
///
/// Servers of the version before may be at work. A migration that waits for a table makes all statements on it wait, so
/// it gives up after [`MIGRATION_LOCK_TIMEOUT`], lets them go on, and tries again.
async fn migrate(
    connection: &DatabaseConnection,
    work: impl AsyncFn(&DatabaseTransaction) -> Result<(), DbErr>,
) -> anyhow::Result<()> {
    let mut attempts = MIGRATION_ATTEMPTS;
    loop {
        let migrated = in_exclusive_transaction(connection, async |tx| {
            if tx.get_database_backend() == DbBackend::Postgres {
                tx.execute_unprepared(MIGRATION_LOCK_TIMEOUT).await?;
            }
            let suspended = row_level_security::suspend(tx).await?;
            work(tx).await?;
            row_level_security::resume(tx, &suspended).await
        });
        attempts -= 1;
        match migrated.await {
            Err(error) if is_lock_conflict(&error) && attempts > 0 => {
                tracing::warn!("cannot migrate the database yet: others use its tables");
                tokio::time::sleep(MIGRATION_PAUSE).await;
            }
            done => return done.context("cannot migrate the database"),
        }
    }
}

/// How often a migration is tried while others use the tables, the pause before the next try, and the longest wait for a
/// table.
const MIGRATION_ATTEMPTS: u32 = 15;
const MIGRATION_PAUSE: Duration = Duration::from_secs(1);
const MIGRATION_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// Changes the schema in one transaction, under a lock that excludes other processes.
#[expect(clippy::disallowed_methods, reason = "the schema is not an owner's")]
pub(in crate::store) async fn in_exclusive_transaction<E: From<DbErr>>(
    connection: &DatabaseConnection,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<(), E>,
) -> Result<(), E> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = connection.begin_with_options(options).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        // SeaORM has neither SET nor advisory locks.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        // Migrations read whole tables.
        tx.execute_unprepared("SET LOCAL enable_seqscan = on").await?;
        tx.execute_unprepared("SELECT pg_advisory_xact_lock(hashtext('scrollback migrations'))").await?;
    }
    work(&tx).await?;
    Ok(tx.commit().await?)
}

/// Opens one connection to a database that no server uses.
///
/// # Errors
/// It cannot be opened, or a server uses it.
pub(in crate::store) async fn open_alone(
    settings: &Settings,
) -> anyhow::Result<(Option<ServerLock>, DatabaseConnection)> {
    let settings = Settings { max_connections: 1, ..settings.clone() };
    let lock = lock_database(&settings)?;
    let Pools { write, .. } = open(&settings).await?;
    sessions::refuse_others(&write).await?;
    Ok((lock, write))
}

/// Locks an SQLite database against other servers and other changes of the schema.
fn lock_database(settings: &Settings) -> anyhow::Result<Option<ServerLock>> {
    let Some(file) = settings.sqlite_file()? else { return Ok(None) };
    database_file::prepare(&file)?;
    ServerLock::acquire(&file).map(Some)
}

/// The files of an SQLite database, the database itself first. Empty for PostgreSQL.
pub fn sqlite_files(settings: &Settings) -> Vec<PathBuf> {
    let Ok(Some(file)) = settings.sqlite_file() else { return Vec::new() };
    // The companions are next to the target of a symbolic link.
    database_file::with_companions(&file.canonicalize().unwrap_or(file))
}

async fn open(settings: &Settings) -> anyhow::Result<Pools> {
    if let Some(file) = settings.sqlite_file()? {
        database_file::prepare(&file)?;
        sqlite::open(settings, &file).await
    } else {
        first_connection::check(&settings.url, settings.acquire_timeout).await?;
        let connection = Database::connect(postgres_options(settings, "0"))
            .await
            .context("cannot connect to PostgreSQL")?;
        Ok(Pools { read: connection.clone(), write: connection })
    }
}

/// The settings of a session. PostgreSQL itself ends statements and transactions that take too long: a statement
/// would otherwise go on after its client stopped waiting, and a replica that froze or disappeared would keep its
/// locks. Notices are not used.
///
/// Statements are planned once. Each text is written so that one plan is right for all values. With arrays as
/// parameters PostgreSQL would plan each time, which costs more than most reads. JIT compilation costs more than it
/// saves.
///
/// There is an index for every request. While a table is nearly empty, PostgreSQL plans to read all of it instead. It
/// would keep this plan until the next analysis, however much the table grows meanwhile, so sequential scans are off.
///
/// Poolers refuse these settings at the start of a session, so a statement sets them. SeaORM cannot set them.
const SET_UP_SESSION: &str = "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), \
     set_config('idle_in_transaction_session_timeout', $1, false), \
     set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), \
     set_config('tcp_keepalives_count', '3', false), set_config('client_min_messages', 'warning', false), \
     set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false), \
     set_config('enable_seqscan', 'off', false)";

/// `lock_timeout` is in milliseconds, 0 for none.
fn postgres_options(settings: &Settings, lock_timeout: &'static str) -> ConnectOptions {
    let timeout = settings.statement_timeout.as_millis().to_string();
    let mut options = common_options(settings);
    options
        .max_connections(settings.max_connections)
        .connect_timeout(settings.acquire_timeout)
        // A ping before each use would add a round trip.
        .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
        .set_application_name(settings.row_level_security.session())
        .map_sqlx_postgres_pool_opts(move |pool| {
            let timeout = timeout.clone();
            pool.after_connect(move |connection, _| {
                let set_up = sqlx::query(SET_UP_SESSION).bind(timeout.clone()).bind(lock_timeout);
                Box::pin(async move { set_up.execute(connection).await.map(drop) })
            })
        });
    options
}

/// The connections of the write workers: one for each, and one for the worker of streamed text.
async fn open_worker_pool(settings: &Settings) -> anyhow::Result<PgPool> {
    let mut options = postgres_options(settings, writer::LOCK_TIMEOUT);
    options.max_connections(settings.writes.workers + 1);
    let pool = Database::connect(options).await.context("cannot connect to PostgreSQL")?;
    Ok(pool.get_postgres_connection_pool().clone())
}

/// The number of connections in use, and of idle ones.
pub(in crate::store) fn in_use_and_idle(
    read: &DatabaseConnection,
    write: &DatabaseConnection,
) -> (usize, usize) {
    let pools = match read.get_database_backend() {
        DbBackend::Sqlite => {
            let [read, write] = [read, write].map(DatabaseConnection::get_sqlite_connection_pool);
            vec![(read.size(), read.num_idle()), (write.size(), write.num_idle())]
        }
        // One pool for both.
        _ => {
            let pool = read.get_postgres_connection_pool();
            vec![(pool.size(), pool.num_idle())]
        }
    };
    let idle: usize = pools.iter().map(|(_, idle)| idle).sum();
    let all: usize = pools.iter().map(|(size, _)| *size as usize).sum();
    (all.saturating_sub(idle), idle)
}
