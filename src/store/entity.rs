//! The entities: the only definition of tables and columns in the code. Private to the store.

pub(in crate::store) mod account;
pub(in crate::store) mod attachment;
pub(in crate::store) mod attachment_reference;
pub(in crate::store) mod audit_entry;
pub(in crate::store) mod blob;
pub(in crate::store) mod blob_chunk;
pub(in crate::store) mod branch;
pub(in crate::store) mod change;
pub(in crate::store) mod conversation;
pub(in crate::store) mod conversation_label;
pub(in crate::store) mod deleted_usage;
pub(in crate::store) mod deletion;
pub(in crate::store) mod message;
pub(in crate::store) mod message_feedback;
pub(in crate::store) mod message_text;
pub(in crate::store) mod message_token_count;
pub(in crate::store) mod object_removal;
pub(in crate::store) mod search_block;
pub(in crate::store) mod search_segment;
pub(in crate::store) mod search_state;
pub(in crate::store) mod share;
pub(in crate::store) mod shared_message;
pub(in crate::store) mod signing_key;
pub(in crate::store) mod stream;
pub mod tables;
pub(in crate::store) mod webhook;
pub(in crate::store) mod webhook_position;
