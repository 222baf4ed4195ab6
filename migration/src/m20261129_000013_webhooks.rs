//! Webhooks: one row for each, and one for each owner whose changes it delivers.
//!
//! `webhook.lease_holder` is the process that delivers, until `lease_until`. `webhook_position.revision` is the last change
//! that was delivered to the webhook. `failing_since` is null unless the last delivery failed.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE webhook (
        name TEXT NOT NULL PRIMARY KEY,
        registered_at INTEGER NOT NULL,
        lease_holder TEXT,
        lease_until INTEGER NOT NULL,
        failing_since INTEGER,
        paused_since INTEGER,
        last_fault TEXT
    ) STRICT",
    "CREATE TABLE webhook_position (
        owner_id TEXT NOT NULL,
        webhook TEXT NOT NULL,
        revision INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        failing_since INTEGER,
        next_attempt_at INTEGER,
        PRIMARY KEY (owner_id, webhook)
    ) STRICT, WITHOUT ROWID",
];

const POSTGRES_UP: &[&str] = &[
    "CREATE TABLE webhook (
        name text NOT NULL PRIMARY KEY,
        registered_at bigint NOT NULL,
        lease_holder text,
        lease_until bigint NOT NULL,
        failing_since bigint,
        paused_since bigint,
        last_fault text
    )",
    r#"CREATE TABLE webhook_position (
        owner_id text COLLATE "C" NOT NULL,
        webhook text NOT NULL,
        revision bigint NOT NULL,
        attempts bigint NOT NULL,
        failing_since bigint,
        next_attempt_at bigint,
        PRIMARY KEY (owner_id, webhook)
    )"#,
];

const DOWN: &[&str] = &["DROP TABLE webhook_position", "DROP TABLE webhook"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
