//! Feedback on messages, and what sums of token usage read.
//!
//! `message_feedback` has one row for each message with feedback. It is not clustered by its key on SQLite, because
//! comments are long.
//!
//! Sums of usage are computed from `message.usage`. The index `message_usage` has all columns that a sum reads, and only
//! the messages with a usage: other appends do not write to it. `deleted_usage` keeps the usage of deleted messages, because
//! their tokens were used. It has no ids of messages or conversations. `model` is empty for messages without a model.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE message_feedback (
        conversation_id BLOB NOT NULL,
        message_id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        rating INTEGER,
        tags TEXT NOT NULL,
        comment TEXT,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, message_id)
    ) STRICT",
    "CREATE INDEX message_usage ON message (owner_id, created_at, model, usage, conversation_id)
        WHERE usage IS NOT NULL",
    "CREATE TABLE deleted_usage (
        owner_id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        model TEXT NOT NULL,
        message_count INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        total_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        PRIMARY KEY (owner_id, created_at, model)
    ) STRICT, WITHOUT ROWID",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE message_feedback (
        conversation_id uuid NOT NULL,
        message_id uuid NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        rating smallint,
        tags text NOT NULL,
        comment text,
        updated_at bigint NOT NULL,
        PRIMARY KEY (conversation_id, message_id)
    )"#,
    "CREATE INDEX message_usage ON message (owner_id, created_at) INCLUDE (model, usage, conversation_id)
        WHERE usage IS NOT NULL",
    r#"CREATE TABLE deleted_usage (
        owner_id text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        model text NOT NULL,
        message_count bigint NOT NULL,
        input_tokens bigint NOT NULL,
        output_tokens bigint NOT NULL,
        total_tokens bigint NOT NULL,
        cached_input_tokens bigint NOT NULL,
        reasoning_tokens bigint NOT NULL,
        PRIMARY KEY (owner_id, created_at, model)
    )"#,
];

const DOWN: &[&str] =
    &["DROP TABLE deleted_usage", "DROP INDEX message_usage", "DROP TABLE message_feedback"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
