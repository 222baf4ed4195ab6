//! Everything that touches the database.
//!
//! - Every read and write goes through a [`Scoped`], which carries the owner: there is no way to
//!   ask for anything without saying whose it is, and the owner stands in every statement.
//! - `tx` alone begins transactions, records changes in the feed and signals after the commit.
//! - Rows never leave: what comes out is [`crate::model`].
//! - Texts may be large, so whatever reads any number of them takes their bytes from the operation's
//!   allowance as it reads (`measured`).
//! - On PostgreSQL, row-level security can check ownership a second time (`engine::row_level_security`).
//!
//! - Messages at the end of a conversation, and of a stream's text, go through the `writer`, many in one
//!   commit; all other writes are transactions of their own.
//!
//! On SQLite one connection writes at a time (`turn`) and several read. PostgreSQL has one pool for both,
//! and a few connections for the writer's lanes.

mod database;
mod engine;
mod entity;
mod error;
mod hot;
mod json_rows;
mod repository;
mod row_budget;
mod scope;
mod transaction;

pub use database::Store;
pub use engine::connect::{Process, Settings, migrations, sqlite_files, undo_migrations};
pub use engine::row_level_security::RowLevelSecurity;
#[doc(hidden)]
pub use entity::probe as entities;
pub use error::{Error, Result};
pub use hot::writer::Bounds;
#[doc(hidden)]
pub use hot::writer::probe;
pub use scope::Scoped;
