//! The history of Scrollback's database schema, oldest first.
//!
//! A migration is never edited after a release. A change is a new file. The statements are written as SQL for each
//! engine, because the layout matters (clustered tables on SQLite, collations on PostgreSQL) and a schema builder
//! hides it. Every migration runs in one transaction on both engines.

pub use sea_orm_migration::MigrationStatus;
use sea_orm_migration::prelude::*;
pub use sea_orm_migration::prelude::{DbErr, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

mod m20261121_000001_conversations;
mod m20261121_000002_branches;
mod m20261121_000003_actors;
mod m20261121_000004_slots;
mod m20261121_000005_folded_titles;
mod m20261128_000006_context;
mod m20261128_000007_search;
mod m20261129_000008_organising;
mod m20261129_000009_feedback_and_usage;
mod m20261129_000010_audit_and_erasure;
mod m20261129_000011_shares;
mod m20261129_000012_attachments;
mod m20261129_000013_webhooks;
mod m20261130_000014_deletions;
mod m20261130_000015_revocations;

/// All migrations, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_conversations::Migration),
            Box::new(m20261121_000002_branches::Migration),
            Box::new(m20261121_000003_actors::Migration),
            Box::new(m20261121_000004_slots::Migration),
            Box::new(m20261121_000005_folded_titles::Migration),
            Box::new(m20261128_000006_context::Migration),
            Box::new(m20261128_000007_search::Migration),
            Box::new(m20261129_000008_organising::Migration),
            Box::new(m20261129_000009_feedback_and_usage::Migration),
            Box::new(m20261129_000010_audit_and_erasure::Migration),
            Box::new(m20261129_000011_shares::Migration),
            Box::new(m20261129_000012_attachments::Migration),
            Box::new(m20261129_000013_webhooks::Migration),
            Box::new(m20261130_000014_deletions::Migration),
            Box::new(m20261130_000015_revocations::Migration),
        ]
    }
}

/// Runs work that must see every row of a table. Row-level security that also applies to the owner of the table would
/// hide them all from a migration, which names no owner of rows. So it does not apply until the work is done, in the
/// transaction of the migration, so no other session sees the table without its policies.
async fn with_all_rows(
    manager: &SchemaManager<'_>,
    table: &str,
    work: impl Future<Output = Result<(), DbErr>>,
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = manager.get_database_backend();
    let is_forced = match backend {
        DbBackend::Postgres => {
            let query = format!("SELECT relforcerowsecurity FROM pg_class WHERE oid = '{table}'::regclass");
            let row = connection.query_one_raw(Statement::from_string(backend, query)).await?;
            row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false)
        }
        _ => false,
    };
    if !is_forced {
        return work.await;
    }
    connection.execute_unprepared(&format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")).await?;
    work.await?;
    connection.execute_unprepared(&format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY")).await.map(drop)
}

/// Runs the statements for the engine of `manager`.
async fn execute(manager: &SchemaManager<'_>, sqlite: &[&str], postgres: &[&str]) -> Result<(), DbErr> {
    let statements = match manager.get_database_backend() {
        DbBackend::Sqlite => sqlite,
        _ => postgres,
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
