//! The tables, private to the store: a row never leaves it.

pub(super) mod branch;
pub(super) mod change;
pub(super) mod conversation;
pub(super) mod message;
pub(super) mod message_text;
pub(super) mod stream;
