//! The feed: what changed for an owner, in order of commit.

use super::{ConversationId, MessageId, OwnerId, Timestamp};

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
    /// A message was edited, or its stream has ended.
    MessageUpdated,
    /// A message's content was removed.
    MessageDeleted,
}

impl ChangeKind {
    const ALL: [Self; 6] = [
        Self::ConversationCreated,
        Self::ConversationUpdated,
        Self::ConversationDeleted,
        Self::MessageAdded,
        Self::MessageUpdated,
        Self::MessageDeleted,
    ];

    /// The number that stands for it in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::ConversationCreated => 1,
            Self::ConversationUpdated => 2,
            Self::ConversationDeleted => 3,
            Self::MessageAdded => 4,
            Self::MessageUpdated => 5,
            Self::MessageDeleted => 6,
        }
    }

    /// What a number stands for, if anything.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One fact about an owner's data: ids only, never text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To which conversation.
    pub conversation: ConversationId,
    /// To which message of it.
    pub message: Option<MessageId>,
}

/// A change that was committed, and its place among the owner's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedChange {
    /// 1, 2, 3, … for an owner, without holes, in order of commit.
    pub revision: i64,
    /// What happened.
    pub change: Change,
    /// When, by the server's clock.
    pub changed_at: Timestamp,
    /// Who made it for the owner, where that was somebody else.
    pub actor: Option<OwnerId>,
}
