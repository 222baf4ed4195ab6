//! Branches, edits, parts, and messages that stream.
//!
//! `message.branch` is null for messages appended before the conversation first forked. Those rows are the trunk:
//! positions 1 to `conversation.trunk` without a gap. So a conversation that never forked uses neither the table
//! `branch` nor the indexes below. Later rows have their branch (0 continues the trunk) and the position of their
//! parent.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "ALTER TABLE message ADD COLUMN branch INTEGER",
    "ALTER TABLE message ADD COLUMN parent_position INTEGER",
    "ALTER TABLE message ADD COLUMN parts TEXT",
    "ALTER TABLE message ADD COLUMN status INTEGER NOT NULL DEFAULT 2",
    "ALTER TABLE message ADD COLUMN model TEXT",
    "ALTER TABLE message ADD COLUMN usage TEXT",
    "ALTER TABLE message ADD COLUMN edited_at INTEGER",
    "ALTER TABLE message ADD COLUMN deleted_at INTEGER",
    "CREATE INDEX message_by_branch ON message (conversation_id, branch, position) WHERE branch IS NOT NULL",
    "CREATE INDEX message_by_parent ON message (conversation_id, parent_position) WHERE branch IS NOT NULL",
    "ALTER TABLE conversation ADD COLUMN branch INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN head_position INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN branches INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversation ADD COLUMN trunk INTEGER NOT NULL DEFAULT 0",
    "UPDATE conversation SET head_position = last_position",
    "CREATE TABLE branch (
        conversation_id BLOB NOT NULL,
        branch INTEGER NOT NULL,
        parent_branch INTEGER NOT NULL,
        fork_position INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, branch)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE stream (
        message_id BLOB NOT NULL PRIMARY KEY,
        conversation_id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        length INTEGER NOT NULL,
        stop_requested INTEGER NOT NULL,
        written_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE message_text (
        message_id BLOB NOT NULL,
        start INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (message_id, start)
    ) STRICT, WITHOUT ROWID",
];

const POSTGRES_UP: &[&str] = &[
    "ALTER TABLE message
        ADD COLUMN branch bigint,
        ADD COLUMN parent_position bigint,
        ADD COLUMN parts text,
        ADD COLUMN status smallint NOT NULL DEFAULT 2,
        ADD COLUMN model text,
        ADD COLUMN usage text,
        ADD COLUMN edited_at bigint,
        ADD COLUMN deleted_at bigint",
    "CREATE INDEX message_by_branch ON message (conversation_id, branch, position) WHERE branch IS NOT NULL",
    "CREATE INDEX message_by_parent ON message (conversation_id, parent_position) WHERE branch IS NOT NULL",
    "ALTER TABLE conversation
        ADD COLUMN branch bigint NOT NULL DEFAULT 0,
        ADD COLUMN head_position bigint NOT NULL DEFAULT 0,
        ADD COLUMN branches bigint NOT NULL DEFAULT 0,
        ADD COLUMN trunk bigint NOT NULL DEFAULT 0",
    "UPDATE conversation SET head_position = last_position",
    "CREATE TABLE branch (
        conversation_id uuid NOT NULL,
        branch bigint NOT NULL,
        parent_branch bigint NOT NULL,
        fork_position bigint NOT NULL,
        PRIMARY KEY (conversation_id, branch)
    )",
    r#"CREATE TABLE stream (
        message_id uuid PRIMARY KEY,
        conversation_id uuid NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        length bigint NOT NULL,
        stop_requested boolean NOT NULL,
        written_at bigint NOT NULL
    )"#,
    "CREATE TABLE message_text (
        message_id uuid NOT NULL,
        start bigint NOT NULL,
        text text NOT NULL,
        PRIMARY KEY (message_id, start)
    )",
];

const SQLITE_DOWN: &[&str] = &[
    "DROP TABLE message_text",
    "DROP TABLE stream",
    "DROP TABLE branch",
    "ALTER TABLE conversation DROP COLUMN trunk",
    "ALTER TABLE conversation DROP COLUMN branches",
    "ALTER TABLE conversation DROP COLUMN head_position",
    "ALTER TABLE conversation DROP COLUMN branch",
    "DROP INDEX message_by_parent",
    "DROP INDEX message_by_branch",
    "ALTER TABLE message DROP COLUMN deleted_at",
    "ALTER TABLE message DROP COLUMN edited_at",
    "ALTER TABLE message DROP COLUMN usage",
    "ALTER TABLE message DROP COLUMN model",
    "ALTER TABLE message DROP COLUMN status",
    "ALTER TABLE message DROP COLUMN parts",
    "ALTER TABLE message DROP COLUMN parent_position",
    "ALTER TABLE message DROP COLUMN branch",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_DOWN, SQLITE_DOWN).await
    }
}
