//! ShareGPT conversations.
//!
//! `{id, conversations: [{from: human | gpt | system | …, value}]}`. Data sets write the same with other names: `items` or
//! `conversation` for the list, `role` and `content` for the fields of a turn.

use std::collections::VecDeque;

use super::message_list::{content_id, line, take_model};
use super::parts::{arguments, broken_message, data, json, tool_call, tool_result};
use super::tool_results;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{JsonObject, JsonValue, Part, Role};

const LISTS: [&str; 4] = ["conversations", "items", "conversation", "messages"];
const SPEAKERS: [&str; 2] = ["from", "role"];
const TEXTS: [&str; 3] = ["value", "text", "content"];

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let turns = LISTS.iter().find_map(|name| fields.array(name)).ok_or("it has no `conversations`")?;
    let id = fields.id("id").or_else(|| fields.id("conversation_id"));
    let origin = id.unwrap_or_else(|| content_id(&turns, &["from", "role", "value", "text", "content"]));
    let mut dropped = Dropped::default();
    // Calls of tools that have no result yet.
    let mut calls = VecDeque::new();
    let mut messages = Vec::with_capacity(turns.len() + 1);
    if let Some(text) = fields.text("system") {
        messages.push(Some(ParsedMessage::new(Role::System, vec![Part::text(text)])));
    }
    for (at, value) in turns.into_iter().enumerate() {
        messages.push(match value {
            JsonValue::Object(turn) => {
                Fields::of(JsonValue::Object(turn)).map(|turn| message(at, turn, &mut calls))
            }
            broken => broken_message(Format::ShareGpt, broken, &mut dropped),
        });
    }
    tool_results::join(&mut messages);
    let (mut messages, head) = line(messages);
    take_model(&mut fields, &mut messages);
    Ok(ParsedConversation {
        origin,
        title: fields.text("title"),
        created_at: fields.time("created_at").or_else(|| fields.time("create_time")),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
        ..ParsedConversation::default()
    })
}

fn message(at: usize, mut turn: Fields, calls: &mut VecDeque<String>) -> ParsedMessage {
    let speaker_name = SPEAKERS.iter().find(|name| turn.get(name).and_then(JsonValue::as_str).is_some());
    let speaker = speaker_name.and_then(|name| turn.text(name)).unwrap_or_default();
    let text = TEXTS.iter().find_map(|name| turn.text(name));
    let mut message = match (speaker.to_ascii_lowercase().as_str(), text) {
        ("function_call" | "tool_call", Some(text)) => {
            ParsedMessage::new(Role::Assistant, tool_calls(at, &text, calls))
        }
        ("tool" | "function" | "observation" | "function_response" | "tool_response", text) => {
            ParsedMessage::new(Role::Tool, result(text, calls))
        }
        (name, text) => {
            let role = role(name);
            if role.is_none() && !speaker.is_empty() {
                turn.put(speaker_name.unwrap_or(&"from"), JsonValue::from(speaker));
            }
            let parts = text.map(Part::text).into_iter().collect();
            ParsedMessage::new(role.unwrap_or(Role::System), parts)
        }
    };
    // A value that is no text.
    for name in TEXTS {
        if let Some(value) = turn.value(name) {
            message.parts.extend(data(Format::ShareGpt, name, value));
        }
    }
    message.model = turn.id("model");
    message.origin = turn.id("id");
    message.created_at = turn.time("created_at").or_else(|| turn.time("timestamp"));
    message.metadata = turn.rest();
    message
}

fn role(speaker: &str) -> Option<Role> {
    Some(match speaker {
        "human" | "user" | "prompter" => Role::User,
        "gpt" | "chatgpt" | "bard" | "bing" | "assistant" | "model" | "bot" | "ai" | "claude" | "gemini" => {
            Role::Assistant
        }
        "system" | "developer" => Role::System,
        _ => return None,
    })
}

/// `{"name", "arguments"}`, or an array of such calls.
fn tool_calls(at: usize, text: &str, calls: &mut VecDeque<String>) -> Vec<Part> {
    let values = match JsonValue::read(text.as_bytes()) {
        Ok(JsonValue::Array(values)) => values,
        Ok(value) => vec![value],
        Err(_) => vec![JsonValue::from(text)],
    };
    let call = |(place, value): (usize, JsonValue)| {
        let id = format!("call_{at}_{place}");
        calls.push_back(id.clone());
        let is_call = |fields: &JsonObject| {
            fields.get("name").is_some_and(|name| name.as_str().is_some())
                && fields.keys().all(|key| matches!(key.as_str(), "name" | "arguments" | "parameters"))
        };
        if !value.as_object().is_some_and(is_call) {
            return tool_call(id, None, Some(json(&value)));
        }
        let mut fields = Fields::of(value).unwrap_or_default();
        let name = fields.text("name");
        let input = fields.value("arguments").or_else(|| fields.value("parameters"));
        tool_call(id, name, input.map(|value| arguments(&value)))
    };
    values.into_iter().enumerate().map(call).collect()
}

/// The result of the first call that has none. Without a call it is a text.
fn result(text: Option<String>, calls: &mut VecDeque<String>) -> Vec<Part> {
    let Some(text) = text else { return Vec::new() };
    match calls.pop_front() {
        Some(id) => vec![tool_result(id, None, json(&JsonValue::from(text)))],
        None => vec![Part::text(text)],
    }
}

#[cfg(test)]
mod tests;
