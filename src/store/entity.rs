//! The tables, private to the store: a row never leaves it.

pub(in crate::store) mod account;
pub(in crate::store) mod branch;
pub(in crate::store) mod change;
pub(in crate::store) mod conversation;
pub(in crate::store) mod message;
pub(in crate::store) mod message_text;
pub(in crate::store) mod message_token_count;
pub mod probe;
pub(in crate::store) mod stream;
