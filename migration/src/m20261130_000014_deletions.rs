//! The id that a client chose for the deletion of a message, so that it can repeat it. Null: none, or not deleted.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &["ALTER TABLE message ADD COLUMN deletion_id BLOB"];

const POSTGRES_UP: &[&str] = &["ALTER TABLE message ADD COLUMN deletion_id uuid"];

const DOWN: &[&str] = &["ALTER TABLE message DROP COLUMN deletion_id"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
