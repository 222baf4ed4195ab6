//! What clients say about conversations, read into the model.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined};

use crate::graphql::schema::argument;
use crate::graphql::schema::message::input::NewMessageInput;
use crate::graphql::schema::scalar::{DateTime, Json};
use crate::model::{self, ConversationId, ConversationPatch, Invalid, NewConversation, Title};

/// Which conversations to list: those that fit all that is given.
#[derive(InputObject)]
pub(in crate::graphql) struct ConversationFilter {
    /// Only titles that contain this text. Case, accents and width are ignored: "cafe" finds
    /// "Café", "STRASSE" finds "Straße". The Turkish letters I, ı, İ and i are all the same. `%`, `_` and `\`
    /// have no special meaning. The empty text finds every conversation that has a title.
    title_contains: Option<String>,
    /// Only conversations with activity at this time or later.
    updated_since: Option<DateTime>,
}

impl ConversationFilter {
    pub(in crate::graphql) fn parse(self) -> Result<model::ConversationFilter, Invalid> {
        let title = self.title_contains.map(|text| Title::new("filter.titleContains", text)).transpose()?;
        Ok(model::ConversationFilter {
            title_contains: title.map(Title::into_string),
            updated_since: self.updated_since.map(|time| time.0),
        })
    }
}

/// By what conversations are listed.
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
    /// Last activity.
    UpdatedAt,
    /// Creation.
    CreatedAt,
}

/// Which way a list runs.
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
    /// A UUID of the caller's choice, made for this conversation and nothing else. The same id again with
    /// the same content answers with the first result; with other content: CONFLICT.
    id: Option<ID>,
    /// At most 1 KiB of UTF-8 without NUL.
    title: Option<String>,
    /// The caller's own data. Default: {}.
    metadata: Option<Json>,
    /// The first messages, at most 100, in the order they shall stand.
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

/// What to change of a conversation.
#[derive(InputObject)]
pub(in crate::graphql) struct UpdateConversationInput {
    /// The id of the conversation to update.
    id: ID,
    /// At most 1 KiB of UTF-8 without NUL; null takes the title away.
    title: MaybeUndefined<String>,
    /// The caller's own data; null makes it {}.
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

/// Which conversation to delete.
#[derive(InputObject)]
pub(in crate::graphql) struct DeleteConversationInput {
    /// The id of the conversation to delete.
    pub(in crate::graphql) id: ID,
}

/// Which branch to make the active one.
#[derive(InputObject)]
pub(in crate::graphql) struct SwitchBranchInput {
    /// The id of the conversation.
    pub(in crate::graphql) conversation_id: ID,
    /// The message the branch ends in.
    pub(in crate::graphql) leaf_id: ID,
}
