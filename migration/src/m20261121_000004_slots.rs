//! SQLite stores messages by one number, the slot: the number of the conversation, and the position in the low 32
//! bits.
//!
//! A table clustered by several columns stores whole rows in its inner pages. With a million messages it was nine
//! levels deep, and every row of more than a kilobyte used overflow pages. With a number as key it has four levels
//! and is a third smaller. SQLite assigns the number of a conversation, and may reuse the number of a deleted one.
//!
//! The migration rewrites the tables, so the file has room for them twice until VACUUM runs. PostgreSQL stores rows
//! apart from their indexes, so nothing changes there.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE conversation_by_number (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        owner_id TEXT NOT NULL,
        title TEXT,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        message_count INTEGER NOT NULL,
        last_position INTEGER NOT NULL,
        head_position INTEGER NOT NULL DEFAULT 0,
        branch INTEGER NOT NULL DEFAULT 0,
        branches INTEGER NOT NULL DEFAULT 0,
        trunk INTEGER NOT NULL DEFAULT 0,
        fingerprint BLOB
    ) STRICT",
    "INSERT INTO conversation_by_number (id, owner_id, title, metadata, created_at, updated_at, message_count,
        last_position, head_position, branch, branches, trunk, fingerprint)
     SELECT id, owner_id, title, metadata, created_at, updated_at, message_count,
        last_position, head_position, branch, branches, trunk, fingerprint
     FROM conversation ORDER BY created_at, id",
    "DROP TABLE conversation",
    "ALTER TABLE conversation_by_number RENAME TO conversation",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, updated_at, id)",
    "CREATE TABLE message_by_slot (
        slot INTEGER PRIMARY KEY CHECK (slot & 4294967295 = position),
        conversation_id BLOB NOT NULL,
        position INTEGER NOT NULL,
        id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        role INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        status INTEGER NOT NULL DEFAULT 2,
        branch INTEGER,
        parent_position INTEGER,
        model TEXT,
        usage TEXT,
        edited_at INTEGER,
        deleted_at INTEGER,
        fingerprint BLOB,
        metadata TEXT NOT NULL,
        content TEXT NOT NULL,
        parts TEXT
    ) STRICT",
    "INSERT INTO message_by_slot (slot, conversation_id, position, id, owner_id, role, created_at, status, branch,
        parent_position, model, usage, edited_at, deleted_at, fingerprint, metadata, content, parts)
     SELECT (c.number << 32) + m.position, m.conversation_id, m.position, m.id, m.owner_id, m.role, m.created_at,
        m.status, m.branch, m.parent_position, m.model, m.usage, m.edited_at, m.deleted_at, m.fingerprint,
        m.metadata, m.content, m.parts
     FROM conversation AS c CROSS JOIN message AS m ON m.conversation_id = c.id ORDER BY c.number, m.position",
    "DROP TABLE message",
    "ALTER TABLE message_by_slot RENAME TO message",
    "CREATE UNIQUE INDEX message_id ON message (id)",
    "CREATE INDEX message_by_branch ON message (conversation_id, branch, position) WHERE branch IS NOT NULL",
    "CREATE INDEX message_by_parent ON message (conversation_id, parent_position) WHERE branch IS NOT NULL",
];

const SQLITE_DOWN: &[&str] = &[
    "CREATE TABLE conversation_by_id (
        id BLOB NOT NULL PRIMARY KEY,
        owner_id TEXT NOT NULL,
        title TEXT,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        message_count INTEGER NOT NULL,
        last_position INTEGER NOT NULL,
        fingerprint BLOB,
        branch INTEGER NOT NULL DEFAULT 0,
        head_position INTEGER NOT NULL DEFAULT 0,
        branches INTEGER NOT NULL DEFAULT 0,
        trunk INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID",
    "INSERT INTO conversation_by_id (id, owner_id, title, metadata, created_at, updated_at, message_count,
        last_position, head_position, branch, branches, trunk, fingerprint)
     SELECT id, owner_id, title, metadata, created_at, updated_at, message_count,
        last_position, head_position, branch, branches, trunk, fingerprint FROM conversation",
    "DROP TABLE conversation",
    "ALTER TABLE conversation_by_id RENAME TO conversation",
    "CREATE INDEX conversation_by_activity ON conversation (owner_id, updated_at, id)",
    "CREATE TABLE message_by_conversation (
        conversation_id BLOB NOT NULL,
        position INTEGER NOT NULL,
        id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        role INTEGER NOT NULL,
        content TEXT NOT NULL,
        metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        fingerprint BLOB,
        branch INTEGER,
        parent_position INTEGER,
        parts TEXT,
        status INTEGER NOT NULL DEFAULT 2,
        model TEXT,
        usage TEXT,
        edited_at INTEGER,
        deleted_at INTEGER,
        PRIMARY KEY (conversation_id, position)
    ) STRICT, WITHOUT ROWID",
    "INSERT INTO message_by_conversation (conversation_id, position, id, owner_id, role, content, metadata,
        created_at, fingerprint, branch, parent_position, parts, status, model, usage, edited_at, deleted_at)
     SELECT conversation_id, position, id, owner_id, role, content, metadata,
        created_at, fingerprint, branch, parent_position, parts, status, model, usage, edited_at, deleted_at
     FROM message ORDER BY conversation_id, position",
    "DROP TABLE message",
    "ALTER TABLE message_by_conversation RENAME TO message",
    "CREATE UNIQUE INDEX message_id ON message (id)",
    "CREATE INDEX message_by_branch ON message (conversation_id, branch, position) WHERE branch IS NOT NULL",
    "CREATE INDEX message_by_parent ON message (conversation_id, parent_position) WHERE branch IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, &[]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_DOWN, &[]).await
    }
}
