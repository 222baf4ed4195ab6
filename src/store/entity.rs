//! The tables, private to the store: a row never leaves it.

pub(super) mod change;
pub(super) mod conversation;
pub(super) mod message;
