//! Changes: what happened to the data of an owner, in commit order.

use super::{ConversationId, MessageId, OwnerId, Timestamp};

/// The kind of a change. The numbers are stored in the database and never change once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A conversation was created.
    ConversationCreated,
    /// Something of a conversation changed besides its messages.
    ConversationUpdated,
    /// A conversation was deleted with its messages.
    ConversationDeleted,
    /// A message was appended.
    MessageAdded,
    /// A message was edited, or its stream ended.
    MessageUpdated,
    /// The content of a message was deleted.
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

    /// The number in the database.
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

    /// The name of the type in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConversationCreated => "ConversationCreated",
            Self::ConversationUpdated => "ConversationUpdated",
            Self::ConversationDeleted => "ConversationDeleted",
            Self::MessageAdded => "MessageAdded",
            Self::MessageUpdated => "MessageUpdated",
            Self::MessageDeleted => "MessageDeleted",
        }
    }

    /// The kind with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A change to the data of an owner: ids only, no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The conversation that changed.
    pub conversation: ConversationId,
    /// The message that changed, if the change is about a message.
    pub message: Option<MessageId>,
}

/// A committed change with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedChange {
    /// 1, 2, 3, … for each owner, without gaps, in commit order.
    pub revision: i64,
    /// The kind of the change.
    pub change: Change,
    /// The time of the change, by the server's clock.
    pub changed_at: Timestamp,
    /// The back end that made the change for the owner. `None` if the owner made it.
    pub actor: Option<OwnerId>,
}
