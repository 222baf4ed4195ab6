//! The connections to SQLite's file.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::OpenFlags;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnectOptions, Database, DbErr};

use super::database_file;
use super::settings::{Pools, Settings, common_options};
use crate::store::hot::writer;

/// How long another process may keep SQLite's file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that a connection of SQLite's writer keeps, in KiB and negative, as the pragma takes it.
const CACHE_SIZE: &str = "-16384";

/// The same of each connection that only reads: there are many, and what they read is rarely the same.
const READER_CACHE_SIZE: &str = "-4096";

/// How much of SQLite's file the hot reads and the writer read in place, in bytes: all of it, as far as the
/// library was built to (`.cargo/config.toml`; 2 GiB otherwise). What is mapped is the system's own cache of
/// the file, so the threads share it, it is given back when memory is short, and a page costs no call.
pub(in crate::store) const MMAP_SIZE: i64 = 1 << 40;

/// How long SQLite's log may become, in pages, before an ordinary write shortens it: the writer does so
/// long before.
const WAL_AUTOCHECKPOINT: &str = "32000";

/// A log that has become longer, when there was much to write at once, is cut to this.
const JOURNAL_SIZE_LIMIT: i64 = 64 << 20;

/// Every connection that writes overwrites with zeros what it deletes. Otherwise deleted texts stay in the file, in
/// free pages and in the free space of pages. `FAST` would leave the free pages as they are.
const SECURE_DELETE: &str = "ON";

/// Rows that SQLite reads ahead of who takes them: few, they may be large.
const ROW_BUFFER_SIZE: usize = 16;

/// Steps of a statement of SQLite after which the clock is looked at: some tens of microseconds.
const PROGRESS_STEPS: i32 = 1000;

/// WAL with a single writer. `synchronous = FULL` makes a commit durable before it is answered.
pub(super) async fn open(settings: &Settings, file: &Path) -> anyhow::Result<Pools> {
    let base = |options: SqliteConnectOptions| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
    };
    let mut writer = common_options(settings);
    writer.max_connections(1).map_sqlx_sqlite_opts(move |options| {
        let options = base(options).pragma("cache_size", CACHE_SIZE).pragma("secure_delete", SECURE_DELETE);
        options.pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT)
    });
    writer.map_sqlx_sqlite_pool_opts(|pool| {
        pool.after_release(|connection, _| Box::pin(has_no_transaction(connection)))
    });
    keep_connections(&mut writer);
    let cannot_open = |error: DbErr| database_file::explain(file, error);
    let write = Database::connect(writer).await.map_err(cannot_open)?;
    let mut reader = common_options(settings);
    reader.max_connections(settings.max_connections).map_sqlx_sqlite_opts(move |options| {
        let options = base(options).pragma("cache_size", READER_CACHE_SIZE);
        options.pragma("query_only", "1").row_buffer_size(ROW_BUFFER_SIZE)
    });
    let timeout = settings.statement_timeout;
    reader.map_sqlx_sqlite_pool_opts(move |pool| {
        // The first is for fresh connections, the second for all others.
        pool.after_connect(move |connection, _| Box::pin(set_deadline(connection, timeout))).before_acquire(
            move |connection, _| {
                Box::pin(async move { set_deadline(connection, timeout).await.map(|()| true) })
            },
        )
    });
    keep_connections(&mut reader);
    let read = Database::connect(reader).await.map_err(cannot_open)?;
    Ok(Pools { read, write })
}

/// Whether a connection has no transaction left open. SQLite itself takes back a transaction that the disk
/// refuses; the rollback that follows then fails, and sqlx goes on as if the connection were inside
/// that transaction. What it would run there after another rollback would never be committed.
/// <https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
async fn has_no_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Answered after the rollback that may be on its way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Gives up whatever a connection that is about to be used works on for longer than `timeout`: a statement
/// that nobody waits for any more would go on. It is used for one statement at a time.
async fn set_deadline(connection: &mut SqliteConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    let until = Instant::now() + timeout;
    connection.lock_handle().await?.set_progress_handler(PROGRESS_STEPS, move || Instant::now() < until);
    Ok(())
}

/// A connection to a file does not go stale, and a fresh one has a cold cache.
fn keep_connections(options: &mut ConnectOptions) {
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
}

/// A connection of the writer's threads.
pub(super) fn open_for_writer(file: &Path) -> anyhow::Result<rusqlite::Connection> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE_LIMIT)?;
        connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
        connection.pragma_update(None, "secure_delete", SECURE_DELETE)?;
        connection.pragma_update(None, "mmap_size", MMAP_SIZE)?;
        connection.set_prepared_statement_cache_capacity(writer::STATEMENTS);
        Ok::<_, rusqlite::Error>(connection)
    };
    open().with_context(|| format!("cannot open {}", file.display()))
}
