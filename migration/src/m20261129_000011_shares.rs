//! Shares: copies of a branch that anybody with the secret can read.
//!
//! `share.secret_hash` is the SHA-256 of the secret, which is not stored. `shared_message` has the messages as they were,
//! by their number in the copy. `metadata` is null unless it was asked for.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE share (
        id BLOB NOT NULL PRIMARY KEY,
        owner_id TEXT NOT NULL,
        conversation_id BLOB NOT NULL,
        secret_hash BLOB NOT NULL,
        title TEXT,
        label TEXT,
        expires_at INTEGER,
        created_at INTEGER NOT NULL,
        message_count INTEGER NOT NULL,
        view_count INTEGER NOT NULL
    ) STRICT",
    "CREATE UNIQUE INDEX share_secret ON share (secret_hash)",
    "CREATE INDEX share_by_conversation ON share (owner_id, conversation_id, created_at, id)",
    "CREATE TABLE shared_message (
        share_id BLOB NOT NULL,
        number INTEGER NOT NULL,
        owner_id TEXT NOT NULL,
        role INTEGER NOT NULL,
        content TEXT NOT NULL,
        parts TEXT,
        metadata TEXT,
        model TEXT,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (share_id, number)
    ) STRICT",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE share (
        id uuid NOT NULL PRIMARY KEY,
        owner_id text COLLATE "C" NOT NULL,
        conversation_id uuid NOT NULL,
        secret_hash bytea NOT NULL,
        title text,
        label text,
        expires_at bigint,
        created_at bigint NOT NULL,
        message_count bigint NOT NULL,
        view_count bigint NOT NULL
    )"#,
    "CREATE UNIQUE INDEX share_secret ON share (secret_hash)",
    "CREATE INDEX share_by_conversation ON share (owner_id, conversation_id, created_at, id)",
    r#"CREATE TABLE shared_message (
        share_id uuid NOT NULL,
        number bigint NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        role smallint NOT NULL,
        content text NOT NULL,
        parts text,
        metadata text,
        model text,
        created_at bigint NOT NULL,
        PRIMARY KEY (share_id, number)
    )"#,
];

const DOWN: &[&str] = &["DROP TABLE shared_message", "DROP TABLE share"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
