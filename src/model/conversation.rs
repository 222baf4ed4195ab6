//! Conversations.

use super::{
    ConversationId, Json, Label, LabelPatch, Labels, MetadataChange, NewMessage, OwnerId, SearchQuery,
    Timestamp, Title,
};

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
    /// The time at which it was pinned.
    pub pinned_at: Option<Timestamp>,
    /// The time at which it was archived.
    pub archived_at: Option<Timestamp>,
    /// The time at which it was moved to the trash.
    pub trashed_at: Option<Timestamp>,
    /// The time at which it is deleted.
    pub expires_at: Option<Timestamp>,
    /// The labels.
    pub labels: Labels,
    /// The position up to which the user has read.
    pub read_position: i64,
    /// The number of messages after `read_position` that are deleted, or the user's own.
    pub unread_ignored: i64,
    /// Whether a new message takes it out of the archive.
    pub unarchive_on_message: bool,
}

impl Conversation {
    /// Whether the active branch contains all messages.
    pub fn is_linear(&self) -> bool {
        self.branches == 0 && self.head_position == self.last_position
    }

    /// The number of unread messages, on all branches.
    pub fn unread_count(&self) -> i64 {
        (self.last_position - self.read_position - self.unread_ignored).max(0)
    }
}

/// Which lists a conversation is in. The numbers are stored in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConversationState {
    /// In the list that is the default.
    Active,
    /// In the archive.
    Archived,
    /// In the trash.
    Trashed,
}

impl ConversationState {
    /// The state that follows from these times.
    pub fn of(archived_at: Option<Timestamp>, trashed_at: Option<Timestamp>) -> Self {
        match (archived_at, trashed_at) {
            (_, Some(_)) => Self::Trashed,
            (Some(_), None) => Self::Archived,
            (None, None) => Self::Active,
        }
    }

    /// The number in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::Active => 0,
            Self::Archived => 1,
            Self::Trashed => 2,
        }
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
    /// The time at which it is deleted.
    pub expires_at: Option<Timestamp>,
    /// Whether all messages count as read.
    pub is_read: bool,
    /// In order.
    pub messages: Vec<NewMessage>,
}

/// Changes to a conversation. `None` keeps a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationPatch {
    /// `Some(None)` clears it.
    pub title: Option<Option<Title>>,
    /// The change of its metadata.
    pub metadata: Option<MetadataChange>,
    /// Whether it is pinned.
    pub pinned: Option<bool>,
    /// Whether it is archived.
    pub archived: Option<bool>,
    /// Whether a new message takes it out of the archive.
    pub unarchive_on_message: Option<bool>,
    /// The change of its labels.
    pub labels: Option<LabelPatch>,
    /// `Some(None)` keeps it for good.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Selects conversations of the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFilter {
    /// Titles that contain this text, with both folded ([`super::fold`]).
    pub title_contains: Option<String>,
    /// Conversations whose title or one of whose messages matches.
    pub query: Option<SearchQuery>,
    /// Conversations with activity at this time or later.
    pub updated_since: Option<Timestamp>,
    /// Conversations with this label.
    pub label: Option<Label>,
    /// Whether they are pinned.
    pub pinned: Option<bool>,
    /// Whether they are archived. It does not apply to those in the trash.
    pub archived: Option<bool>,
    /// Whether they have unread messages.
    pub unread: Option<bool>,
    /// Whether they are in the trash.
    pub trashed: Option<bool>,
}

/// Those of the default list: neither archived nor in the trash.
impl Default for ConversationFilter {
    fn default() -> Self {
        Self {
            title_contains: None,
            query: None,
            updated_since: None,
            label: None,
            pinned: None,
            archived: Some(false),
            unread: None,
            trashed: Some(false),
        }
    }
}

impl ConversationFilter {
    /// The states of the conversations that it selects.
    pub fn states(&self) -> Vec<ConversationState> {
        use ConversationState::{Active, Archived, Trashed};
        let listed: &[_] = match (self.trashed, self.archived) {
            (Some(true), _) => &[],
            (_, Some(false)) => &[Active],
            (_, Some(true)) => &[Archived],
            (_, None) => &[Active, Archived],
        };
        let trashed: &[_] = if self.trashed == Some(false) { &[] } else { &[Trashed] };
        [listed, trashed].concat()
    }
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
