//! The database that is read. Nobody can write to it until the end, and servers of SQLite do not start.

use anyhow::{Context, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement, Value};

use super::layout::{quoted, read_key, select_rows, select_sizes};
use super::row::{Batch, Key, value};
use crate::store::engine::connect::{ServerLock, Settings, open_alone, sessions, sqlite_files};
use crate::store::engine::{row_level_security, schema_version};
use crate::store::entity::tables::Table;
use crate::store::transaction;

/// The rows of a batch, and their bytes without the fixed ones. A larger row is a batch of its own.
const ROWS: usize = 1000;
const BYTES: i64 = 4 << 20;

/// SQLite allows 32766 parameters, PostgreSQL 65535.
const PARAMETERS: usize = 32_000;

/// The reason if a lock is not free within seconds.
const LOCKED: &str = "cannot lock it against writers: somebody writes to it";

/// The transaction lasts as long as the migration. If the policies of row-level security hide rows from the role,
/// statements fail instead of leaving them out. SeaORM has no `SET`.
const POSTGRES: [&str; 4] = [
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL row_security = off",
];

/// A database that is locked.
pub(super) struct Source {
    connection: DatabaseConnection,
    transaction: DatabaseTransaction,
    _lock: Option<ServerLock>,
}

impl Source {
    /// Opens and locks a database.
    ///
    /// # Errors
    /// There is none, it has another schema, a server uses it, or somebody writes to it.
    pub(super) async fn open(settings: &Settings, tables: &[Table]) -> anyhow::Result<Self> {
        if let Some(file) = sqlite_files(settings).first().filter(|file| !file.exists()) {
            bail!("there is no database {}", file.display());
        }
        let (_lock, connection) = open_alone(settings).await?;
        // On SQLite it takes the write lock at once.
        let transaction = transaction::begin(&connection).await.context(LOCKED)?;
        let source = Self { connection, transaction, _lock };
        source.check_schema().await?;
        if source.connection.get_database_backend() == DbBackend::Postgres {
            source.lock(tables).await?;
        }
        Ok(source)
    }

    async fn check_schema(&self) -> anyhow::Result<()> {
        let pending = schema_version::pending(&self.transaction).await?;
        match pending.first() {
            Some(first) => bail!(
                "the database lacks {} migrations, from {first}: run `scrollback migrate up` there",
                pending.len()
            ),
            None => Ok(()),
        }
    }

    /// Locks all tables against writers. The policies of row-level security are suspended in this transaction, which is
    /// rolled back at the end: only the owner of the tables can do so, and no other session reads them meanwhile.
    async fn lock(&self, tables: &[Table]) -> anyhow::Result<()> {
        for statement in POSTGRES {
            self.transaction.execute_unprepared(statement).await?;
        }
        let names: Vec<_> = tables.iter().map(|table| quoted(table.name)).collect();
        let lock = format!("LOCK TABLE {} IN SHARE MODE", names.join(", "));
        self.transaction.execute_unprepared(&lock).await.context(LOCKED)?;
        let hidden = "row-level security hides rows from this role: connect as the owner of the tables";
        row_level_security::suspend(&self.transaction).await.context(hidden)?;
        Ok(())
    }

    pub(super) fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// The rows of a table after a key, as many as fit into a batch. `None` at the end.
    pub(super) async fn read(&self, table: &Table, after: Option<&Key>) -> anyhow::Result<Option<Batch>> {
        let cannot_read = || format!("cannot read `{}` of the source", table.name);
        let batch = self.read_batch(table, after).await;
        batch.with_context(cannot_read)
    }

    async fn read_batch(&self, table: &Table, after: Option<&Key>) -> anyhow::Result<Option<Batch>> {
        let backend = self.transaction.get_database_backend();
        let parameters: &[Value] = after.map_or(&[], |key| &key.0);
        let run = async |sql: String| {
            let statement = Statement::from_sql_and_values(backend, sql, parameters.to_vec());
            self.transaction.query_all_raw(statement).await
        };
        let most = ROWS.min(PARAMETERS / (table.columns.len() + 2));
        let (mut limit, mut bytes) = (0, 0);
        for row in run(select_sizes(backend, table, after.is_none(), most)).await? {
            bytes += row.try_get_by_index::<i64>(0)?;
            if limit > 0 && bytes > BYTES {
                break;
            }
            limit += 1;
        }
        if limit == 0 {
            return Ok(None);
        }
        let rows = run(select_rows(backend, table, after.is_none(), limit)).await?;
        let mut values = Vec::with_capacity(rows.len() * table.columns.len());
        for row in &rows {
            for (at, column) in table.columns.iter().enumerate() {
                values.push(value(row, at, column.sql_type)?);
            }
        }
        let last = rows.last().context("rows have gone")?;
        let key = read_key(backend, table).into_iter().enumerate();
        let key = key.map(|(at, (_, sql_type))| value(last, table.columns.len() + at, sql_type));
        let last = Key(key.collect::<Result<_, _>>()?);
        Ok(Some(Batch { values, row_count: rows.len(), last }))
    }

    /// Releases the locks. Returns how many sessions of Scrollback wait to write, or will.
    pub(super) async fn close(self) -> anyhow::Result<u64> {
        let sessions = sessions::others(&self.transaction).await?;
        self.transaction.rollback().await?;
        self.connection.close().await?;
        Ok(sessions.unsigned_abs())
    }
}
