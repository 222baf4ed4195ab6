//! Pins, archive, trash, labels, reading positions, expiry, and rules of retention.
//!
//! `conversation.state` is 2 if `trashed_at` is set, else 1 if `archived_at` is set, else 0. Lists are ordered by activity
//! within a state, so one index serves all of them, and an append still changes one entry of it.
//!
//! Unread messages are not counted: they are `last_position - read_position - unread_ignored`. `unread_ignored` is how
//! many messages after `read_position` are deleted or the user's own. What exists before the migration counts as read.
//!
//! `conversation.labels` has the labels as they were typed, in a JSON array. `conversation_label` finds conversations by
//! label; its `label_key` is the folded label.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "ALTER TABLE conversation ADD COLUMN state INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN pinned_at INTEGER",
    "ALTER TABLE conversation ADD COLUMN archived_at INTEGER",
    "ALTER TABLE conversation ADD COLUMN trashed_at INTEGER",
    "ALTER TABLE conversation ADD COLUMN expires_at INTEGER",
    "ALTER TABLE conversation ADD COLUMN labels TEXT",
    "ALTER TABLE conversation ADD COLUMN read_position INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN unread_ignored INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN unarchive_on_message INTEGER NOT NULL DEFAULT 1",
    "DROP INDEX conversation_by_activity",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, state, updated_at, id)",
    "CREATE INDEX conversation_expiring ON conversation (owner_id, expires_at) WHERE expires_at IS NOT NULL",
    "CREATE TABLE conversation_label (
        owner_id TEXT NOT NULL,
        label_key TEXT NOT NULL,
        conversation_id BLOB NOT NULL,
        label TEXT NOT NULL,
        trashed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (owner_id, label_key, conversation_id)
    ) STRICT, WITHOUT ROWID",
    "ALTER TABLE account ADD COLUMN retention_after INTEGER",
    "ALTER TABLE account ADD COLUMN retention_action INTEGER",
];

const POSTGRES_UP: &[&str] = &[
    "ALTER TABLE conversation
        ADD COLUMN state smallint NOT NULL DEFAULT 0,
        ADD COLUMN pinned_at bigint,
        ADD COLUMN archived_at bigint,
        ADD COLUMN trashed_at bigint,
        ADD COLUMN expires_at bigint,
        ADD COLUMN labels text,
        ADD COLUMN read_position bigint NOT NULL DEFAULT 0,
        ADD COLUMN unread_ignored bigint NOT NULL DEFAULT 0,
        ADD COLUMN unarchive_on_message boolean NOT NULL DEFAULT true",
    "DROP INDEX conversation_by_activity",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, state, updated_at, id)",
    "CREATE INDEX conversation_expiring ON conversation (owner_id, expires_at) WHERE expires_at IS NOT NULL",
    r#"CREATE TABLE conversation_label (
        owner_id text COLLATE "C" NOT NULL,
        label_key text COLLATE "C" NOT NULL,
        conversation_id uuid NOT NULL,
        label text COLLATE "C" NOT NULL,
        trashed boolean NOT NULL DEFAULT false,
        PRIMARY KEY (owner_id, label_key, conversation_id)
    )"#,
    "ALTER TABLE account ADD COLUMN retention_after bigint, ADD COLUMN retention_action smallint",
];

const EVERYTHING_IS_READ: &[&str] = &["UPDATE conversation SET read_position = last_position"];

const DOWN: &[&str] = &[
    "DROP TABLE conversation_label",
    "DROP INDEX conversation_expiring",
    "DROP INDEX conversation_by_activity",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, updated_at, id)",
    "ALTER TABLE conversation DROP COLUMN state",
    "ALTER TABLE conversation DROP COLUMN pinned_at",
    "ALTER TABLE conversation DROP COLUMN archived_at",
    "ALTER TABLE conversation DROP COLUMN trashed_at",
    "ALTER TABLE conversation DROP COLUMN expires_at",
    "ALTER TABLE conversation DROP COLUMN labels",
    "ALTER TABLE conversation DROP COLUMN read_position",
    "ALTER TABLE conversation DROP COLUMN unread_ignored",
    "ALTER TABLE conversation DROP COLUMN unarchive_on_message",
    "ALTER TABLE account DROP COLUMN retention_after",
    "ALTER TABLE account DROP COLUMN retention_action",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await?;
        let read = super::execute(manager, EVERYTHING_IS_READ, EVERYTHING_IS_READ);
        super::with_all_rows(manager, "conversation", read).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
