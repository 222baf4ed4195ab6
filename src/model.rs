//! The vocabulary: plain types and the rules that hold for them.
//!
//! Whatever reaches the store has been made here, so a rule about a title, a content or an id is
//! written once and holds for GraphQL and for the importers alike. Nothing in this module knows
//! HTTP, GraphQL or SQL; the id types alone carry a derive that lets them be columns.

mod change;
mod content;
mod context;
mod conversation;
mod fingerprint;
mod id;
mod invalid;
mod json;
mod message;
mod page;
mod part;
mod stream;
mod time;
mod usage;
mod viewer;

pub use change::{Change, ChangeKind, Committed};
pub use content::{Content, MAX_CONTENT_BYTES, MAX_TITLE_BYTES, ModelName, Title, check_piece};
pub use context::{
    ContextOmission, ContextWindow, MAX_CONTEXT_TOKENS, PositionRange, Tokenizer, ToolCallId, ToolLink,
    ToolLinks, check_max_tokens,
};
pub use conversation::{
    Conversation, ConversationFilter, ConversationOrder, ConversationPatch, NewConversation,
};
pub use fingerprint::Fingerprint;
pub use fold::fold;
pub use id::{ConversationId, MessageId, OwnerId};
pub use invalid::Invalid;
pub use json::{Json, JsonFault, JsonNumber, JsonObject, JsonValue, MAX_JSON_BYTES};
pub use message::{After, Append, Body, Message, MessagePatch, MessageStatus, NewMessage, Role};
pub use page::{End, MAX_PAGE, Page, Range, Slice};
pub use part::{MAX_PARTS, MAX_PARTS_BYTES, Part, Parts, Source, ToolState};
pub use stream::{Piece, Progress, StreamEnd};
pub use time::Timestamp;
pub use usage::TokenUsage;
pub use viewer::Viewer;
