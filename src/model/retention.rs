//! Retention: how long conversations are kept.

use super::OwnerId;

/// What happens to a conversation without activity. The numbers are stored in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionAction {
    /// It is deleted for good.
    Delete,
    /// It is archived.
    Archive,
}

impl RetentionAction {
    /// The number in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::Delete => 1,
            Self::Archive => 2,
        }
    }

    /// The action with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Delete, Self::Archive].into_iter().find(|action| action.code() == code)
    }
}

/// A rule for conversations without activity that are not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InactivityRule {
    /// The time since the last activity, in microseconds.
    pub after: i64,
    /// What happens then.
    pub action: RetentionAction,
}

/// The rules of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// How long conversations stay in the trash, in microseconds. `None`: for ever.
    pub trash: Option<i64>,
    /// The rule for owners who have none of their own. `None`: conversations are kept.
    pub inactive: Option<InactivityRule>,
}

/// The rule of one owner, instead of that of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerRetention {
    /// That of the server.
    Default,
    /// Conversations are kept without activity, too.
    Keep,
    /// Another rule.
    Rule(InactivityRule),
}

/// Why a conversation is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetentionReason {
    /// It has been in the trash long enough.
    Trash,
    /// Its time has come.
    Expired,
    /// It had no activity, and is deleted.
    InactiveDelete,
    /// It had no activity, and is archived.
    InactiveArchive,
}

impl RetentionReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Trash, Self::Expired, Self::InactiveDelete, Self::InactiveArchive];

    /// The reason as a word, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trash => "trash",
            Self::Expired => "expired",
            Self::InactiveDelete => "inactive_delete",
            Self::InactiveArchive => "inactive_archive",
        }
    }
}

/// How many conversations of an owner a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCount {
    /// The owner.
    pub owner: OwnerId,
    /// Why.
    pub reason: RetentionReason,
    /// How many.
    pub conversations: i64,
}
