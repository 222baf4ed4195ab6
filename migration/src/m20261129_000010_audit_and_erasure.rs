//! The audit log, and erasure of users.
//!
//! `audit_entry` has what back ends did for users and what operators did. Entries are added and, when they are old,
//! removed from the oldest on. `owner_hash` replaces `owner_id` when the user is erased. `detail` has the receipt of an
//! erasure.
//!
//! `account.erasing_since` is set from the first to the last step of an erasure; no write of the user succeeds
//! meanwhile. `account.erased_rows` has the numbers of removed rows so far, as JSON.
//!
//! `signing_key` has at most one row: the Ed25519 key that signs receipts.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE audit_entry (
        number INTEGER NOT NULL PRIMARY KEY,
        created_at INTEGER NOT NULL,
        actor_kind INTEGER NOT NULL,
        actor TEXT,
        action INTEGER NOT NULL,
        owner_id TEXT,
        owner_hash TEXT,
        conversation_id BLOB,
        message_id BLOB,
        count INTEGER,
        detail TEXT
    ) STRICT",
    "CREATE INDEX audit_entry_by_owner ON audit_entry (owner_id, number)",
    "CREATE INDEX audit_entry_by_erased_owner ON audit_entry (owner_hash, number) WHERE owner_hash IS NOT NULL",
    "CREATE TABLE signing_key (
        id INTEGER NOT NULL PRIMARY KEY,
        pkcs8 BLOB NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT",
    "ALTER TABLE account ADD COLUMN erasing_since INTEGER",
    "ALTER TABLE account ADD COLUMN erased_rows TEXT",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE audit_entry (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        created_at bigint NOT NULL,
        actor_kind smallint NOT NULL,
        actor text COLLATE "C",
        action smallint NOT NULL,
        owner_id text COLLATE "C",
        owner_hash text COLLATE "C",
        conversation_id uuid,
        message_id uuid,
        count bigint,
        detail text
    )"#,
    "CREATE INDEX audit_entry_by_owner ON audit_entry (owner_id, number)",
    "CREATE INDEX audit_entry_by_erased_owner ON audit_entry (owner_hash, number) WHERE owner_hash IS NOT NULL",
    "CREATE TABLE signing_key (
        id smallint NOT NULL PRIMARY KEY,
        pkcs8 bytea NOT NULL,
        created_at bigint NOT NULL
    )",
    "ALTER TABLE account ADD COLUMN erasing_since bigint, ADD COLUMN erased_rows text",
];

const DOWN: &[&str] = &[
    "ALTER TABLE account DROP COLUMN erased_rows",
    "ALTER TABLE account DROP COLUMN erasing_since",
    "DROP TABLE signing_key",
    "DROP TABLE audit_entry",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
