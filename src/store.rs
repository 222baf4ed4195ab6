//! Everything that touches the database.
//!
//! - Every read and write goes through a [`Scoped`], which carries the owner. The owner is in the condition of every
//!   statement.
//! - `transaction` alone begins transactions. It records changes in the feed, commits, and then signals.
//! - Rows do not leave the store. Its operations return types of [`crate::model`].
//! - SeaORM is the data layer. The entities (`entity`) define the tables and columns, and the statements in
//!   `repository` are built from them. SQL stands as text only in `hot`, and where a comment says what SeaORM cannot
//!   express.
//! - Texts can be large. A read takes the bytes of its rows from the allowance of the operation (`row_budget`).
//! - On PostgreSQL, row-level security can check ownership a second time (`engine::row_level_security`).
//! - Appends to the end of a conversation, and of a stream's text, go through the workers of `hot::writer`, many in
//!   one commit. All other writes are transactions of their own.
//!
//! On SQLite one connection writes at a time (`engine::write_lock`) and several read. PostgreSQL has one pool for
//! reads and writes, and a few connections for the write workers.

mod changed_owners;
mod check;
mod data_migration;
mod database;
mod engine;
mod entity;
mod erasure;
mod error;
mod file_links;
mod files;
mod hot;
mod json_rows;
mod object_storage;
mod repository;
mod retention_figures;
mod row_budget;
mod scope;
mod search_index;
mod signing_key;
mod snapshot;
mod transaction;

pub use check::{CheckOptions, CheckSummary, Remedy, Violation};
pub use data_migration::{MovedData, migrate_data};
pub use database::Store;
pub use engine::background::in_background;
pub use engine::connect::{
    FileSettings, Process, Settings, SqliteTarget, check_sqlite_file, copy_sqlite_database, migrations,
    sqlite_files, undo_migrations,
};
pub use engine::facts::{DatabaseFacts, PostgresFacts, SqliteFacts, database_facts};
pub use engine::row_level_security::RowLevelSecurity;
#[doc(hidden)]
pub use entity::tables as entities;
pub use error::{Error, Result};
pub use file_links::{FileLink, LinkPurpose};
pub use files::{StoredFile, Upload};
#[doc(hidden)]
pub use hot::reads::branch_statements;
#[doc(hidden)]
pub use hot::writer::probe;
pub use hot::writer::{Bounds, WriterFigures};
pub use object_storage::check_file_storage;
pub use repository::backup::BackupSnapshot;
pub use repository::export::ExportSnapshot;
pub use repository::export::messages::MessagePages;
pub use repository::export::sink::ExportSink;
pub use repository::restore::{ExportedWhole, Restore};
pub use repository::webhooks::{ReplayStart, WebhookLease};
pub use scope::Scoped;
