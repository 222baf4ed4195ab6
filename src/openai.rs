//! Conversations and items of OpenAI's Conversations API, made of conversations and messages, and messages made of items.
//!
//! - `id`: ids of OpenAI's form, which encode those of Scrollback.
//! - `item_type`: the types of items and where their fields are stored.
//! - `input`: checks an item of a client and makes a message of it.
//! - `item`: makes the items of a message.
//! - `metadata`: the metadata of OpenAI within that of Scrollback.
//!
//! An item becomes the parts that fit it. Its other fields are kept in `extra` of a part or in the metadata of the message.
//! If the message would not give the same item back, the item is kept as a whole in a custom part.

mod content;
mod draft;
mod file_urls;
mod id;
mod input;
mod item;
mod item_type;
mod json;
mod message_item;
mod metadata;
mod reasoning;
mod tool;

pub use file_urls::FileUrls;
pub use id::{ItemId, conversation_id, parse_conversation_id};
pub use input::{InputItem, NewItem, ToolNames};
pub use item::{Item, items_of};
pub use metadata::{MAX_PAIRS, of_conversation as metadata_of, parse as parse_metadata, with_openai};
