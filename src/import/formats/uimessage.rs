//! Messages of the AI SDK: `UIMessage` of `useChat`.
//!
//! A chat `{id, title, messages: [{id, role, parts: […], metadata}]}`, or an array of such messages, which are those of one
//! chat or, with a `chatId`, of several: the rows of a database. Messages of version 4 have `content` and `toolInvocations`.

mod legacy;
mod message;
mod part;
mod tool;

use std::collections::HashMap;

use super::message_list::{content_id, line};
use super::parts::broken_message;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::Parsed;
use crate::import::parsed::{Dropped, ParsedConversation};
use crate::import::rejection::Rejection;
use crate::model::{JsonObject, JsonValue};

pub(super) fn parse(entry: JsonValue) -> Parsed {
    match entry {
        JsonValue::Array(rows) => chats_of(rows)
            .into_iter()
            .map(|(id, rows)| conversation(id.as_deref(), Fields::default(), rows))
            .collect(),
        JsonValue::Object(_) => vec![chat(entry)],
        _ => vec![Err("it is not an object".into())],
    }
}

fn chat(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let is_message = |fields: &JsonObject| {
        !fields.contains_key("messages")
            && fields.contains_key("role")
            && (fields.contains_key("parts") || fields.contains_key("content"))
    };
    if entry.as_object().is_some_and(is_message) {
        let id = chat_id(&entry);
        return conversation(id.as_deref(), Fields::default(), vec![entry]);
    }
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let messages = fields.array("messages").ok_or("it has no `messages`")?;
    let id = fields.id("id").or_else(|| fields.id("chatId"));
    conversation(id.as_deref(), fields, messages)
}

/// The rows of each chat, in the order of the first rows.
fn chats_of(rows: Vec<JsonValue>) -> Vec<(Option<String>, Vec<JsonValue>)> {
    let mut chats: Vec<(Option<String>, Vec<JsonValue>)> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let id = match (row.as_object(), chats.last()) {
            // A broken row belongs to the chat of the row before.
            (None, Some((last, _))) => last.clone(),
            _ => chat_id(&row),
        };
        let place = *places.entry(id.clone()).or_insert(chats.len());
        if place == chats.len() {
            chats.push((id, Vec::new()));
        }
        chats[place].1.push(row);
    }
    chats
}

fn chat_id(message: &JsonValue) -> Option<String> {
    let fields = message.as_object()?;
    let id = ["chatId", "chat_id"].into_iter().find_map(|name| fields.get(name)?.as_str());
    id.filter(|id| !id.is_empty()).map(str::to_owned)
}

fn conversation(
    id: Option<&str>,
    mut fields: Fields,
    found: Vec<JsonValue>,
) -> Result<ParsedConversation, Rejection> {
    let first = || {
        let id = found.first()?.as_object()?.get("id")?.as_str()?;
        (!id.is_empty()).then(|| id.to_owned())
    };
    let origin = id.map(str::to_owned).or_else(first);
    let origin = origin.unwrap_or_else(|| content_id(&found, &["role", "content", "parts"]));
    let mut dropped = Dropped::default();
    let mut messages = Vec::with_capacity(found.len());
    for value in found {
        messages.push(match value {
            JsonValue::Object(_) => Fields::of(value).map(|fields| message::message(fields, id)),
            broken => broken_message(Format::UiMessage, broken, &mut dropped),
        });
    }
    let (messages, head) = line(messages);
    Ok(ParsedConversation {
        origin,
        title: fields.text("title"),
        created_at: fields.time("createdAt").or_else(|| fields.time("created_at")),
        updated_at: fields.time("updatedAt").or_else(|| fields.time("updated_at")),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
        ..ParsedConversation::default()
    })
}

#[cfg(test)]
mod tests;
