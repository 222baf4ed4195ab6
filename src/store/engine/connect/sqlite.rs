//! The connections to an SQLite file.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnectOptions, Database, DbErr};

use super::database_file;
use super::settings::{Pools, Settings, common_options};
use crate::store::engine::long_read::{LONG, is_for_long};
use crate::store::hot::writer;

/// How long a connection waits for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA cache_size` of connections that write: negative, in KiB.
const CACHE_SIZE: &str = "-16384";

/// The same for connections that read. There are many, and they rarely read the same pages.
const READER_CACHE_SIZE: &str = "-4096";

/// `PRAGMA mmap_size` of the hot reads and the write worker, in bytes: the whole file, up to the limit of the library
/// (`.cargo/config.toml`; 2 GiB otherwise). Threads share the page cache of the system. The system frees it when
/// memory is short, and reading a page costs no call.
pub(in crate::store) const MMAP_SIZE: i64 = 1 << 40;

/// Pages of the log after which a commit through SeaORM runs a checkpoint. The checkpoint thread is usually earlier.
const WAL_AUTOCHECKPOINT: &str = "32000";

/// The size to which SQLite truncates a longer log, in bytes.
const JOURNAL_SIZE_LIMIT: i64 = 64 << 20;

/// Every connection that writes overwrites with zeros what it deletes. Otherwise deleted texts stay in the file, in
/// free pages and in the free space of pages. `FAST` would leave the free pages as they are.
const SECURE_DELETE: &str = "ON";

/// Rows that sqlx reads ahead. Few, because they can be large.
const ROW_BUFFER_SIZE: usize = 16;

/// Virtual machine steps between two checks of the deadline: some tens of microseconds.
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
        // `after_connect` is for new connections, `before_acquire` for all others.
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

/// Whether a connection has no open transaction. SQLite itself rolls back a transaction when the disk reports an
/// error. The rollback of sqlx then fails, and sqlx goes on as if the connection were inside a transaction. After
/// another rollback, later writes on it would never be committed.
/// <https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
async fn has_no_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The answer comes after a rollback that is still running.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Interrupts the statements of a connection after `timeout`, which begins when it is taken from the pool. Otherwise a statement would go on after its client
/// stopped waiting. A connection runs one statement at a time.
async fn set_deadline(connection: &mut SqliteConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    let until = Instant::now() + if is_for_long() { LONG } else { timeout };
    connection.lock_handle().await?.set_progress_handler(PROGRESS_STEPS, move || Instant::now() < until);
    Ok(())
}

/// Keeps connections open: a connection to a file does not go stale, and a new one has a cold cache.
fn keep_connections(options: &mut ConnectOptions) {
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
}

/// Plans a statement once. Otherwise SQLite plans it again whenever a value for its `LIMIT` is bound, because another
/// value could have a better plan. That is more work than a read of a page.
/// <https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenableqpsg>
pub(in crate::store) fn keep_plans(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Opens a connection for a thread of the writer.
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
        keep_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(writer::STATEMENTS);
        Ok::<_, rusqlite::Error>(connection)
    };
    open().with_context(|| format!("cannot open {}", file.display()))
}
