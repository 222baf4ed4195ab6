//! Conversations of Claude: `conversations.json` of the export, and the files of browser extensions.
//!
//! `{uuid, name, chat_messages: [{uuid, sender: human | assistant, text, content: […], parent_message_uuid, …}]}`.

mod blocks;
mod files;

use super::block_fields::BlockFields;
use super::message_list::{ListedMessage, ListedParent, arrange_list, content_id, take_model};
use super::parts::{add_flat_text, broken_message, has_text};
use super::tool_results;
use crate::import::fields::{Fields, time_of};
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{Feedback, JsonValue, MessageStatus, Part, Rating, Role, Timestamp};

/// The parents of first messages.
const ROOTS: [&str; 2] = ["00000000-0000-4000-8000-000000000000", "00000000-0000-0000-0000-000000000000"];

/// Stands in the flat text for a block that the writer of the export did not know.
const UNSUPPORTED: &str = "This block is not supported on your current device yet.";

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let found = fields.array("chat_messages").ok_or("it has no `chat_messages`")?;
    let origin = fields.id("uuid").or_else(|| fields.id("id"));
    let origin = origin.unwrap_or_else(|| content_id(&found, &["sender", "text", "content"]));
    let mut dropped = Dropped::default();
    let mut places = Vec::with_capacity(found.len());
    let mut messages = Vec::with_capacity(found.len());
    for value in found {
        if value.as_object().is_none() {
            places.push((None, ListedParent::Before));
            messages.push(broken_message(Format::Claude, value, &mut dropped));
            continue;
        }
        let Some(mut fields) = Fields::of(value) else { continue };
        let parent = match fields.id("parent_message_uuid") {
            Some(id) if ROOTS.contains(&id.as_str()) => ListedParent::None,
            Some(id) => ListedParent::Id(id),
            None => ListedParent::Before,
        };
        places.push((fields.id("uuid"), parent));
        messages.push(Some(message(fields)));
    }
    tool_results::join(&mut messages);
    let list = places.into_iter().zip(messages);
    let list = list.map(|((id, parent), message)| ListedMessage { id, parent, message }).collect();
    let active = fields.id("current_leaf_message_uuid");
    let (mut messages, head) = arrange_list(list, active.as_deref(), &mut dropped)?;
    take_model(&mut fields, &mut messages);
    let project = fields.get("project").and_then(JsonValue::as_object);
    let project = project.and_then(|project| project.get("name")?.as_str()).map(str::to_owned);
    Ok(ParsedConversation {
        origin,
        title: fields.text("name"),
        created_at: fields.time("created_at"),
        updated_at: fields.time("updated_at"),
        archived: fields.boolean("is_archived") == Some(true),
        pinned: fields.boolean("is_starred") == Some(true),
        labels: project.into_iter().collect(),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
    })
}

fn message(mut fields: Fields) -> ParsedMessage {
    let sender = ["sender", "role"].into_iter().find_map(|name| match fields.get(name)?.as_str()? {
        "human" | "user" => Some((name, Role::User)),
        "assistant" => Some((name, Role::Assistant)),
        "system" => Some((name, Role::System)),
        _ => None,
    });
    if let Some((name, _)) = sender {
        fields.ignore(name);
    }
    let role = sender.map_or(Role::System, |(_, role)| role);
    // The order in the list.
    fields.number("index");
    let mut rest = BlockFields::default();
    let mut is_cut_off = fields.boolean("truncated") == Some(true);
    let mut parts = Vec::new();
    match fields.value("content") {
        Some(JsonValue::Array(items)) => {
            for (at, block) in items.into_iter().enumerate() {
                is_cut_off |= blocks::add(at, block, &mut parts, &mut rest);
            }
        }
        Some(JsonValue::String(text)) => parts.push(Part::text(text)),
        Some(other) => fields.put("content", other),
        None => {}
    }
    // The flat text is a copy of the blocks, if there are any.
    if let Some(text) = fields.text("text").filter(|text| !is_placeholder(text)) {
        let text = if has_text(&parts) { text.replace(UNSUPPORTED, "") } else { text };
        add_flat_text(&mut fields, "text", text, &mut parts);
    }
    files::add(&mut fields, &mut parts);
    let mut message = ParsedMessage::new(role, parts);
    message.created_at = fields.time("created_at");
    let is_same_time =
        message.created_at.is_some_and(|time| fields.get("updated_at").and_then(time_of) == Some(time));
    if is_same_time {
        fields.ignore("updated_at");
    }
    message.model = fields.id("model");
    if role == Role::Assistant {
        message.status = status(&fields, is_cut_off);
    }
    message.feedback = feedback(&mut fields);
    message.metadata = fields.rest();
    rest.put_into(&mut message.metadata, "content");
    message
}

fn is_placeholder(text: &str) -> bool {
    text.replace(UNSUPPORTED, "").chars().all(|character| character.is_whitespace() || character == '`')
}

fn status(fields: &Fields, is_cut_off: bool) -> MessageStatus {
    match fields.get("stop_reason").and_then(JsonValue::as_str) {
        Some("error" | "overloaded" | "api_error") => MessageStatus::Failed,
        Some(
            "max_tokens"
            | "user_canceled"
            | "user_cancelled"
            | "canceled"
            | "cancelled"
            | "interrupted"
            | "message_limit"
            | "model_context_window_exceeded"
            | "pause_turn",
        ) => MessageStatus::Interrupted,
        _ if is_cut_off => MessageStatus::Interrupted,
        _ => MessageStatus::Complete,
    }
}

/// `chat_feedback: {type: upvote | downvote | flag…, reason}`.
fn feedback(fields: &mut Fields) -> Option<Feedback> {
    let mut found = fields.object("chat_feedback")?;
    let rating = match found.get("type").and_then(JsonValue::as_str) {
        Some("upvote" | "thumbs_up" | "positive") => Some(Rating::Up),
        Some("downvote" | "flag" | "thumbs_down" | "negative") => Some(Rating::Down),
        _ => None,
    };
    let comment = found.text("reason");
    fields.put("chat_feedback", JsonValue::Object(found.rest()));
    let says_something = rating.is_some() || comment.as_ref().is_some_and(|comment| !comment.is_empty());
    // The time is set later.
    says_something.then_some(Feedback { rating, tags: Vec::new(), comment, updated_at: Timestamp(0) })
}

#[cfg(test)]
mod tests;
