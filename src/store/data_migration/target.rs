//! The database that is written.

use anyhow::{Context, bail};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement, Value};

use super::figures::{self, Figures};
use super::layout::{insert_rows, quoted, slot_columns};
use super::progress::Progress;
use super::row::Batch;
use crate::store::engine::connect::{ServerLock, Settings, in_exclusive_transaction, open_alone};
use crate::store::engine::{row_level_security, schema_version};
use crate::store::entity::tables::Table;
use crate::store::transaction;

/// A database that only this migration uses.
pub(super) struct Target {
    connection: DatabaseConnection,
    progress: Progress,
    _lock: Option<ServerLock>,
}

impl Target {
    /// Opens a database: an empty one, which is marked, or one that an earlier run has marked.
    ///
    /// # Errors
    /// A server uses it, it has another schema, it has rows, or the rows of another migration.
    pub(super) async fn open(
        settings: &Settings,
        tables: &[Table],
        source: &Figures,
    ) -> anyhow::Result<Self> {
        let (_lock, connection) = open_alone(settings).await?;
        if !schema_version::is_unfinished(&connection).await? {
            in_exclusive_transaction(&connection, async |tx| prepare(tx, tables, source).await).await?;
        }
        let progress = Progress::load(&connection, source).await?;
        Ok(Self { connection, progress, _lock })
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Writes rows, and that they are there.
    pub(super) async fn write(&mut self, table: &Table, batch: Batch) -> anyhow::Result<()> {
        let next = self.progress.after(table, batch.row_count, &batch.last)?;
        let tx = transaction::begin(&self.connection).await?;
        if !next.store(&tx).await? {
            bail!("another process works on this migration");
        }
        let backend = tx.get_database_backend();
        let insert = insert_rows(backend, table, batch.row_count);
        let values = match slot_columns(backend, table) {
            None => batch.values,
            Some(places) => {
                let of_slot = |row: &[Value]| places.map(|place| row[place].clone());
                let rows = batch.values.chunks(table.columns.len());
                rows.flat_map(|row| [row, &of_slot(row)].concat()).collect()
            }
        };
        tx.execute_raw(Statement::from_sql_and_values(backend, insert, values)).await?;
        tx.commit().await?;
        self.progress = next;
        Ok(())
    }

    /// Compares the figures with those of the source, and removes the mark.
    ///
    /// # Errors
    /// They differ. The mark stays.
    pub(super) async fn finish(self, tables: &[Table], source: &Figures) -> anyhow::Result<()> {
        let tx = transaction::begin(&self.connection).await?;
        if tx.get_database_backend() == DbBackend::Postgres {
            tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        }
        let found = figures::read(&tx, tables).await.context("cannot read the target")?;
        figures::compare(source, &found)
            .context("the migration has failed: empty the target, and begin again")?;
        if tx.get_database_backend() == DbBackend::Postgres {
            advance_numbers(&tx, tables).await.context("cannot advance the numbers of the target")?;
            // Its plans depend on statistics.
            let names: Vec<_> = tables.iter().map(|table| quoted(table.name)).collect();
            tx.execute_unprepared(&format!("ANALYZE {}", names.join(", "))).await?;
        }
        schema_version::mark_finished(&tx).await?;
        tx.commit().await?;
        self.connection.close().await?;
        Ok(())
    }
}

/// Makes the schema unless it is there, checks that all tables are empty, and marks the database.
///
/// On PostgreSQL the owner of the tables is exempted from policies of row-level security. A server with
/// `database.row_level_security` makes them again when it starts.
async fn prepare(tx: &DatabaseTransaction, tables: &[Table], source: &Figures) -> anyhow::Result<()> {
    let pending = schema_version::pending(tx).await?;
    if pending.len() == Migrator::migrations().len() {
        Migrator::up(tx, None).await.context("cannot make the tables")?;
    } else if let Some(first) = pending.first() {
        bail!(
            "the database lacks {} migrations, from {first}: run `scrollback migrate up` there",
            pending.len()
        );
    } else {
        row_level_security::suspend(tx).await?;
        refuse_rows(tx, tables).await?;
    }
    Progress::create(tx, source).await?;
    Ok(schema_version::mark_unfinished(tx).await?)
}

async fn refuse_rows(tx: &DatabaseTransaction, tables: &[Table]) -> anyhow::Result<()> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        // Statements fail if there are policies that hide rows.
        tx.execute_unprepared("SET LOCAL row_security = off").await?;
    }
    for table in tables {
        let query = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(table.name));
        let row = tx.query_one_raw(Statement::from_string(backend, query)).await?;
        if row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false) {
            bail!("the database is not empty: there are rows in `{}`", table.name);
        }
    }
    Ok(())
}

/// The numbers that PostgreSQL gives itself continue after those that were written.
async fn advance_numbers(tx: &DatabaseTransaction, tables: &[Table]) -> anyhow::Result<()> {
    let query = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND is_identity = 'YES'";
    for row in tx.query_all_raw(Statement::from_string(DbBackend::Postgres, query)).await? {
        let (table, column): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if tables.iter().any(|known| known.name == table) {
            let advance = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table} \
                 HAVING max({column}) IS NOT NULL"
            );
            tx.execute_unprepared(&advance).await?;
        }
    }
    Ok(())
}
