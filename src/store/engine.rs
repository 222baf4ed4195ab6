//! The differences between SQLite and PostgreSQL: opening the database, locks, row-level security.

pub(super) mod background;
pub(in crate::store) mod connect;
pub(super) mod facts;
pub(super) mod long_read;
pub(super) mod row_level_security;
pub(super) mod schema_version;
pub(super) mod slot;
pub(super) mod write_lock;
