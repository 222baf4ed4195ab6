//! Inputs of conversations.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined};

use crate::graphql::schema::argument;
use crate::graphql::schema::message::input::NewMessageInput;
use crate::graphql::schema::scalar::{DateTime, Json};
use crate::model::{
    self, ContentLimits, ConversationId, ConversationPatch, Invalid, Label, LabelPatch, MAX_LABELS,
    NewConversation, SearchQuery, Title,
};

/// Selects conversations that match all given fields.
#[derive(InputObject)]
pub(in crate::graphql) struct ConversationFilter {
    /// Only titles that contain this text. Case, accents and width are ignored: "cafe" finds "Café",
    /// "STRASSE" finds "Straße". The Turkish letters I, ı, İ and i are equal. `%`, `_` and `\` have no
    /// special meaning. The empty text finds every conversation with a title.
    title_contains: Option<String>,
    /// Only conversations whose title, or one of whose messages, has all words of this query: see `searchMessages`.
    query: Option<String>,
    /// Only conversations with activity at this time or later.
    updated_since: Option<DateTime>,
    /// Only conversations with this label. Case is ignored.
    label: Option<String>,
    /// Only pinned conversations, or only others.
    pinned: Option<bool>,
    /// Only archived conversations, or only others; null finds both. It does not apply to the trash.
    #[graphql(default_with = "Some(false)")]
    archived: Option<bool>,
    /// Only conversations with unread messages, or only others.
    unread: Option<bool>,
    /// Only conversations in the trash, or only others; null finds both.
    #[graphql(default_with = "Some(false)")]
    trashed: Option<bool>,
}

impl ConversationFilter {
    pub(in crate::graphql) fn parse(self) -> Result<model::ConversationFilter, Invalid> {
        let title = self.title_contains.map(|text| Title::new("filter.titleContains", text)).transpose()?;
        Ok(model::ConversationFilter {
            title_contains: title.map(Title::into_string),
            query: self.query.map(|text| SearchQuery::new("filter.query", &text)).transpose()?,
            updated_since: self.updated_since.map(|time| time.0),
            label: self.label.map(|text| Label::new("filter.label", text)).transpose()?,
            pinned: self.pinned,
            archived: self.archived,
            unread: self.unread,
            trashed: self.trashed,
        })
    }
}

/// The order of a list of conversations.
#[derive(InputObject)]
pub(in crate::graphql) struct ConversationOrder {
    /// The time to sort by.
    field: ConversationOrderField,
    /// Whether to sort from old to new or from new to old.
    direction: OrderDirection,
}

/// A time of a conversation.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum ConversationOrderField {
    /// The time of the last activity.
    UpdatedAt,
    /// The time of creation.
    CreatedAt,
}

/// The direction of an order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum OrderDirection {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl From<ConversationOrder> for model::ConversationOrder {
    fn from(order: ConversationOrder) -> Self {
        use ConversationOrderField::{CreatedAt, UpdatedAt};
        use OrderDirection::{Asc, Desc};
        match (order.field, order.direction) {
            (UpdatedAt, Desc) => Self::UpdatedDescending,
            (UpdatedAt, Asc) => Self::UpdatedAscending,
            (CreatedAt, Desc) => Self::CreatedDescending,
            (CreatedAt, Asc) => Self::CreatedAscending,
        }
    }
}

/// A conversation to create.
#[derive(InputObject)]
pub(in crate::graphql) struct CreateConversationInput {
    /// A UUID that the client created for this conversation only. A retry with the same id and content
    /// returns the first result. Error CONFLICT: the id was used with other content.
    id: Option<ID>,
    /// At most 1 KiB of UTF-8 without NUL.
    title: Option<String>,
    /// Data of the client, never interpreted. Default: {}.
    metadata: Option<Json>,
    /// The first messages, at most 100, in order.
    messages: Option<Vec<NewMessageInput>>,
    /// The time at which the conversation is deleted for good. Default: it is kept.
    expires_at: Option<DateTime>,
}

impl CreateConversationInput {
    pub(in crate::graphql) fn parse(self, limits: ContentLimits) -> Result<NewConversation, Invalid> {
        Ok(NewConversation {
            id: self.id.map(|id| argument::conversation_id("id", &id)).transpose()?,
            title: self.title.map(|title| Title::new("title", title)).transpose()?,
            metadata: Json::metadata(self.metadata, limits.metadata_bytes)?,
            expires_at: self.expires_at.map(|time| time.0),
            is_read: false,
            messages: NewMessageInput::parse_all(self.messages.unwrap_or_default(), limits)?,
        })
    }
}

/// Changes to a conversation.
#[derive(InputObject)]
pub(in crate::graphql) struct UpdateConversationInput {
    /// The id of the conversation to update.
    id: ID,
    /// At most 1 KiB of UTF-8 without NUL. Null removes the title.
    title: MaybeUndefined<String>,
    /// Data of the client, never interpreted. Null sets {}. Not together with `metadataPatch`.
    metadata: MaybeUndefined<Json>,
    /// A JSON Merge Patch (RFC 7396) of the metadata: an object whose fields replace those of the same name, in nested
    /// objects as well, and whose nulls remove fields. Several clients can so change different fields at once.
    metadata_patch: Option<Json>,
    /// Whether the conversation is pinned. Null changes nothing.
    pinned: Option<bool>,
    /// Whether the conversation is archived. Null changes nothing.
    archived: Option<bool>,
    /// Whether a new message takes the conversation out of the archive; true until set. Null changes nothing.
    unarchive_on_message: Option<bool>,
    /// The labels instead of those before: at most 32 of 1 to 64 characters. Labels that differ only in case are
    /// one label, with the first spelling. Null removes all. Not together with `addLabels` or `removeLabels`.
    labels: MaybeUndefined<Vec<String>>,
    /// Labels to add. One that is there already keeps its spelling.
    add_labels: Option<Vec<String>>,
    /// Labels to remove. Those that are not there are ignored.
    remove_labels: Option<Vec<String>>,
    /// The time at which the conversation is deleted for good. Null: it is kept.
    expires_at: MaybeUndefined<DateTime>,
}

impl UpdateConversationInput {
    pub(in crate::graphql) fn parse(
        self,
        limits: ContentLimits,
    ) -> Result<(ConversationId, ConversationPatch), Invalid> {
        let id = argument::conversation_id("id", &self.id)?;
        let title = match self.title {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(title) => Some(Some(Title::new("title", title)?)),
        };
        let metadata = Json::metadata_change(self.metadata, self.metadata_patch, limits.metadata_bytes)?;
        let expires_at = match self.expires_at {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(time) => Some(Some(time.0)),
        };
        let labels = label_patch(self.labels, self.add_labels, self.remove_labels)?;
        let (pinned, archived) = (self.pinned, self.archived);
        let unarchive_on_message = self.unarchive_on_message;
        let patch =
            ConversationPatch { title, metadata, pinned, archived, unarchive_on_message, labels, expires_at };
        Ok((id, patch))
    }
}

fn label_patch(
    labels: MaybeUndefined<Vec<String>>,
    add: Option<Vec<String>>,
    remove: Option<Vec<String>>,
) -> Result<Option<LabelPatch>, Invalid> {
    let changes = add.is_some() || remove.is_some();
    let replacement = match labels {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(Vec::new()),
        MaybeUndefined::Value(labels) => Some(labels),
    };
    match replacement {
        Some(_) if changes => {
            Err(Invalid::new("labels", "must not be given together with `addLabels` or `removeLabels`"))
        }
        Some(labels) => Ok(Some(LabelPatch::Replace(parse_labels("labels", labels)?))),
        None if changes => Ok(Some(LabelPatch::Change {
            add: parse_labels("addLabels", add.unwrap_or_default())?,
            remove: parse_labels("removeLabels", remove.unwrap_or_default())?,
        })),
        None => Ok(None),
    }
}

/// The most labels in one list of an input: what a conversation can have, in a few spellings.
const MAX_LABELS_GIVEN: usize = 4 * MAX_LABELS;

fn parse_labels(argument: &str, labels: Vec<String>) -> Result<Vec<Label>, Invalid> {
    if labels.len() > MAX_LABELS_GIVEN {
        let rule = format!("must have at most {MAX_LABELS_GIVEN} items, has {}", labels.len());
        return Err(Invalid::new(argument, rule));
    }
    let label = |(at, text)| Label::new(&format!("{argument}[{at}]"), text);
    labels.into_iter().enumerate().map(label).collect()
}

/// The conversation to move to the trash.
#[derive(InputObject)]
pub(in crate::graphql) struct TrashConversationInput {
    /// The id of the conversation.
    pub(in crate::graphql) id: ID,
}

/// The conversation to take out of the trash.
#[derive(InputObject)]
pub(in crate::graphql) struct RestoreConversationInput {
    /// The id of the conversation.
    pub(in crate::graphql) id: ID,
}

/// How far the user has read.
#[derive(InputObject)]
pub(in crate::graphql) struct MarkReadInput {
    /// The id of the conversation.
    pub(in crate::graphql) conversation_id: ID,
    /// The position of the last message that was read. 0: none was read.
    pub(in crate::graphql) position: i32,
    /// Whether a position before the present one is taken, too, which makes messages unread again.
    #[graphql(default)]
    pub(in crate::graphql) backward: bool,
}

/// The conversation to clear.
#[derive(InputObject)]
pub(in crate::graphql) struct ClearConversationInput {
    /// The id of the conversation to clear.
    pub(in crate::graphql) id: ID,
}

/// The conversation to delete.
#[derive(InputObject)]
pub(in crate::graphql) struct DeleteConversationInput {
    /// The id of the conversation to delete.
    pub(in crate::graphql) id: ID,
}

/// The branch to activate.
#[derive(InputObject)]
pub(in crate::graphql) struct SwitchBranchInput {
    /// The id of the conversation.
    pub(in crate::graphql) conversation_id: ID,
    /// The last message of the branch.
    pub(in crate::graphql) leaf_id: ID,
}
