//! Accounts, conversations, messages and the change feed.
//!
//! Times are microseconds since 1970 in UTC. Ids are UUIDs (16-byte blobs in SQLite). `metadata` is compact JSON text
//! with the keys in the order of the client. There are no foreign keys: a message is written, and a conversation
//! deleted, only under the lock of the conversation's row.
//!
//! History is one range of the primary key of `message`, so SQLite stores that table clustered by it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE account (
        id TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE conversation (
        id BLOB NOT NULL PRIMARY KEY,
        owner_id TEXT NOT NULL,
        title TEXT,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        message_count INTEGER NOT NULL,
        last_position INTEGER NOT NULL,
        fingerprint BLOB
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, updated_at, id)",
    "CREATE TABLE message (
        conversation_id BLOB NOT NULL,
        position INTEGER NOT NULL,
        id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        role INTEGER NOT NULL,
        content TEXT NOT NULL,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        fingerprint BLOB,
        PRIMARY KEY (conversation_id, position)
    ) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX message_id ON message (id)",
    "CREATE TABLE change (
        owner_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        conversation_id BLOB NOT NULL,
        message_id BLOB,
        changed_at INTEGER NOT NULL,
        PRIMARY KEY (owner_id, revision)
    ) STRICT, WITHOUT ROWID",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE account (
        id text COLLATE "C" PRIMARY KEY,
        revision bigint NOT NULL,
        created_at bigint NOT NULL
    )"#,
    r#"CREATE TABLE conversation (
        id uuid PRIMARY KEY,
        owner_id text COLLATE "C" NOT NULL,
        title text,
        metadata text NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        message_count bigint NOT NULL,
        last_position bigint NOT NULL,
        fingerprint bytea
    )"#,
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, updated_at, id)",
    r#"CREATE TABLE message (
        conversation_id uuid NOT NULL,
        position bigint NOT NULL,
        id uuid NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        role smallint NOT NULL,
        content text NOT NULL,
        metadata text NOT NULL,
        created_at bigint NOT NULL,
        fingerprint bytea,
        PRIMARY KEY (conversation_id, position)
    )"#,
    "CREATE UNIQUE INDEX message_id ON message (id)",
    r#"CREATE TABLE change (
        owner_id text COLLATE "C" NOT NULL,
        revision bigint NOT NULL,
        kind smallint NOT NULL,
        conversation_id uuid NOT NULL,
        message_id uuid,
        changed_at bigint NOT NULL,
        PRIMARY KEY (owner_id, revision)
    )"#,
];

const DOWN: &[&str] =
    &["DROP TABLE change", "DROP TABLE message", "DROP TABLE conversation", "DROP TABLE account"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
