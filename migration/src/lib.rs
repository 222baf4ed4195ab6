//! The history of Scrollback's database schema, oldest first.
//!
//! A migration is never edited after a release. A change is a new file. The statements are written as SQL for each
//! engine, because the layout matters (clustered tables on SQLite, collations on PostgreSQL) and a schema builder
//! hides it. Every migration runs in one transaction on both engines.

pub use sea_orm_migration::MigrationStatus;
use sea_orm_migration::prelude::*;
pub use sea_orm_migration::prelude::{DbErr, MigratorTrait};

mod m20261121_000001_conversations;
mod m20261121_000002_branches;
mod m20261121_000003_actors;
mod m20261121_000004_slots;
mod m20261121_000005_folded_titles;
mod m20261128_000006_context;
mod m20261128_000007_search;

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
        ]
    }
}

/// Runs the statements for the engine of `manager`.
async fn execute(manager: &SchemaManager<'_>, sqlite: &[&str], postgres: &[&str]) -> Result<(), DbErr> {
    let statements = match manager.get_database_backend() {
        sea_orm_migration::sea_orm::DbBackend::Sqlite => sqlite,
        _ => postgres,
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
