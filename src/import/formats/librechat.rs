//! Conversations of LibreChat.
//!
//! `{conversationId, title, options, messages: [{messageId, parentMessageId, text, content: […], isCreatedByUser, …}]}`,
//! or `messagesTree`, whose messages are in the `children` of their parents.

mod content;
mod files;
mod message;

use std::collections::HashSet;

use super::message_list::{ListedMessage, ListedParent, arrange_list, content_id};
use super::parts::broken_message;
use super::tool_results;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{JsonValue, Timestamp};

/// The parent of first messages.
const ROOT: &str = "00000000-0000-0000-0000-000000000000";

/// The fields of the first messages that make the id of a conversation without one.
const CONTENT: [&str; 5] = ["messageId", "isCreatedByUser", "text", "content", "children"];

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let found = ["messages", "messagesTree"].into_iter().find_map(|name| match fields.get(name)? {
        JsonValue::Array(_) => fields.array(name),
        JsonValue::Object(_) => fields.value(name).map(|message| vec![message]),
        _ => None,
    });
    let found = found.ok_or("it has no `messages` and no `messagesTree`")?;
    let origin = fields.id("conversationId").unwrap_or_else(|| content_id(&found, &CONTENT));
    let mut dropped = Dropped::default();
    let (places, mut messages) = flatten(found, &origin, &mut dropped);
    let times: Option<Vec<_>> = messages
        .iter()
        .map(|message| message.as_ref().map(|message| message.created_at))
        .map(Option::flatten)
        .collect();
    let active = times.and_then(|times| newest_leaf(&places, &times));
    tool_results::join(&mut messages);
    let list = places.into_iter().zip(messages);
    let list = list.map(|((id, parent), message)| ListedMessage { id, parent, message }).collect();
    let (messages, head) = arrange_list(list, active.as_deref(), &mut dropped)?;
    let tags = fields.array("tags").unwrap_or_default();
    let labels: Vec<String> = tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    if labels.len() < tags.len() {
        fields.put("tags", JsonValue::Array(tags));
    }
    for name in ["_id", "__v"] {
        fields.id(name);
    }
    for name in ["recursive", "branches"] {
        fields.boolean(name);
    }
    Ok(ParsedConversation {
        origin,
        title: fields.text("title"),
        created_at: fields.time("createdAt"),
        updated_at: fields.time("updatedAt"),
        archived: fields.boolean("isArchived") == Some(true),
        pinned: fields.boolean("isPinned").or_else(|| fields.boolean("pinned")) == Some(true),
        labels,
        metadata: fields.rest(),
        messages,
        head,
        dropped,
    })
}

type Place = (Option<String>, ListedParent);

/// The messages with those in their `children`, parents first. There may be thousands of levels.
fn flatten(
    found: Vec<JsonValue>,
    conversation: &str,
    dropped: &mut Dropped,
) -> (Vec<Place>, Vec<Option<ParsedMessage>>) {
    let (mut places, mut messages) = (Vec::new(), Vec::new());
    let mut rest: Vec<(Option<String>, JsonValue)> =
        found.into_iter().rev().map(|value| (None, value)).collect();
    while let Some((parent, value)) = rest.pop() {
        let parent = parent.map(ListedParent::Id);
        if value.as_object().is_none() {
            places.push((None, parent.unwrap_or(ListedParent::Before)));
            messages.push(broken_message(Format::LibreChat, value, dropped));
            continue;
        }
        let Some(mut fields) = Fields::of(value) else { continue };
        let named_parent = match fields.id("parentMessageId") {
            Some(id) if id == ROOT => ListedParent::None,
            Some(id) => ListedParent::Id(id),
            None => ListedParent::Before,
        };
        let id = fields.id("messageId").unwrap_or_else(|| format!("#{}", places.len()));
        let children = fields.array("children").unwrap_or_default();
        rest.extend(children.into_iter().rev().map(|child| (Some(id.clone()), child)));
        places.push((Some(id), parent.unwrap_or(named_parent)));
        messages.push(Some(message::message(fields, conversation)));
    }
    (places, messages)
}

/// The last message without answers.
fn newest_leaf(places: &[Place], times: &[Timestamp]) -> Option<String> {
    let parents: HashSet<&str> = places
        .iter()
        .filter_map(|(_, parent)| match parent {
            ListedParent::Id(id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    let leaves = places.iter().zip(times).filter_map(|((id, _), time)| Some((id.as_deref()?, time)));
    let newest = leaves.filter(|(id, _)| !parents.contains(id)).max_by_key(|(_, time)| **time)?;
    Some(newest.0.to_owned())
}

#[cfg(test)]
mod tests;
