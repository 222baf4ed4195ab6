//! Conversations: what messages stand in.

use super::{ConversationId, Json, NewMessage, OwnerId, Timestamp, Title};

/// A conversation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Chosen by the caller or, version 7, by the server.
    pub id: ConversationId,
    /// Whose it is.
    pub owner: OwnerId,
    /// What it is called.
    pub title: Option<String>,
    /// The caller's own data.
    pub metadata: Json,
    /// By the server's clock.
    pub created_at: Timestamp,
    /// Last activity. Moves forward with every change, even when the clock does not.
    pub updated_at: Timestamp,
    /// How many messages it has, deleted ones not counted.
    pub message_count: i64,
    /// The position given last, on whatever branch.
    pub last_position: i64,
    /// Where the active branch ends; 0 when there is no message.
    pub head_position: i64,
    /// The branch of the head.
    pub branch: i64,
    /// How many branches have forked; 0 for a conversation that never did.
    pub branches: i64,
    /// How many messages there were when it first forked.
    pub trunk: i64,
}

impl Conversation {
    /// Whether the active branch is simply all messages.
    pub fn is_linear(&self) -> bool {
        self.branches == 0 && self.head_position == self.last_position
    }
}

/// A conversation to create, with its first messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// The caller's choice; makes the creation repeatable.
    pub id: Option<ConversationId>,
    /// What it is called.
    pub title: Option<Title>,
    /// The caller's own data.
    pub metadata: Json,
    /// In the order they shall stand.
    pub messages: Vec<NewMessage>,
}

/// What to change of a conversation; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationPatch {
    /// `Some(None)` clears it.
    pub title: Option<Option<Title>>,
    /// The new data.
    pub metadata: Option<Json>,
}

/// Which of the viewer's conversations to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConversationFilter {
    /// Only titles that contain this text when both are folded ([`super::fold`]).
    pub title_contains: Option<String>,
    /// Only those with activity at this time or later.
    pub updated_since: Option<Timestamp>,
}

/// By which time conversations are listed. The id decides between equal times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConversationOrder {
    /// Most recently active first.
    #[default]
    UpdatedDescending,
    /// Least recently active first.
    UpdatedAscending,
    /// Newest first.
    CreatedDescending,
    /// Oldest first.
    CreatedAscending,
}

impl ConversationOrder {
    /// Whether times grow along the list.
    pub fn is_ascending(self) -> bool {
        matches!(self, Self::UpdatedAscending | Self::CreatedAscending)
    }

    /// The time of `conversation` that this order goes by.
    pub fn time_of(self, conversation: &Conversation) -> Timestamp {
        match self {
            Self::UpdatedDescending | Self::UpdatedAscending => conversation.updated_at,
            Self::CreatedDescending | Self::CreatedAscending => conversation.created_at,
        }
    }
}
