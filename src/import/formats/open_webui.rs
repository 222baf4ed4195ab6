//! Chats of Open WebUI.
//!
//! `{id, title, chat: {history: {currentId, messages: {id: {parentId, role, content, output: […], …}}}}, meta, …}`, or only
//! the object in `chat`.

mod content;
mod details;
mod files;
mod html;
mod message;
mod output;

use std::collections::HashMap;

use super::message_list::{ListedMessage, ListedParent, arrange_list, content_id};
use super::parts::broken_message;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation};
use crate::import::rejection::Rejection;
use crate::model::JsonValue;

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let mut chat = fields.object("chat");
    let inner = chat.as_mut().unwrap_or(&mut fields);
    let (history, current) = history(inner).ok_or("it has no `chat.history.messages`")?;
    let created_at = inner.time("timestamp");
    let inner_title = inner.get("title").and_then(JsonValue::as_str).map(str::to_owned);
    let inner_id = inner.get("id").and_then(JsonValue::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let mut labels = message::take_tags(inner, "tags");
    let title = fields.text("title").or_else(|| inner_title.clone());
    let id = fields.id("id").or_else(|| inner_id.clone());
    if let Some(mut chat) = chat {
        if title == inner_title {
            chat.ignore("title");
        }
        if id == inner_id {
            chat.ignore("id");
        }
        fields.put("chat", JsonValue::Object(chat.rest()));
    }
    if let Some(mut meta) = fields.object("meta") {
        labels.extend(message::take_tags(&mut meta, "tags"));
        fields.put("meta", JsonValue::Object(meta.rest()));
    }
    let content = || {
        let messages: Vec<JsonValue> = history.iter().map(|(_, message)| message.clone()).collect();
        content_id(&messages, &["role", "content", "output"])
    };
    let origin = id.unwrap_or_else(content);
    let mut dropped = Dropped::default();
    let list = list(history, &mut dropped);
    let (messages, head) = arrange_list(list, current.as_deref(), &mut dropped)?;
    Ok(ParsedConversation {
        origin,
        title,
        created_at: fields.time("created_at").or(created_at),
        updated_at: fields.time("updated_at"),
        archived: fields.boolean("archived") == Some(true),
        pinned: fields.boolean("pinned") == Some(true),
        labels,
        metadata: fields.rest(),
        messages,
        head,
        dropped,
    })
}

type History = Vec<(Option<String>, JsonValue)>;

/// The messages with their ids, and the id of the last one of the active path. Old chats have only a list of messages, which
/// is a copy of the active path in newer ones.
fn history(chat: &mut Fields) -> Option<(History, Option<String>)> {
    if let Some(mut history) = chat.object("history") {
        let messages: Option<History> = match history.get("messages") {
            Some(JsonValue::Object(_)) => history.value("messages").and_then(|messages| match messages {
                JsonValue::Object(messages) => {
                    Some(messages.into_iter().map(|(id, value)| (Some(id), value)).collect())
                }
                _ => None,
            }),
            Some(JsonValue::Array(_)) => history
                .array("messages")
                .map(|messages| messages.into_iter().map(|value| (None, value)).collect()),
            _ => None,
        };
        let current = history.id("currentId");
        chat.put("history", JsonValue::Object(history.rest()));
        if let Some(messages) = messages.filter(|messages| !messages.is_empty()) {
            if matches!(chat.get("messages"), Some(JsonValue::Array(_))) {
                chat.ignore("messages");
            }
            return Some((messages, current));
        }
    }
    let messages = chat.array("messages")?;
    Some((messages.into_iter().map(|value| (None, value)).collect(), None))
}

fn list(history: History, dropped: &mut Dropped) -> Vec<ListedMessage> {
    let parents = parents_of_children(&history);
    let mut list = Vec::with_capacity(history.len());
    for (key, value) in history {
        if value.as_object().is_none() {
            let message = broken_message(Format::OpenWebUi, value, dropped);
            let parent = match key.as_ref().and_then(|key| parents.get(key)) {
                Some(parent) => ListedParent::IdOrNone(parent.clone()),
                None => ListedParent::None,
            };
            list.push(ListedMessage { id: key, parent, message });
            continue;
        }
        let Some(mut fields) = Fields::of(value) else { continue };
        if key.is_some() && fields.get("id").and_then(JsonValue::as_str) == key.as_deref() {
            fields.ignore("id");
        }
        let is_in_list = key.is_none();
        let id = key.or_else(|| fields.id("id"));
        let has_parent = fields.get("parentId").is_some();
        let listed = id.as_ref().and_then(|id| parents.get(id));
        let parent = match (fields.id("parentId"), listed) {
            (Some(parent), _) => ListedParent::IdOrNone(parent),
            (None, Some(parent)) => ListedParent::IdOrNone(parent.clone()),
            (None, None) if is_in_list && !has_parent => ListedParent::Before,
            (None, None) => ListedParent::None,
        };
        list.push(ListedMessage { id, parent, message: Some(message::message(fields)) });
    }
    list
}

/// The ids of parents by those of the children that they name, for messages that do not name their parent.
fn parents_of_children(history: &History) -> HashMap<String, String> {
    let children = history.iter().flat_map(|(key, value)| {
        let fields = value.as_object();
        let id = key.clone().or_else(|| fields?.get("id")?.as_str().map(str::to_owned));
        let children = fields.and_then(|fields| fields.get("childrenIds")?.as_array()).unwrap_or_default();
        children.iter().filter_map(move |child| Some((child.as_str()?.to_owned(), id.clone()?)))
    });
    children.collect()
}

#[cfg(test)]
mod tests;
