//! The records of an export: one JSON object a line, each with one key that says what it is.
//!
//! The file begins with a `header` and ends with an `end`. In between are the attachments, each followed by its content; the
//! conversations, each followed by its messages in the order of their positions; then what is of no conversation. Times are RFC 3339. `docs/export.md`
//! describes it for users.

use serde::{Deserialize, Serialize};

use super::{
    AttachmentId, ConversationId, Feedback, Json, MessageId, MessageStatus, Parts, Role, ShareId,
    SharedMessage, Timestamp, TokenUsage,
};

/// The version of the records. Newer ones cannot be imported. Version 1 has no attachments.
pub const EXPORT_VERSION: u32 = 2;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExportRecord {
    /// What the file is.
    Header(ExportHeader),
    /// An attachment. Its content follows, unless it is that of an attachment before.
    Attachment(ExportedAttachment),
    /// The next bytes of the attachment before, in Base64.
    AttachmentChunk(String),
    /// A conversation. Its messages follow.
    Conversation(Box<ExportedConversation>),
    /// A message of the conversation before.
    Message(Box<ExportedMessage>),
    /// A share of the conversation before.
    Share(Box<ExportedShare>),
    /// Token usage of deleted messages.
    DeletedUsage(ExportedUsage),
    /// A change in the feed. It is for the user to read, and is not imported.
    Change(ExportedChange),
    /// An entry of the audit log about the user. It is for the user to read, and is not imported.
    Audit(ExportedAuditEntry),
    /// The end: a file without it was cut off.
    End(ExportEnd),
}

/// What the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportHeader {
    /// `scrollback`.
    pub format: String,
    /// [`EXPORT_VERSION`].
    pub version: u32,
    /// Whose data it is.
    pub user: String,
    /// The state of the database that it has.
    pub exported_at: Timestamp,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedAttachment {
    /// The id.
    pub id: AttachmentId,
    /// The name of the file.
    pub filename: Option<String>,
    /// For example `image/png`.
    pub media_type: String,
    /// The size of the file.
    pub byte_size: i64,
    /// The SHA-256 of the file, in Base64.
    pub sha256: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the file was complete. Null: it was not uploaded.
    pub uploaded_at: Option<Timestamp>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedConversation {
    /// The id.
    pub id: ConversationId,
    /// The title.
    pub title: Option<String>,
    /// Data of the client.
    pub metadata: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last active.
    pub updated_at: Timestamp,
    /// When it was pinned.
    pub pinned_at: Option<Timestamp>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// When it was moved to the trash.
    pub trashed_at: Option<Timestamp>,
    /// When it goes by itself.
    pub expires_at: Option<Timestamp>,
    /// As they were typed.
    pub labels: Vec<String>,
    /// The position up to which the user has read.
    pub read_position: i64,
    /// Whether a new message takes it out of the archive.
    pub unarchive_on_message: bool,
    /// The position of the last message of the active branch. 0: there is no message.
    pub head_position: i64,
    /// How many messages follow, deleted ones included.
    pub messages: i64,
    /// What recognises a repeat of its creation, in Base64. Null if the server chose the id.
    pub fingerprint: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedMessage {
    /// The id.
    pub id: MessageId,
    /// 1, 2, 3, … in its conversation.
    pub position: i64,
    /// The position of the message before it on its branch. 0: it is a first message.
    pub parent_position: i64,
    /// The author.
    pub role: Role,
    /// The status. One that was being written when it was exported has its text so far.
    pub status: MessageStatus,
    /// The model that wrote it.
    pub model: Option<String>,
    /// The text. Of a message with parts, their texts.
    pub content: String,
    /// The parts, if it is more than a text.
    pub parts: Option<Parts>,
    /// Data of the client.
    pub metadata: Json,
    /// The tokens that it used.
    pub usage: Option<TokenUsage>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// When its content was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is in every context window.
    pub pinned: bool,
    /// What the user thinks of it.
    pub feedback: Option<Feedback>,
    /// What recognises a repeat of its append, in Base64. Null if the server chose the id.
    pub fingerprint: Option<String>,
}

/// A share with its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedShare {
    /// The id.
    pub id: ShareId,
    /// The title that readers see.
    pub title: Option<String>,
    /// The note of the owner.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How often it was read.
    pub view_count: i64,
    /// SHA-256 of the secret, in Base64: the secret stays valid.
    pub secret_hash: String,
    /// The messages as they were.
    pub messages: Vec<SharedMessage>,
}

/// Token usage of deleted messages with the same time and model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedUsage {
    /// When the messages were created.
    pub created_at: Timestamp,
    /// Empty for messages without a model.
    pub model: String,
    /// How many messages.
    pub message_count: i64,
    /// Tokens of the input.
    pub input_tokens: i64,
    /// Tokens of the output.
    pub output_tokens: i64,
    /// Tokens in total.
    pub total_tokens: i64,
    /// Tokens of the input that the provider read from its cache.
    pub cached_input_tokens: i64,
    /// Tokens of the output that are reasoning.
    pub reasoning_tokens: i64,
}

/// A change in the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedChange {
    /// 1, 2, 3, … of the user.
    pub revision: i64,
    /// The type in the API, for example `MessageAdded`.
    pub kind: String,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message, if it is one of a message.
    pub message_id: Option<MessageId>,
    /// When.
    pub changed_at: Timestamp,
    /// The back end that made it for the user.
    pub actor: Option<String>,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportedAuditEntry {
    /// When.
    pub created_at: Timestamp,
    /// `back end`, `server` or `operator`.
    pub actor_kind: String,
    /// The name of the back end or the operator.
    pub actor: Option<String>,
    /// What.
    pub action: String,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// The only message, or the first of several.
    pub message_id: Option<MessageId>,
    /// How many.
    pub count: Option<i64>,
}

/// The end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportEnd {
    /// How many conversations the file has.
    pub conversations: u64,
    /// How many messages.
    pub messages: u64,
    /// How many attachments.
    #[serde(default)]
    pub attachments: u64,
}
