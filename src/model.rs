//! The types of the domain and the rules of their values.
//!
//! The store accepts only these types, so the rule of a title, a content or an id is written once and applies
//! to GraphQL and to imports. Nothing in this module depends on HTTP, GraphQL or SQL. Only the id types
//! derive traits of SeaORM, so that they can be columns.

mod attachment;
mod audit;
mod backup;
mod change;
mod change_cursor;
mod content;
mod context;
mod conversation;
mod data_url;
mod erasure;
mod export;
mod feedback;
mod fingerprint;
mod hex;
mod id;
mod invalid;
mod json;
mod label;
mod message;
mod message_page;
mod metadata;
mod page;
mod part;
mod retention;
mod revocation;
mod search;
mod share;
mod stream;
mod time;
mod usage;
mod usage_sum;
mod viewer;
mod webhook;

pub use self::search::{MessageSearch, SearchHit, SearchOrder, SearchPage, SearchPosition, SearchQuery};
pub use attachment::{
    Attachment, FileRules, Filename, MAX_FILE_BYTES, MAX_INLINE_BYTES, MediaRange, MediaType, NewAttachment,
    SHA256_BYTES, attachment_of, attachment_url,
};
pub use audit::{AuditAction, AuditActor, AuditEntry, AuditFilter, AuditedOwner};
pub use backup::{BACKUP_VERSION, BackedUpAccount, BackedUpKey, BackupEnd, BackupHeader, BackupRecord};
pub use change::{Change, ChangeKind, CommittedChange};
pub use change_cursor::{change_cursor, parse_change_cursor};
pub use content::{
    Content, ContentLimits, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, MAX_TITLE_BYTES, ModelName, Title,
    check_text_chunk,
};
pub use context::{
    ContextOmission, ContextWindow, MAX_CONTEXT_TOKENS, PositionRange, Tokenizer, ToolCallId, ToolLink,
    ToolLinks, check_max_tokens,
};
pub use conversation::{
    Conversation, ConversationFilter, ConversationOrder, ConversationPatch, ConversationState,
    NewConversation,
};
pub use data_url::{decode_data_url, is_data_url};
pub use erasure::{ErasedRows, ErasureContent, ErasureFault, ErasureReceipt};
pub use export::{
    EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord, ExportedAttachment, ExportedAuditEntry,
    ExportedChange, ExportedConversation, ExportedMessage, ExportedShare, ExportedUsage,
};
pub use feedback::{Feedback, FeedbackComment, FeedbackPatch, FeedbackTags, Rating};
pub use fingerprint::Fingerprint;
pub use fold::fold;
pub use hex::hex;
pub use id::{AttachmentId, ConversationId, DeletionId, MessageId, OwnerId, ShareId};
pub use invalid::Invalid;
pub use json::{Json, JsonFault, JsonNumber, JsonObject, JsonValue};
pub use label::{Label, LabelCount, LabelPatch, Labels, MAX_LABELS};
pub use message::{
    Append, AppendParent, Message, MessageBody, MessagePatch, MessageStatus, NewMessage, Role,
};
pub use message_page::{MessagePage, MessagesBeside, Siblings};
pub use metadata::{MergePatch, MetadataChange};
pub use page::{Deleted, End, MAX_PAGE, Page, Range, Slice};
pub use part::{MAX_PARTS, Part, Parts, Source, ToolState};
pub use retention::{
    DueCount, InactivityRule, OwnerRetention, RetentionAction, RetentionReason, RetentionRules,
};
pub use revocation::{Revocation, RevokedTokens, TokenIdentity};
pub use share::{
    NewShare, Share, ShareLabel, ShareRules, ShareSecret, SharedConversation, SharedMessage, share_hash,
};
pub use stream::{CommittedText, StreamEnd, StreamProgress, TextChunk};
pub use time::Timestamp;
pub use usage::TokenUsage;
pub use usage_sum::{MAX_USAGE_SUMS, OwnerUsage, UsageGroup, UsagePeriod, UsageSum};
pub use viewer::{Scope, Viewer};
pub use webhook::{
    DeliveryFault, EventType, OwnerPattern, WebhookEvent, WebhookEventData, WebhookProgress, WebhookState,
    WebhookSummary,
};
