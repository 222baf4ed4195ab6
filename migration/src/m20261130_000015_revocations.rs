//! Tokens that are refused although they have not expired.
//!
//! A row is never changed: one that takes its place has a larger number, so servers that look for rows after the last
//! number that they know get every change. `kind` is 1 for one token (`name` is its `jti`) and 2 for the tokens of a user
//! (`name` is their `sub`) that were issued before `issued_before`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE revocation (
        number INTEGER NOT NULL PRIMARY KEY,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        issued_before INTEGER,
        until INTEGER,
        is_undone INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX revocation_name ON revocation (name)",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE revocation (
        number bigint NOT NULL PRIMARY KEY,
        kind smallint NOT NULL,
        name text COLLATE "C" NOT NULL,
        issued_before bigint,
        until bigint,
        is_undone boolean NOT NULL,
        created_at bigint NOT NULL
    )"#,
    "CREATE INDEX revocation_name ON revocation (name)",
];

const DOWN: &[&str] = &["DROP TABLE revocation"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
