//! `message.pinned`, and the token counts of messages.
//!
//! A count is written when somebody first asks for it, so appends do not count. It goes with the text it was made
//! from: an edit deletes it and a deletion of the message sets `tokens` to null, in the same transaction. Its key is
//! the place of the message, so the counts of a range of a branch are a range of the key. `branch` is -1 for
//! `message.branch IS NULL`. `span` is the distance to the position of the message before on the branch: the spans of
//! a range add up to its length if and only if no count is missing. `tool_calls` has the calls of tools that the
//! message makes and answers.
//!
//! `message_kept` finds the messages that are in every context window: those of the role SYSTEM (3) and pinned ones.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "ALTER TABLE message ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX message_kept ON message (conversation_id, position) WHERE role = 3 OR pinned",
    "CREATE TABLE message_token_count (
        conversation_id BLOB NOT NULL,
        tokenizer INTEGER NOT NULL,
        branch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        span INTEGER NOT NULL,
        tokens INTEGER,
        owner_id TEXT NOT NULL,
        tool_calls BLOB,
        PRIMARY KEY (conversation_id, tokenizer, branch, position)
    ) STRICT, WITHOUT ROWID",
];

const POSTGRES_UP: &[&str] = &[
    "ALTER TABLE message ADD COLUMN pinned boolean NOT NULL DEFAULT false",
    "CREATE INDEX message_kept ON message (conversation_id, position) WHERE role = 3 OR pinned",
    r#"CREATE TABLE message_token_count (
        conversation_id uuid NOT NULL,
        tokenizer smallint NOT NULL,
        branch bigint NOT NULL,
        position bigint NOT NULL,
        span bigint NOT NULL,
        tokens bigint,
        owner_id text COLLATE "C" NOT NULL,
        tool_calls bytea,
        PRIMARY KEY (conversation_id, tokenizer, branch, position)
    )"#,
];

const DOWN: &[&str] =
    &["DROP TABLE message_token_count", "DROP INDEX message_kept", "ALTER TABLE message DROP COLUMN pinned"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}
