//! Attachments: files that messages and shares refer to. Their content is beside the database, in objects.
//!
//! `attachment` is what a client created. `blob` is the content: attachments of one owner with the same content have the same
//! blob. `blob_chunk` has a row for each object of a blob, by its place in the file. `attachment_reference` has a row for
//! each message and share that refers to an attachment.
//!
//! `object_removal` has a row for each object that may exist and is in no blob: one that is being written, and one that is
//! to be removed. The row is there before the object and after it, so no crash leaves an object that no row names.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &[
    "CREATE TABLE blob (
        id BLOB NOT NULL PRIMARY KEY,
        owner_id TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        byte_size INTEGER NOT NULL,
        received INTEGER NOT NULL,
        uploaded_at INTEGER
    ) STRICT",
    "CREATE UNIQUE INDEX blob_content ON blob (owner_id, sha256, byte_size)",
    "CREATE TABLE blob_chunk (
        id BLOB NOT NULL PRIMARY KEY,
        blob_id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        start INTEGER NOT NULL,
        byte_size INTEGER NOT NULL
    ) STRICT",
    "CREATE UNIQUE INDEX blob_chunk_start ON blob_chunk (blob_id, start)",
    "CREATE INDEX blob_chunk_owner ON blob_chunk (owner_id)",
    "CREATE TABLE attachment (
        id BLOB NOT NULL PRIMARY KEY,
        owner_id TEXT NOT NULL,
        blob_id BLOB NOT NULL,
        filename TEXT,
        media_type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        unused_since INTEGER
    ) STRICT",
    "CREATE INDEX attachment_owner ON attachment (owner_id, id)",
    "CREATE INDEX attachment_blob ON attachment (blob_id)",
    "CREATE INDEX attachment_unused ON attachment (unused_since) WHERE unused_since IS NOT NULL",
    "CREATE TABLE attachment_reference (
        attachment_id BLOB NOT NULL,
        referrer_id BLOB NOT NULL,
        conversation_id BLOB NOT NULL,
        owner_id TEXT NOT NULL,
        PRIMARY KEY (attachment_id, referrer_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX attachment_referrer ON attachment_reference (conversation_id, referrer_id)",
    "CREATE TABLE object_removal (
        id BLOB NOT NULL PRIMARY KEY,
        due_at INTEGER NOT NULL,
        begun INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX object_removal_due ON object_removal (due_at)",
];

const POSTGRES_UP: &[&str] = &[
    r#"CREATE TABLE blob (
        id uuid NOT NULL PRIMARY KEY,
        owner_id text COLLATE "C" NOT NULL,
        sha256 bytea NOT NULL,
        byte_size bigint NOT NULL,
        received bigint NOT NULL,
        uploaded_at bigint
    )"#,
    "CREATE UNIQUE INDEX blob_content ON blob (owner_id, sha256, byte_size)",
    r#"CREATE TABLE blob_chunk (
        id uuid NOT NULL PRIMARY KEY,
        blob_id uuid NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        start bigint NOT NULL,
        byte_size bigint NOT NULL
    )"#,
    "CREATE UNIQUE INDEX blob_chunk_start ON blob_chunk (blob_id, start)",
    "CREATE INDEX blob_chunk_owner ON blob_chunk (owner_id)",
    r#"CREATE TABLE attachment (
        id uuid NOT NULL PRIMARY KEY,
        owner_id text COLLATE "C" NOT NULL,
        blob_id uuid NOT NULL,
        filename text,
        media_type text NOT NULL,
        created_at bigint NOT NULL,
        unused_since bigint
    )"#,
    "CREATE INDEX attachment_owner ON attachment (owner_id, id)",
    "CREATE INDEX attachment_blob ON attachment (blob_id)",
    "CREATE INDEX attachment_unused ON attachment (unused_since) WHERE unused_since IS NOT NULL",
    r#"CREATE TABLE attachment_reference (
        attachment_id uuid NOT NULL,
        referrer_id uuid NOT NULL,
        conversation_id uuid NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (attachment_id, referrer_id)
    )"#,
    "CREATE INDEX attachment_referrer ON attachment_reference (conversation_id, referrer_id)",
    "CREATE TABLE object_removal (
        id uuid NOT NULL PRIMARY KEY,
        due_at bigint NOT NULL,
        begun boolean NOT NULL
    )",
    "CREATE INDEX object_removal_due ON object_removal (due_at)",
];

const DOWN: &[&str] = &[
    "DROP TABLE object_removal",
    "DROP TABLE attachment_reference",
    "DROP TABLE attachment",
    "DROP TABLE blob_chunk",
    "DROP TABLE blob",
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
