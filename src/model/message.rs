//! Messages.

use serde::{Deserialize, Serialize};

use super::{
    Content, ConversationId, Json, MessageId, MetadataChange, ModelName, OwnerId, Parts, Timestamp,
    TokenUsage,
};

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// A person.
    User,
    /// A model.
    Assistant,
    /// Instructions to the model.
    System,
    /// The result of a tool.
    Tool,
}

impl Role {
    /// The number in the database. It never changes once released.
    pub fn code(self) -> i16 {
        match self {
            Self::User => 1,
            Self::Assistant => 2,
            Self::System => 3,
            Self::Tool => 4,
        }
    }

    /// The role with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::User, Self::Assistant, Self::System, Self::Tool].into_iter().find(|role| role.code() == code)
    }
}

/// The status of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageStatus {
    /// Text is still being added.
    Streaming,
    /// Complete.
    Complete,
    /// The writer stopped or its lease expired. The text so far is kept.
    Interrupted,
    /// The writer failed.
    Failed,
}

impl MessageStatus {
    /// The number in the database. It never changes once released.
    pub fn code(self) -> i16 {
        match self {
            Self::Streaming => 1,
            Self::Complete => 2,
            Self::Interrupted => 3,
            Self::Failed => 4,
        }
    }

    /// The status with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Streaming, Self::Complete, Self::Interrupted, Self::Failed]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Chosen by the client, or a UUID version 7 of the server.
    pub id: MessageId,
    /// The conversation that it belongs to.
    pub conversation: ConversationId,
    /// The position in the conversation: 1, 2, 3, … without gaps, in commit order.
    pub position: i64,
    /// The owner.
    pub owner: OwnerId,
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
    /// Data of the client, never interpreted.
    pub metadata: Json,
    /// The time of creation, by the server's clock. Never earlier than that of the message before.
    pub created_at: Timestamp,
    /// The branch. `None` for messages that were appended before the conversation first forked.
    pub branch: Option<i64>,
    /// The position of the parent. `None` for a first message.
    pub parent: Option<i64>,
    /// The status. While it is streaming, `content` is empty and the text is stored in chunks.
    pub status: MessageStatus,
    /// The parts, if the message is more than a text.
    pub parts: Option<Parts>,
    /// The model that wrote the message.
    pub model: Option<String>,
    /// The tokens that it used.
    pub usage: Option<TokenUsage>,
    /// The time of the last edit.
    pub edited_at: Option<Timestamp>,
    /// The time at which its content was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is in every context window.
    pub pinned: bool,
}

impl Message {
    /// The position of the parent. 0 for a first message.
    pub fn parent_position(&self) -> i64 {
        self.parent.unwrap_or(0)
    }
}

/// A message to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The id that the client chose. It makes the append idempotent.
    pub id: Option<MessageId>,
    /// The author.
    pub role: Role,
    /// The text or the parts. `None` only for a message that will be streamed.
    pub body: Option<MessageBody>,
    /// Complete or streaming.
    pub status: MessageStatus,
    /// The model that wrote the message.
    pub model: Option<ModelName>,
    /// The tokens that it used.
    pub usage: Option<TokenUsage>,
    /// Data of the client, never interpreted.
    pub metadata: Json,
}

/// The content of a message: a text or parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// A text.
    Text(Content),
    /// Parts. The content of the message is the text parts, joined by blank lines.
    Parts(Parts),
}

impl MessageBody {
    /// The text, and the parts as JSON if there are parts.
    pub fn into_columns(self) -> (String, Option<String>) {
        match self {
            Self::Text(content) => (content.into_string(), None),
            Self::Parts(parts) => (parts.content(), Some(parts.to_json())),
        }
    }
}

/// The parent of an appended message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendParent {
    /// The last message of the active branch.
    Head,
    /// None: the message is a first message.
    Root,
    /// A message by its id.
    Message(MessageId),
}

/// Messages to append atomically, each after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The conversation.
    pub conversation: ConversationId,
    /// The parent of the first message.
    pub after: AppendParent,
    /// The message that must be the head, if any.
    pub expected_head: Option<MessageId>,
    /// The messages, in order.
    pub messages: Vec<NewMessage>,
}

/// Changes to a message. `None` keeps a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessagePatch {
    /// The new content.
    pub body: Option<MessageBody>,
    /// The new usage. `Some(None)` clears it.
    pub usage: Option<Option<TokenUsage>>,
    /// The change of its metadata.
    pub metadata: Option<MetadataChange>,
    /// Whether it is in every context window.
    pub pinned: Option<bool>,
}

impl MessagePatch {
    /// Whether it changes what the message says, costs or carries: that is an edit. A pin is not.
    pub fn is_edit(&self) -> bool {
        let Self { body, usage, metadata, pinned } = self;
        body.is_some() || usage.is_some() || metadata.is_some() || pinned.is_none()
    }
}
