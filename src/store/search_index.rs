//! Full-text search: the index in the database, and queries on it.
//!
//! The crate `search` says what terms are, how the index is laid out, and which documents match. Here is what
//! touches the database:
//!
//! - An append does not write to the index. A background task ([`indexer`]) does, for many messages at once.
//! - A query ([`query`]) reads the index, and what the index does not have yet: the owner's changes after
//!   [`revision`](crate::store::entity::search_state::Model::revision). It indexes those in memory, and runs on
//!   both. So it finds everything that was committed before it began.
//! - An index is made of segments. [`merge`] makes one of many. [`removal`] takes deleted and edited messages out of
//!   them, so that nothing of their text is left.
//! - [`backfill`] indexes what is older than the feed of changes reaches back.
//! - [`check`] compares the index with the messages.
//!
//! Every owner has an index of their own: other owners neither slow a query down nor change its results.

mod backfill;
mod blocks;
mod check;
mod documents;
mod indexer;
mod merge;
mod messages;
mod pending;
mod query;
mod removal;
mod state;
mod tail;
mod write;

pub(in crate::store) use check::index_faults;
pub(in crate::store) use pending::Pending;
