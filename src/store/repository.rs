//! The ordinary statements, one file for each subject, built from the entities of SeaORM.

pub(super) mod append;
pub(super) mod audit;
mod bounded;
mod branches;
mod catch_up;
mod changes;
mod context;
mod conversations;
mod deleted_usage;
mod edits;
pub(super) mod export;
mod feedback;
pub(super) mod labels;
mod messages;
mod organise;
pub(super) mod restore;
mod retention;
mod shares;
mod streams;
mod token_counts;
mod usage_sums;
