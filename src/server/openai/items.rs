//! Items of conversations.

use super::context::Context;
use super::conversations::{find, missing};
use super::error::ApiError;
use super::item_list::{self, Names, RequestIds};
use super::parameters::{self, Further};
use super::response::{self, Answer};
use super::{files, list as pages};
use crate::model::{
    Append, AppendParent, Conversation, Deleted, End, JsonObject, Message, MessageBody, MessagePatch, Page,
    Parts, Range,
};
use crate::openai::{Item, ItemId};

const ITEMS: &str = "items";

/// `POST /v1/conversations/{id}/items`.
pub(super) async fn create(
    context: &Context<'_>,
    id: &str,
    mut body: JsonObject,
) -> Result<Answer, ApiError> {
    let conversation = find(context, id).await?;
    parameters::only(&body, &[ITEMS])?;
    let given = body.shift_remove(ITEMS);
    let given = given.ok_or_else(|| ApiError::invalid(Some(ITEMS), "`items` must be given.".to_owned()))?;
    let items = item_list::parse(given, 1)?;
    let names = Names::of(&items).with_conversation(context, &conversation, &items).await?;
    let messages = item_list::store(context, &RequestIds::new(context, id), items, &names)?;
    let append =
        Append { conversation: conversation.id, after: AppendParent::Head, expected_head: None, messages };
    let appended = context.scope.append(append).await.map_err(|error| missing(error, id))?;
    // Only where a request is repeated.
    if appended.iter().any(|message| message.deleted_at.is_some()) {
        return Err(ApiError::created_item_was_deleted());
    }
    let items = files::items(context, &appended).await?.into_iter().flatten().collect();
    Ok(response::items(items, false))
}

/// `GET /v1/conversations/{id}/items`: those of the active branch.
pub(super) async fn list(context: &Context<'_>, id: &str, query: &str) -> Result<Answer, ApiError> {
    let parameters = parameters::of_list(query, Further::Include)?;
    let conversation = find(context, id).await?;
    let is_ascending = parameters.is_ascending;
    let after = match &parameters.after {
        None => None,
        Some(text) => Some(place(context, &conversation, (text, id)).await?),
    };
    let mut range = Range::all();
    let end = if is_ascending { End::First } else { End::Last };
    let mut messages = Vec::new();
    if let Some((message, _)) = &after {
        let bound = Some(message.position);
        if is_ascending {
            range.after = bound;
        } else {
            range.before = bound;
        }
        // Other items of the same message may follow.
        messages.extend((message.deleted_at.is_none()).then(|| message.clone()));
    }
    let page = Page { end, size: parameters.limit };
    let slice = context.scope.path(&conversation, None, range, page, Deleted::LeftOut).await?;
    let is_more_behind = pages::has_more(&slice, end);
    let found = slice.items.into_iter();
    if is_ascending {
        messages.extend(found);
    } else {
        messages.extend(found.rev());
    }
    let mut items = Vec::new();
    for mut of_message in files::items(context, &messages).await? {
        if !is_ascending {
            of_message.reverse();
        }
        items.extend(of_message.into_iter().filter(|item| follows(item, after.as_ref(), is_ascending)));
    }
    let limit = parameters.limit as usize;
    let has_more = items.len() > limit || is_more_behind;
    items.truncate(limit);
    Ok(response::items(items, has_more))
}

/// Whether an item is on the page. Those of the message of `after` are only if they are behind it.
fn follows(item: &Item, after: Option<&(Message, ItemId)>, is_ascending: bool) -> bool {
    let Some((message, after)) = after.filter(|(message, _)| message.id == item.id.message) else {
        return true;
    };
    debug_assert_eq!(message.id, after.message);
    if is_ascending { item.is_after(after) } else { item.id != *after && !item.is_after(after) }
}

/// The message of an item. It may have been deleted since.
async fn place(
    context: &Context<'_>,
    conversation: &Conversation,
    (item, id): (&str, &str),
) -> Result<(Message, ItemId), ApiError> {
    let missing = || ApiError::no_item(item, id);
    let parsed = ItemId::parse(item).ok_or_else(missing)?;
    let found = context.scope.message(parsed.message).await?;
    let message = found.filter(|message| message.conversation == conversation.id).ok_or_else(missing)?;
    Ok((message, parsed))
}

/// An item with the message that it is in.
async fn item(
    context: &Context<'_>,
    conversation: &Conversation,
    names: (&str, &str),
) -> Result<(Message, Item, bool), ApiError> {
    let missing = || ApiError::no_item(names.0, names.1);
    let (message, parsed) = place(context, conversation, names).await?;
    if message.deleted_at.is_some() {
        return Err(missing());
    }
    let items = files::items(context, std::slice::from_ref(&message)).await?.pop().unwrap_or_default();
    let is_only = items.len() == 1;
    let item = items.into_iter().find(|item| item.id == parsed).ok_or_else(missing)?;
    Ok((message, item, is_only))
}

/// `GET /v1/conversations/{id}/items/{item_id}`.
pub(super) async fn retrieve(context: &Context<'_>, id: &str, item_id: &str) -> Result<Answer, ApiError> {
    let conversation = find(context, id).await?;
    let (_, item, _) = item(context, &conversation, (item_id, id)).await?;
    Ok(response::item(item))
}

/// `DELETE /v1/conversations/{id}/items/{item_id}`. The answer is the conversation.
pub(super) async fn delete(context: &Context<'_>, id: &str, item_id: &str) -> Result<Answer, ApiError> {
    let conversation = find(context, id).await?;
    let names = (item_id, id);
    let (message, item, is_only) = item(context, &conversation, names).await?;
    let rest = if is_only { Vec::new() } else { item.parts_without(&message) };
    if rest.is_empty() {
        let (_, was_deleted) = context.scope.delete_message(message.id, None).await?;
        if was_deleted {
            return Err(ApiError::no_item(item_id, id));
        }
    } else {
        let body = Some(MessageBody::Parts(Parts::new("parts", rest)?));
        let patch = MessagePatch { body, ..MessagePatch::default() };
        context.scope.update_unless_edited(message.id, message.edited_at, patch).await?;
    }
    Ok(response::conversation(&find(context, id).await?))
}
