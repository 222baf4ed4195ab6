//! The full-text index: segments of an owner's messages, kept as blocks of about 4 KB.
//!
//! The crate `search` describes the blocks. PostgreSQL keeps them in their rows as they are: they do not compress.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE search_state (
        owner_id TEXT NOT NULL PRIMARY KEY,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        is_complete INTEGER NOT NULL,
        backfill_conversation BLOB,
        backfill_position INTEGER NOT NULL,
        backfill_revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE search_segment (
        owner_id TEXT NOT NULL,
        segment INTEGER NOT NULL,
        documents INTEGER NOT NULL,
        times BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        is_live INTEGER NOT NULL,
        PRIMARY KEY (owner_id, segment)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE search_block (
        owner_id TEXT NOT NULL,
        segment INTEGER NOT NULL,
        key BLOB NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (owner_id, segment, key)
    ) STRICT",
];

const POSTGRES_UP: &[&str] = &[
    "CREATE TABLE search_state (
        owner_id text COLLATE \"C\" NOT NULL PRIMARY KEY,
        version smallint NOT NULL,
        generation bigint NOT NULL,
        revision bigint NOT NULL,
        is_complete boolean NOT NULL,
        backfill_conversation uuid,
        backfill_position bigint NOT NULL,
        backfill_revision bigint NOT NULL
    )",
    "CREATE TABLE search_segment (
        owner_id text COLLATE \"C\" NOT NULL,
        segment bigint NOT NULL,
        documents bigint NOT NULL,
        times bytea NOT NULL,
        bytes bigint NOT NULL,
        is_live boolean NOT NULL,
        PRIMARY KEY (owner_id, segment)
    )",
    "CREATE TABLE search_block (
        owner_id text COLLATE \"C\" NOT NULL,
        segment bigint NOT NULL,
        key bytea NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (owner_id, segment, key)
    ) WITH (toast_tuple_target = 8000)",
    "ALTER TABLE search_block ALTER COLUMN data SET STORAGE EXTERNAL",
];

const DOWN: &[&str] = &["DROP TABLE search_block", "DROP TABLE search_segment", "DROP TABLE search_state"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
