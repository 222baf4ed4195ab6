//! Inputs of conversations.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined};

use crate::graphql::schema::argument;
use crate::graphql::schema::message::input::NewMessageInput;
use crate::graphql::schema::scalar::{DateTime, Json};
use crate::model::{self, ConversationId, ConversationPatch, Invalid, NewConversation, SearchQuery, Title};

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
}

impl ConversationFilter {
    pub(in crate::graphql) fn parse(self) -> Result<model::ConversationFilter, Invalid> {
        let title = self.title_contains.map(|text| Title::new("filter.titleContains", text)).transpose()?;
        Ok(model::ConversationFilter {
            title_contains: title.map(Title::into_string),
            query: self.query.map(|text| SearchQuery::new("filter.query", &text)).transpose()?,
            updated_since: self.updated_since.map(|time| time.0),
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
}

impl CreateConversationInput {
    pub(in crate::graphql) fn parse(self) -> Result<NewConversation, Invalid> {
        Ok(NewConversation {
            id: self.id.map(|id| argument::conversation_id("id", &id)).transpose()?,
            title: self.title.map(|title| Title::new("title", title)).transpose()?,
            metadata: Json::metadata(self.metadata)?,
            messages: NewMessageInput::parse_all(self.messages.unwrap_or_default())?,
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
    /// Data of the client, never interpreted. Null sets {}.
    metadata: MaybeUndefined<Json>,
}

impl UpdateConversationInput {
    pub(in crate::graphql) fn parse(self) -> Result<(ConversationId, ConversationPatch), Invalid> {
        let id = argument::conversation_id("id", &self.id)?;
        let title = match self.title {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(title) => Some(Some(Title::new("title", title)?)),
        };
        let metadata = Json::patch(self.metadata)?;
        Ok((id, ConversationPatch { title, metadata }))
    }
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
