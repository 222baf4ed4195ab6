//! The feed: what changed for an owner, in order of commit.

use super::{ConversationId, MessageId};

/// What happened. The numbers stand in the database and never change once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A conversation came to be.
    ConversationCreated,
    /// Its title or data changed.
    ConversationUpdated,
    /// It is gone, with its messages.
    ConversationDeleted,
    /// A message was appended.
    MessageAdded,
}

impl ChangeKind {
    /// The number that stands for it in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::ConversationCreated => 1,
            Self::ConversationUpdated => 2,
            Self::ConversationDeleted => 3,
            Self::MessageAdded => 4,
        }
    }
}

/// One committed fact about an owner's data: ids only, never text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To which conversation.
    pub conversation: ConversationId,
    /// To which message of it.
    pub message: Option<MessageId>,
}
