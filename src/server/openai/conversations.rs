//! Conversations.

use super::context::Context;
use super::error::ApiError;
use super::item_list::{self, RequestIds};
use super::parameters::{self, Further};
use super::response::{self, Answer};
use crate::model::{
    Conversation, ConversationFilter, ConversationId, ConversationOrder, Json, JsonObject, JsonValue,
    NewConversation, Page, Range, Timestamp,
};
use crate::openai;
use crate::store::Error;

const METADATA: &str = "metadata";
const ITEMS: &str = "items";

/// The conversation with this id.
pub(super) async fn find(context: &Context<'_>, id: &str) -> Result<Conversation, ApiError> {
    let missing = || ApiError::no_conversation(id);
    let parsed = openai::parse_conversation_id(id).ok_or_else(missing)?;
    context.scope.conversation(parsed).await?.ok_or_else(missing)
}

/// `GET /v1/conversations`: those that are not in the trash, newest first.
pub(super) async fn list(context: &Context<'_>, query: &str) -> Result<Answer, ApiError> {
    let parameters = parameters::of_list(query, Further::Before)?;
    let order = match parameters.is_ascending {
        true => ConversationOrder::CreatedAscending,
        false => ConversationOrder::CreatedDescending,
    };
    let filter = ConversationFilter { archived: None, ..ConversationFilter::default() };
    let range = Range {
        after: key(context, order, parameters.after.as_deref()).await?,
        before: key(context, order, parameters.before.as_deref()).await?,
    };
    // With `before` alone, those that are directly before it.
    let end = super::list::end(&parameters);
    let page = Page { end, size: parameters.limit };
    let (slice, _) = context.scope.conversations(&filter, order, range, page).await?;
    let has_more = super::list::has_more(&slice, end);
    Ok(response::conversations(&slice.items, has_more))
}

/// The place of a conversation in the list.
async fn key(
    context: &Context<'_>,
    order: ConversationOrder,
    id: Option<&str>,
) -> Result<Option<(Timestamp, ConversationId)>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    let row = find(context, id).await?;
    Ok(Some((order.time_of(&row), row.id)))
}

/// `POST /v1/conversations`.
pub(super) async fn create(context: &Context<'_>, mut body: JsonObject) -> Result<Answer, ApiError> {
    parameters::only(&body, &[METADATA, ITEMS])?;
    let pairs = openai::parse_metadata(METADATA, body.shift_remove(METADATA))?;
    let items = match body.shift_remove(ITEMS) {
        None | Some(JsonValue::Null) => Vec::new(),
        Some(value) => item_list::parse(value, 0)?,
    };
    let most = context.shared.api.content_limits().metadata_bytes;
    let metadata = openai::with_openai(METADATA, &Json::empty_object(), pairs, most)?;
    let ids = RequestIds::new(context, "");
    let names = item_list::Names::of(&items);
    let messages = item_list::store(context, &ids, items, &names)?;
    let new = NewConversation {
        id: context.key.as_ref().map(|_| ConversationId(ids.conversation())),
        title: None,
        metadata,
        expires_at: None,
        is_read: false,
        messages,
    };
    let created = context.scope.create_conversation(new).await?;
    Ok(response::conversation(&created))
}

/// `GET /v1/conversations/{id}`.
pub(super) async fn retrieve(context: &Context<'_>, id: &str) -> Result<Answer, ApiError> {
    Ok(response::conversation(&find(context, id).await?))
}

/// `POST /v1/conversations/{id}`: other metadata.
pub(super) async fn update(
    context: &Context<'_>,
    id: &str,
    mut body: JsonObject,
) -> Result<Answer, ApiError> {
    let conversation = openai::parse_conversation_id(id).ok_or_else(|| ApiError::no_conversation(id))?;
    parameters::only(&body, &[METADATA])?;
    let given = body.shift_remove(METADATA);
    if given.is_none() {
        return Err(ApiError::invalid(Some(METADATA), "`metadata` must be given.".to_owned()));
    }
    let pairs = openai::parse_metadata(METADATA, given)?;
    let most = context.shared.api.content_limits().metadata_bytes;
    let change = |metadata: &Json| openai::with_openai(METADATA, metadata, pairs, most);
    let updated = context.scope.update_metadata(conversation, change).await;
    updated.map(|row| response::conversation(&row)).map_err(|error| missing(error, id))
}

/// `DELETE /v1/conversations/{id}`: with its items.
pub(super) async fn delete(context: &Context<'_>, id: &str) -> Result<Answer, ApiError> {
    let conversation = openai::parse_conversation_id(id).ok_or_else(|| ApiError::no_conversation(id))?;
    let deleted = context.scope.delete_conversation(conversation).await;
    deleted.map(|()| response::deleted(id)).map_err(|error| missing(error, id))
}

/// The error for a conversation that there is not.
pub(super) fn missing(error: Error, id: &str) -> ApiError {
    match error {
        Error::NotFound(_) => ApiError::no_conversation(id),
        error => error.into(),
    }
}
