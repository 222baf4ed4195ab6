//! Statements that most requests run, without SeaORM.
//!
//! - [`writer`]: appends that arrive together share one commit (`cargo bench --bench load -- append`).
//! - [`reads`]: history and lists that are asked for together share one statement on PostgreSQL, and run without a
//!   task switch for every row on SQLite (`cargo bench --bench load -- history list`).
//!
//! Everything else is in [`super::repository`].

pub(super) mod reads;
pub(super) mod writer;
