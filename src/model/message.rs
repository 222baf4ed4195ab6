//! Messages: one turn of a conversation.

use super::{Content, ConversationId, Json, MessageId, OwnerId, Timestamp};

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
}

/// A message to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The caller's choice; makes the append repeatable.
    pub id: Option<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// The caller's own data.
    pub metadata: Json,
}
