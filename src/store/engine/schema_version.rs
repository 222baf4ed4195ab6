//! Whether this version can use a database: which migrations it has, and whether all of its rows are there.
//!
//! While `scrollback migrate-data` fills a database, the table [`UNFINISHED`] is in it, and an entry of the same name is
//! among its migrations. Every version refuses a database with a migration that it does not know, so this holds for
//! versions that know nothing of data migrations, too.

use anyhow::{Context, bail};
use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// The table and the migration that a database has until a data migration into it has finished.
pub(in crate::store) const UNFINISHED: &str = "unfinished_data_migration";

/// Why such a database cannot be used.
pub(in crate::store) const UNFINISHED_ERROR: &str = "a data migration into this database has not finished: repeat \
     `scrollback migrate-data`, which goes on where it stopped";

/// The table of the migrations that were applied.
const APPLIED: &str = "seaql_migrations";

/// Which migrations a database lacks, in order.
///
/// # Errors
/// It has migrations that this version does not know, or a data migration into it has not finished.
pub(in crate::store) async fn pending(connection: &impl ConnectionTrait) -> anyhow::Result<Vec<String>> {
    let all = status(connection).await?;
    Ok(all.into_iter().filter(|(_, is_applied)| !is_applied).map(|(name, _)| name).collect())
}

/// All migrations of this version, and whether a database has them. Errors as in [`pending`].
pub(in crate::store) async fn status(
    connection: &impl ConnectionTrait,
) -> anyhow::Result<Vec<(String, bool)>> {
    let cannot_read = "cannot read the version of the database's schema";
    if is_unfinished(connection).await.context(cannot_read)? {
        bail!(UNFINISHED_ERROR);
    }
    if let Some(unknown) = unknown(connection).await.context(cannot_read)? {
        bail!(
            "the database has the migration {unknown}, which this version does not know: use a newer version"
        );
    }
    let all = Migrator::get_migration_with_status_read_only(connection).await.context(cannot_read)?;
    let status = all.iter().map(|one| (one.name().to_owned(), one.status() == MigrationStatus::Applied));
    Ok(status.collect())
}

/// Whether a data migration into the database has not finished.
pub(in crate::store) async fn is_unfinished(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    has_table(connection, UNFINISHED).await
}

/// A migration that the database has and this version does not know.
async fn unknown(connection: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    if !has_table(connection, APPLIED).await? {
        return Ok(None);
    }
    let known: Vec<String> = Migrator::migrations().iter().map(|known| known.name().to_owned()).collect();
    let query = format!("SELECT version FROM {APPLIED} ORDER BY version");
    let statement = Statement::from_string(connection.get_database_backend(), query);
    for row in connection.query_all_raw(statement).await? {
        let name: String = row.try_get_by_index(0)?;
        if !known.contains(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Adds to the migrations of a database one that no version knows.
pub(in crate::store) async fn mark_unfinished(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let insert = format!("INSERT INTO {APPLIED} (version, applied_at) VALUES ($1, 0)");
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, insert, [UNFINISHED.into()]);
    connection.execute_raw(statement).await.map(drop)
}

/// Removes it, and the table.
pub(in crate::store) async fn mark_finished(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let delete = format!("DELETE FROM {APPLIED} WHERE version = $1");
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, delete, [UNFINISHED.into()]);
    connection.execute_raw(statement).await?;
    connection.execute_unprepared(&format!("DROP TABLE {UNFINISHED}")).await.map(drop)
}

/// Whether there is a table. SeaORM has no catalogs.
async fn has_table(connection: &impl ConnectionTrait, name: &str) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1)",
        _ => "SELECT to_regclass($1) IS NOT NULL",
    };
    let statement = Statement::from_sql_and_values(backend, query, [name.into()]);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
}
