//! Ordinary statements, by the tables they are about, through SeaORM's entities.

pub(super) mod append;
mod bounded;
mod branches;
mod catch_up;
mod changes;
mod context;
mod conversations;
mod edits;
mod messages;
mod streams;
mod token_counts;
