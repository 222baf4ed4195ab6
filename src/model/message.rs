//! Messages: one turn of a conversation.

use super::{Content, ConversationId, Json, MessageId, ModelName, OwnerId, Parts, Timestamp, TokenUsage};

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Instructions to the model.
    System,
    /// A tool's result.
    Tool,
}

impl Role {
    /// The number that stands for it in the database. Never changed once released.
    pub fn code(self) -> i16 {
        match self {
            Self::User => 1,
            Self::Assistant => 2,
            Self::System => 3,
            Self::Tool => 4,
        }
    }

    /// The role a number stands for, if any.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::User, Self::Assistant, Self::System, Self::Tool].into_iter().find(|role| role.code() == code)
    }
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageStatus {
    /// Being written; its text grows.
    Streaming,
    /// Whole.
    Complete,
    /// Stopped, or its writer went away; the text so far is kept.
    Interrupted,
    /// It could not be written.
    Failed,
}

impl MessageStatus {
    /// The number that stands for it in the database. Never changed once released.
    pub fn code(self) -> i16 {
        match self {
            Self::Streaming => 1,
            Self::Complete => 2,
            Self::Interrupted => 3,
            Self::Failed => 4,
        }
    }

    /// The status a number stands for, if any.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Streaming, Self::Complete, Self::Interrupted, Self::Failed]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Chosen by the caller or, version 7, by the server.
    pub id: MessageId,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Its place there: 1, 2, 3, … without holes, in order of commit.
    pub position: i64,
    /// Whose it is.
    pub owner: OwnerId,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// The caller's own data.
    pub metadata: Json,
    /// By the server's clock; never earlier than the message before.
    pub created_at: Timestamp,
    /// Its branch; none for what was appended before the conversation first forked.
    pub branch: Option<i64>,
    /// The position of the message it follows; none for a first message.
    pub parent: Option<i64>,
    /// How far it is. While it is streaming, `content` is empty: its text is in pieces.
    pub status: MessageStatus,
    /// Its parts, where it is more than a text.
    pub parts: Option<Parts>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// What it cost.
    pub usage: Option<TokenUsage>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// When its content was removed.
    pub deleted_at: Option<Timestamp>,
    /// Whether it is in every context window.
    pub pinned: bool,
}

/// A message to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The caller's choice; makes the append repeatable.
    pub id: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// What is said; nothing yet, perhaps, where it will be streamed.
    pub body: Option<Body>,
    /// Whole, or to be streamed.
    pub status: MessageStatus,
    /// The model that wrote it.
    pub model: Option<ModelName>,
    /// What it cost.
    pub usage: Option<TokenUsage>,
    /// The caller's own data.
    pub metadata: Json,
}

/// What a message says: a text, or parts of several kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text(Content),
    /// Parts; those that are texts, joined by blank lines, are its content.
    Parts(Parts),
}

impl Body {
    /// The text, and the parts as JSON where there are some.
    pub fn into_columns(self) -> (String, Option<String>) {
        match self {
            Self::Text(content) => (content.into_string(), None),
            Self::Parts(parts) => (parts.content(), Some(parts.to_json())),
        }
    }
}

/// What an appended message follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The newest message on the active branch.
    Head,
    /// Nothing: it is a first message.
    Nothing,
    /// This message.
    Message(MessageId),
}

/// Messages to append, each after the one before, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Where.
    pub conversation: ConversationId,
    /// After what.
    pub after: After,
    /// Which message must be the head, if it matters.
    pub expected_head: Option<MessageId>,
    /// What.
    pub messages: Vec<NewMessage>,
}

/// What to change of a message; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessagePatch {
    /// What it says now.
    pub body: Option<Body>,
    /// What it cost; `Some(None)` clears it.
    pub usage: Option<Option<TokenUsage>>,
    /// The new data.
    pub metadata: Option<Json>,
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
