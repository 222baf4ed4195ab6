//! How far a migration is: the only row of a table of the target, which every batch changes.

use anyhow::{Context, bail};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::figures::Figures;
use super::layout::read_key;
use super::row::Key;
use crate::store::engine::schema_version::UNFINISHED;
use crate::store::entity::tables::Table;

/// How far a migration is.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Batches that were written.
    step: i64,
    /// Their rows.
    pub(super) row_count: u64,
    /// The table of the last one. All tables before it are complete. Empty at first.
    pub(super) table: String,
    /// The key of its last row.
    last_key: Option<String>,
}

impl Progress {
    /// After another batch.
    pub(super) fn after(&self, table: &Table, rows: usize, last: &Key) -> anyhow::Result<Self> {
        Ok(Self {
            step: self.step + 1,
            row_count: self.row_count + rows as u64,
            table: table.name.to_owned(),
            last_key: Some(last.to_text()?),
        })
    }

    /// The key of the last row of a table that was written, if one was.
    pub(super) fn key_of(&self, table: &Table, source: DbBackend) -> anyhow::Result<Option<Key>> {
        let text = self.last_key.as_deref().filter(|_| self.table == table.name);
        text.map(|text| Key::parse(text, &read_key(source, table))).transpose()
    }

    /// Makes the table and its row, with the figures of the source.
    pub(super) async fn create(connection: &impl ConnectionTrait, source: &Figures) -> anyhow::Result<()> {
        let create = format!(
            "CREATE TABLE {UNFINISHED} (step bigint NOT NULL, row_count bigint NOT NULL, table_name text NOT NULL, \
             last_key text, source text NOT NULL)"
        );
        connection.execute_unprepared(&create).await?;
        let insert = format!("INSERT INTO {UNFINISHED} VALUES (0, 0, '', NULL, $1)");
        let backend = connection.get_database_backend();
        let values = [serde_json::to_string(source)?.into()];
        connection.execute_raw(Statement::from_sql_and_values(backend, insert, values)).await?;
        Ok(())
    }

    /// Reads the row.
    ///
    /// # Errors
    /// The source had other figures when the migration began.
    pub(super) async fn load(connection: &impl ConnectionTrait, source: &Figures) -> anyhow::Result<Self> {
        let query = format!("SELECT step, row_count, table_name, last_key, source FROM {UNFINISHED}");
        let statement = Statement::from_string(connection.get_database_backend(), query);
        let row = connection.query_one_raw(statement).await?;
        let row =
            row.context("the progress of the migration is missing: empty the target, and begin again")?;
        let figures: Figures = serde_json::from_str(&row.try_get_by_index::<String>(4)?)?;
        if figures != *source {
            bail!(
                "it has an unfinished migration of another source, or the source was written to since it began: empty \
                 the target, and begin again"
            );
        }
        Ok(Self {
            step: row.try_get_by_index(0)?,
            row_count: row.try_get_by_index::<i64>(1)?.unsigned_abs(),
            table: row.try_get_by_index(2)?,
            last_key: row.try_get_by_index(3)?,
        })
    }

    /// Replaces the progress before this one. False: another process has changed it.
    pub(super) async fn store(&self, connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let update = format!(
            "UPDATE {UNFINISHED} SET step = $1, row_count = $2, table_name = $3, last_key = $4 WHERE step = $5"
        );
        let values = [
            self.step.into(),
            i64::try_from(self.row_count).unwrap_or(i64::MAX).into(),
            self.table.clone().into(),
            self.last_key.clone().into(),
            (self.step - 1).into(),
        ];
        let statement = Statement::from_sql_and_values(connection.get_database_backend(), update, values);
        Ok(connection.execute_raw(statement).await?.rows_affected() == 1)
    }
}
