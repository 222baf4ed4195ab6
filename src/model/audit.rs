//! The audit log: what was done with the data of users by others than themselves.

use super::{Change, ConversationId, MessageId, OwnerId, Timestamp};

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    /// A back end, by the subject of its token.
    BackEnd(OwnerId),
    /// A server by itself, because its configuration says so.
    Server,
    /// Who ran a command, by the name of the account on the machine.
    Operator(String),
}

impl AuditActor {
    /// The number of every back end in the database.
    pub const BACK_END: i16 = 1;

    /// The number in the database.
    pub fn kind(&self) -> i16 {
        match self {
            Self::BackEnd(_) => Self::BACK_END,
            Self::Server => 2,
            Self::Operator(_) => 3,
        }
    }

    /// The name in the database.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::BackEnd(subject) => Some(subject.as_str()),
            Self::Server => None,
            Self::Operator(name) => Some(name),
        }
    }

    /// The actor with this number and name, if there is one.
    pub fn stored(kind: i16, name: Option<String>) -> Option<Self> {
        match (kind, name) {
            (Self::BACK_END, Some(subject)) => OwnerId::new(subject).ok().map(Self::BackEnd),
            (2, _) => Some(Self::Server),
            (3, Some(name)) => Some(Self::Operator(name)),
            _ => None,
        }
    }

    /// The kind as a word.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::BackEnd(_) => "back end",
            Self::Server => "server",
            Self::Operator(_) => "operator",
        }
    }
}

/// Makes [`AuditAction`] and its numbers and names. The numbers are stored in the database.
macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $action:ident = $code:literal $name:literal),+ $(,)?) => {
        /// What was done. Those of back ends have the names of mutations and queries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum AuditAction {
            $($(#[doc = $doc])+ $action,)+
        }

        impl AuditAction {
            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$action),+];

            /// The number in the database.
            pub fn code(self) -> i16 {
                match self {
                    $(Self::$action => $code,)+
                }
            }

            /// The name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)+
                }
            }
        }
    };
}

actions! {
    /// A conversation was created.
    CreateConversation = 1 "createConversation",
    /// Fields of a conversation were changed.
    UpdateConversation = 2 "updateConversation",
    /// A conversation was deleted.
    DeleteConversation = 3 "deleteConversation",
    /// A conversation was moved to the trash.
    TrashConversation = 4 "trashConversation",
    /// A conversation was taken out of the trash.
    RestoreConversation = 5 "restoreConversation",
    /// A reading position was changed.
    MarkRead = 6 "markRead",
    /// Another branch became the active one.
    SwitchBranch = 7 "switchBranch",
    /// Messages were appended.
    AppendMessages = 8 "appendMessages",
    /// A message was edited.
    UpdateMessage = 9 "updateMessage",
    /// A message was deleted.
    DeleteMessage = 10 "deleteMessage",
    /// A streaming message was ended.
    FinishMessage = 11 "finishMessage",
    /// The writer of a streaming message was asked to stop.
    StopMessage = 12 "stopMessage",
    /// The feedback on a message was changed.
    SetMessageFeedback = 13 "setMessageFeedback",
    /// The usage of all users was read.
    UsageReport = 14 "usageReport",
    /// The erasure of a user began.
    EraseUser = 15 "eraseUser",
    /// Conversations were imported.
    Import = 16 "import",
    /// A conversation was deleted because it is not kept.
    RetentionDelete = 17 "retentionDelete",
    /// A conversation was archived because it had no activity.
    RetentionArchive = 18 "retentionArchive",
    /// A user got a rule of retention, or lost theirs.
    SetRetention = 19 "setRetention",
    /// The erasure of a user ended. The entry has the receipt.
    UserErased = 20 "userErased",
    /// The data of a user was exported.
    Export = 21 "export",
    /// A branch was shared.
    ShareConversation = 22 "shareConversation",
    /// A share was ended.
    RevokeShare = 23 "revokeShare",
    /// An attachment was created.
    CreateAttachment = 24 "createAttachment",
    /// An attachment was deleted.
    DeleteAttachment = 25 "deleteAttachment",
    /// All messages of a conversation were deleted.
    ClearConversation = 26 "clearConversation",
    /// A webhook that was paused was resumed. The detail is its name.
    ResumeWebhook = 30 "resumeWebhook",
    /// A webhook delivers changes again. The detail is its name.
    ReplayWebhook = 31 "replayWebhook",
    /// What a check found was repaired.
    Repair = 32 "repair",
    /// A backup of all users was written.
    Backup = 33 "backup",
    /// Tokens are refused. The detail is the `jti`, if it is one.
    RevokeTokens = 34 "revokeTokens",
    /// Tokens that were revoked are accepted again.
    AcceptTokens = 35 "acceptTokens",
}

impl AuditAction {
    /// The action with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.code() == code)
    }

    /// The action with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Whether every actor is in the log. Other actions are in it only if a back end does them for a user.
    pub fn is_always_audited(self) -> bool {
        matches!(
            self,
            Self::UsageReport
                | Self::EraseUser
                | Self::UserErased
                | Self::Import
                | Self::Repair
                | Self::Backup
                | Self::RevokeTokens
                | Self::AcceptTokens
                | Self::Export
                | Self::RetentionDelete
                | Self::RetentionArchive
                | Self::SetRetention
                | Self::ResumeWebhook
                | Self::ReplayWebhook
        )
    }
}

/// The user whose data an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditedOwner {
    /// The user.
    Known(OwnerId),
    /// A hash of a user who was erased: an HMAC with a key of the database.
    Erased(String),
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub created_at: Timestamp,
    /// Who did it.
    pub actor: AuditActor,
    /// What.
    pub action: AuditAction,
    /// Whose data it is about. `None`: that of several users.
    pub owner: Option<AuditedOwner>,
    /// The conversation, if it is one.
    pub conversation: Option<ConversationId>,
    /// The only message, or the first of several.
    pub message: Option<MessageId>,
    /// How many messages, conversations or rows, where there can be several.
    pub count: Option<i64>,
    /// The receipt of an erasure, the name of a webhook, or the `jti` of a token.
    pub detail: Option<String>,
}

impl AuditEntry {
    /// An entry about no user in particular.
    pub fn new(created_at: Timestamp, actor: AuditActor, action: AuditAction) -> Self {
        Self {
            created_at,
            actor,
            action,
            owner: None,
            conversation: None,
            message: None,
            count: None,
            detail: None,
        }
    }

    /// The same about a user.
    pub fn about(self, owner: &OwnerId) -> Self {
        Self { owner: Some(AuditedOwner::Known(owner.clone())), ..self }
    }

    /// The same about a write of a user with these changes.
    pub fn of_changes(self, owner: &OwnerId, changes: &[Change]) -> Self {
        let messages = changes.iter().filter(|change| change.message.is_some()).count();
        Self {
            conversation: changes.first().map(|change| change.conversation),
            message: changes.iter().find_map(|change| change.message),
            count: (messages > 0).then(|| i64::try_from(messages).unwrap_or(i64::MAX)),
            ..self.about(owner)
        }
    }
}

/// The entries that are wanted: those that match everything that is set.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// About this user, erased or not.
    pub owner: Option<OwnerId>,
    /// By this back end or operator.
    pub actor: Option<String>,
    /// This action.
    pub action: Option<AuditAction>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn actions_have_numbers_and_names_of_their_own() {
        let codes: BTreeSet<_> = AuditAction::ALL.iter().map(|action| action.code()).collect();
        let names: BTreeSet<_> = AuditAction::ALL.iter().map(|action| action.name()).collect();
        assert_eq!((codes.len(), names.len()), (AuditAction::ALL.len(), AuditAction::ALL.len()));
        for action in AuditAction::ALL.iter().copied() {
            assert_eq!(AuditAction::from_code(action.code()), Some(action));
            assert_eq!(AuditAction::from_name(action.name()), Some(action));
        }
    }

    #[test]
    fn what_users_do_is_audited_only_if_a_back_end_does_it() {
        assert!(!AuditAction::SetMessageFeedback.is_always_audited());
        assert!(!AuditAction::RevokeShare.is_always_audited());
        assert!(AuditAction::UsageReport.is_always_audited());
        assert!(AuditAction::SetRetention.is_always_audited());
    }
}
