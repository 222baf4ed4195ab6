//! Fast paths: the statements that most requests run, without SeaORM.
//!
//! - [`writer`]: concurrent appends share one commit, because a commit costs a sync of the disk (`cargo bench --bench
//!   load -- append`).
//! - [`reads`]: the history and list reads. On PostgreSQL concurrent reads share one statement, which saves round
//!   trips. On SQLite a thread runs each read without a task switch for every row (`cargo bench --bench load --
//!   history list`).
//!
//! All other statements are in [`super::repository`].

pub(super) mod reads;
pub(super) mod writer;
