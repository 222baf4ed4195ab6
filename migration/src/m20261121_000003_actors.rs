//! The actor of a change: the subject of the back end that made it for its owner. Null if the owner made it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &["ALTER TABLE change ADD COLUMN actor TEXT"];

const POSTGRES_UP: &[&str] = &[r#"ALTER TABLE change ADD COLUMN actor text COLLATE "C""#];

const DOWN: &[&str] = &["ALTER TABLE change DROP COLUMN actor"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
