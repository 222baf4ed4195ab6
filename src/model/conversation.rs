//! Conversations.

use super::{ConversationId, Json, NewMessage, OwnerId, SearchQuery, Timestamp, Title};

/// A stored conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Chosen by the client, or a UUID version 7 of the server.
    pub id: ConversationId,
    /// The owner.
    pub owner: OwnerId,
    /// The title.
    pub title: Option<String>,
    /// Data of the client, never interpreted.
    pub metadata: Json,
    /// The time of creation, by the server's clock.
    pub created_at: Timestamp,
    /// The time of the last activity. It increases with every change, even if the clock does not.
    pub updated_at: Timestamp,
    /// The number of messages without deleted ones.
    pub message_count: i64,
    /// The position of the newest message on any branch.
    pub last_position: i64,
    /// The position of the last message of the active branch. 0 if there is no message.
    pub head_position: i64,
    /// The branch of the head.
    pub branch: i64,
    /// The number of branches besides the first. 0 if the conversation never forked.
    pub branches: i64,
    /// The number of messages before the first fork.
    pub trunk: i64,
}

impl Conversation {
    /// Whether the active branch contains all messages.
    pub fn is_linear(&self) -> bool {
        self.branches == 0 && self.head_position == self.last_position
    }
}

/// A conversation to create, with its first messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// The id that the client chose. It makes the creation idempotent.
    pub id: Option<ConversationId>,
    /// The title.
    pub title: Option<Title>,
    /// Data of the client, never interpreted.
    pub metadata: Json,
    /// In order.
    pub messages: Vec<NewMessage>,
}

/// Changes to a conversation. `None` keeps a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationPatch {
    /// `Some(None)` clears it.
    pub title: Option<Option<Title>>,
    /// The new metadata.
    pub metadata: Option<Json>,
}

/// Selects conversations of the viewer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConversationFilter {
    /// Titles that contain this text, with both folded ([`super::fold`]).
    pub title_contains: Option<String>,
    /// Conversations whose title or one of whose messages matches.
    pub query: Option<SearchQuery>,
    /// Conversations with activity at this time or later.
    pub updated_since: Option<Timestamp>,
}

/// The order of a list of conversations. Equal times are ordered by id.
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
    /// Whether the order is ascending.
    pub fn is_ascending(self) -> bool {
        matches!(self, Self::UpdatedAscending | Self::CreatedAscending)
    }

    /// The time of `conversation` that it is sorted by.
    pub fn time_of(self, conversation: &Conversation) -> Timestamp {
        match self {
            Self::UpdatedDescending | Self::UpdatedAscending => conversation.updated_at,
            Self::CreatedDescending | Self::CreatedAscending => conversation.created_at,
        }
    }
}
