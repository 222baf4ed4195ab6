//! The ordinary statements, one file for each subject, built from the entities of SeaORM.

pub(super) mod append;
pub(super) mod attachment_references;
pub(super) mod attachments;
pub(super) mod audit;
pub(super) mod blobs;
mod bounded;
mod branches;
mod catch_up;
mod changes;
mod context;
mod conversations;
mod data_urls;
mod deleted_usage;
mod edits;
pub(super) mod export;
mod feedback;
pub(super) mod labels;
mod messages;
mod organise;
pub(super) mod restore;
mod restore_attachments;
mod retention;
mod shares;
mod streams;
mod token_counts;
mod usage_sums;
pub(super) mod webhooks;
