//! Webhooks: events as receivers get them, and the state of deliveries.

use std::fmt::{self, Display};

use serde::Serialize;

use super::{
    ChangeKind, CommittedChange, Conversation, ConversationId, Json, Label, Message, MessageId,
    MessageStatus, OwnerId, Parts, Role, Timestamp, TokenUsage, change_cursor,
};

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// A change of this kind.
    Change(ChangeKind),
    /// Changes were deleted from the feed before they were delivered.
    ChangesLost,
}

impl EventType {
    /// All types that a webhook can choose. It always gets [`EventType::ChangesLost`].
    pub const CHOICES: [Self; 6] = [
        Self::Change(ChangeKind::ConversationCreated),
        Self::Change(ChangeKind::ConversationUpdated),
        Self::Change(ChangeKind::ConversationDeleted),
        Self::Change(ChangeKind::MessageAdded),
        Self::Change(ChangeKind::MessageUpdated),
        Self::Change(ChangeKind::MessageDeleted),
    ];

    /// The name, as Standard Webhooks recommend: full stops between the parts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Change(ChangeKind::ConversationCreated) => "conversation.created",
            Self::Change(ChangeKind::ConversationUpdated) => "conversation.updated",
            Self::Change(ChangeKind::ConversationDeleted) => "conversation.deleted",
            Self::Change(ChangeKind::MessageAdded) => "message.added",
            Self::Change(ChangeKind::MessageUpdated) => "message.updated",
            Self::Change(ChangeKind::MessageDeleted) => "message.deleted",
            Self::ChangesLost => "changes.lost",
        }
    }

    /// The type with this name, if a webhook can choose it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::CHOICES.into_iter().find(|choice| choice.name() == name)
    }
}

/// An event: the body of a delivery.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookEvent {
    /// [`EventType::name`].
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// The time of the change.
    pub timestamp: Timestamp,
    /// What changed.
    pub data: WebhookEventData,
}

/// What changed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEventData {
    /// The owner: `sub` of the token.
    pub owner: String,
    /// The cursor of the change, also the id of the delivery.
    pub cursor: String,
    /// 1, 2, 3, … for each owner. The last lost one, if changes were lost.
    pub revision: i64,
    /// The first lost change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_revision: Option<i64>,
    /// The conversation that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The back end that made the change for the owner.
    pub actor: Option<String>,
    /// The conversation in its current state. `Some(None)`: it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Option<WebhookConversation>>,
    /// The message in its current state. `Some(None)`: its conversation was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Option<Box<WebhookMessage>>>,
}

impl WebhookEvent {
    /// The event of a change, without contents.
    pub fn of_change(owner: &OwnerId, committed: &CommittedChange) -> Self {
        let change = &committed.change;
        let data = WebhookEventData {
            conversation_id: Some(change.conversation),
            message_id: change.message,
            actor: committed.actor.as_ref().map(|actor| actor.as_str().to_owned()),
            ..WebhookEventData::at(owner, committed.revision)
        };
        Self { event_type: EventType::Change(change.kind).name(), timestamp: committed.changed_at, data }
    }

    /// The event for changes that were deleted before they were delivered: these revisions, both included.
    pub fn of_gap(owner: &OwnerId, (first, last): (i64, i64), now: Timestamp) -> Self {
        let data = WebhookEventData { from_revision: Some(first), ..WebhookEventData::at(owner, last) };
        Self { event_type: EventType::ChangesLost.name(), timestamp: now, data }
    }
}

impl WebhookEventData {
    fn at(owner: &OwnerId, revision: i64) -> Self {
        Self {
            owner: owner.as_str().to_owned(),
            cursor: change_cursor(owner, revision),
            revision,
            from_revision: None,
            conversation_id: None,
            message_id: None,
            actor: None,
            conversation: None,
            message: None,
        }
    }
}

/// A conversation in an event, with the names that an export has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookConversation {
    id: ConversationId,
    title: Option<String>,
    metadata: Json,
    created_at: Timestamp,
    updated_at: Timestamp,
    pinned_at: Option<Timestamp>,
    archived_at: Option<Timestamp>,
    trashed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    labels: Vec<String>,
}

impl From<Conversation> for WebhookConversation {
    fn from(of: Conversation) -> Self {
        Self {
            id: of.id,
            title: of.title,
            metadata: of.metadata,
            created_at: of.created_at,
            updated_at: of.updated_at,
            pinned_at: of.pinned_at,
            archived_at: of.archived_at,
            trashed_at: of.trashed_at,
            expires_at: of.expires_at,
            labels: of.labels.iter().map(Label::as_str).map(str::to_owned).collect(),
        }
    }
}

/// A message in an event, with the names that an export has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookMessage {
    id: MessageId,
    position: i64,
    parent_position: i64,
    role: Role,
    status: MessageStatus,
    model: Option<String>,
    content: String,
    parts: Option<Parts>,
    metadata: Json,
    usage: Option<TokenUsage>,
    created_at: Timestamp,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl From<Message> for WebhookMessage {
    fn from(of: Message) -> Self {
        Self {
            id: of.id,
            position: of.position,
            parent_position: of.parent.unwrap_or(0),
            role: of.role,
            status: of.status,
            model: of.model,
            content: of.content,
            parts: of.parts,
            metadata: of.metadata,
            usage: of.usage,
            created_at: of.created_at,
            edited_at: of.edited_at,
            deleted_at: of.deleted_at,
        }
    }
}

/// The owners that a webhook is about: one subject, or all that begin with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerPattern {
    /// This owner.
    Is(String),
    /// All owners whose subject begins with this.
    BeginsWith(String),
}

impl OwnerPattern {
    /// Parses a subject, or the beginning of one before `*`. `None`: it is empty, or has `*` elsewhere.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if text.is_empty() || text.contains('*') {
            return None;
        }
        Some(if is_prefix { Self::BeginsWith(text.to_owned()) } else { Self::Is(text.to_owned()) })
    }

    /// Whether it is about an owner.
    pub fn matches(&self, owner: &OwnerId) -> bool {
        match self {
            Self::Is(subject) => owner.as_str() == subject,
            Self::BeginsWith(prefix) => owner.as_str().starts_with(prefix),
        }
    }
}

/// Why a delivery failed. It has no text of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    /// The receiver answered with this status, which is not 2xx, or a stream of JetStream with this code.
    Status(u16),
    /// The answer took too long.
    Timeout,
    /// The name of the host has no address.
    Dns,
    /// All addresses of the host are private.
    PrivateAddress,
    /// The certificate of the receiver is not trusted, or TLS failed.
    Tls,
    /// The connection failed.
    Connection,
    /// No stream of JetStream has the subject.
    NoStream,
}

impl DeliveryFault {
    /// The receiver says that it never wants anything again (410).
    pub fn is_gone(self) -> bool {
        self == Self::Status(410)
    }
}

impl Display for DeliveryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Dns => f.write_str("dns"),
            Self::PrivateAddress => f.write_str("private address"),
            Self::Tls => f.write_str("tls"),
            Self::Connection => f.write_str("connection"),
            Self::NoStream => f.write_str("no stream"),
        }
    }
}

/// Whether the deliveries of a webhook fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookState {
    /// The time of the first delivery that failed since one succeeded.
    pub failing_since: Option<Timestamp>,
    /// Nothing is delivered until an operator resumes the webhook.
    pub paused_since: Option<Timestamp>,
}

/// How far a webhook is in the changes of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookProgress {
    /// Changes up to this one were delivered.
    pub revision: i64,
    /// How often the delivery of the next change failed.
    pub attempts: i64,
    /// When it failed first.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again. `None`: at once.
    pub next_attempt_at: Option<Timestamp>,
}

impl WebhookProgress {
    /// Everything up to a revision was delivered.
    pub fn delivered(revision: i64) -> Self {
        Self { revision, attempts: 0, failing_since: None, next_attempt_at: None }
    }
}

/// A webhook for its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSummary {
    /// The name.
    pub name: String,
    /// Earlier changes are not delivered.
    pub registered_at: Timestamp,
    /// Whether deliveries fail.
    pub state: WebhookState,
    /// Why the last delivery failed: [`DeliveryFault`] as text.
    pub last_fault: Option<String>,
    /// The owners with changes that are to be delivered.
    pub owners_behind: u64,
    /// The owners whose next change failed for so long that it is not tried again.
    pub owners_stalled: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_have_names_of_their_own() {
        for choice in EventType::CHOICES {
            assert_eq!(EventType::from_name(choice.name()), Some(choice));
        }
        assert_eq!(EventType::from_name("changes.lost"), None, "every webhook gets it");
    }

    #[test]
    fn a_pattern_is_a_subject_or_its_beginning() {
        let matches = |pattern: &str, subject: &str| {
            OwnerPattern::parse(pattern).unwrap().matches(&OwnerId::new(subject).unwrap())
        };
        assert!(matches("ada", "ada") && !matches("ada", "adam"));
        assert!(matches("acme|*", "acme|7") && !matches("acme|*", "other|acme|7"));
        assert_eq!(
            [OwnerPattern::parse(""), OwnerPattern::parse("*"), OwnerPattern::parse("a*b")],
            [None, None, None]
        );
    }
}
