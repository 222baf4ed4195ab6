//! Messages for OpenAI's API: lines for fine-tuning, and logged requests.
//!
//! `{messages: [{role, content, tool_calls, tool_call_id, …}], tools, …}`.

use std::collections::VecDeque;

use super::block_fields::BlockFields;
use super::content_parts::content_parts;
use super::message_list::{content_id, line, take_model};
use super::parts::{arguments, broken_message, data, json, tool_call, tool_result};
use super::token_counts::take_usage;
use super::tool_results;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{JsonValue, Part, Role};

/// The fields of a message that make the id of a conversation without one.
const CONTENT: [&str; 5] = ["role", "content", "tool_calls", "function_call", "tool_call_id"];

pub(super) fn parse(entry: JsonValue) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let found = fields.array("messages").ok_or("it has no `messages`")?;
    let origin = fields.id("id").or_else(|| fields.id("conversation_id"));
    let origin = origin.unwrap_or_else(|| content_id(&found, &CONTENT));
    let mut dropped = Dropped::default();
    let mut calls = VecDeque::new();
    let mut messages = Vec::with_capacity(found.len());
    for (at, value) in found.into_iter().enumerate() {
        messages.push(match value {
            JsonValue::Object(_) => Fields::of(value).map(|fields| message(at, fields, &mut calls)),
            broken => broken_message(Format::OpenAi, broken, &mut dropped),
        });
    }
    tool_results::join(&mut messages);
    let (mut messages, head) = line(messages);
    take_model(&mut fields, &mut messages);
    Ok(ParsedConversation {
        origin,
        title: fields.text("title"),
        created_at: fields.time("created_at").or_else(|| fields.time("created")),
        updated_at: fields.time("updated_at"),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
        ..ParsedConversation::default()
    })
}

/// A call of a tool without a result so far.
struct OpenCall {
    id: String,
    name: Option<String>,
}

fn message(at: usize, mut fields: Fields, calls: &mut VecDeque<OpenCall>) -> ParsedMessage {
    let role = match fields.get("role").and_then(JsonValue::as_str) {
        Some("user") => Some(Role::User),
        Some("assistant") => Some(Role::Assistant),
        Some("system" | "developer") => Some(Role::System),
        Some("tool" | "function") => Some(Role::Tool),
        _ => None,
    };
    // Newer models have the role `developer`, which is not the same.
    if role.is_some() && fields.get("role").and_then(JsonValue::as_str) != Some("developer") {
        fields.ignore("role");
    }
    let mut rest = BlockFields::default();
    let mut parts = Vec::new();
    for name in ["reasoning_content", "reasoning"] {
        parts.extend(fields.text(name).map(Part::reasoning));
    }
    let content = fields.value("content");
    if role == Some(Role::Tool) {
        parts.extend(result(&mut fields, content, calls, &mut rest));
    } else {
        parts.extend(
            content.into_iter().flat_map(|content| content_parts(Format::OpenAi, content, &mut rest)),
        );
    }
    if let Some(text) = fields.text("refusal").filter(|text| !text.is_empty()) {
        parts.push(Part::text(text));
        fields.put("refusal", JsonValue::Boolean(true));
    }
    let mut rest_of_calls = BlockFields::default();
    parts.extend(tool_calls(at, &mut fields, calls, &mut rest_of_calls));
    let mut message = ParsedMessage::new(role.unwrap_or(Role::System), parts);
    message.origin = fields.id("id");
    message.model = fields.id("model");
    message.created_at = fields.time("created_at").or_else(|| fields.time("timestamp"));
    if let Some(mut usage) = fields.object("usage") {
        message.usage = take_usage(&mut usage);
        fields.put("usage", JsonValue::Object(usage.rest()));
    }
    message.metadata = fields.rest();
    rest.put_into(&mut message.metadata, "content");
    rest_of_calls.put_into(&mut message.metadata, "tool_calls");
    message
}

/// `tool_calls`, and the older `function_call`.
fn tool_calls(
    at: usize,
    fields: &mut Fields,
    calls: &mut VecDeque<OpenCall>,
    rest: &mut BlockFields,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for (place, value) in fields.array("tool_calls").unwrap_or_default().into_iter().enumerate() {
        let function = value.as_object().and_then(|call| call.get("function")?.as_object());
        let has_function = function.is_some();
        if !has_function {
            parts.extend(data(Format::OpenAi, "tool_call", value));
            continue;
        }
        let Some(mut call) = Fields::of(value) else { continue };
        let id = call.id("id").unwrap_or_else(|| format!("call_{at}_{place}"));
        if call.get("type").and_then(JsonValue::as_str) == Some("function") {
            call.ignore("type");
        }
        let mut function = call.object("function").unwrap_or_default();
        parts.push(open(&mut function, id, calls));
        call.put("function", JsonValue::Object(function.rest()));
        rest.add_fields(place, call.rest());
    }
    if let Some(mut function) = fields.object("function_call") {
        parts.push(open(&mut function, format!("call_{at}"), calls));
        rest.add_fields(parts.len() - 1, function.rest());
    }
    parts
}

fn open(function: &mut Fields, id: String, calls: &mut VecDeque<OpenCall>) -> Part {
    let name = function.id("name");
    calls.push_back(OpenCall { id: id.clone(), name: name.clone() });
    tool_call(id, name, function.value("arguments").map(|value| arguments(&value)))
}

/// The result of a tool. Without the id of a call it belongs to the first call of that name, or to the first call.
fn result(
    fields: &mut Fields,
    content: Option<JsonValue>,
    calls: &mut VecDeque<OpenCall>,
    rest: &mut BlockFields,
) -> Vec<Part> {
    let name = fields.get("name").and_then(JsonValue::as_str).map(str::to_owned);
    let id = fields.id("tool_call_id").or_else(|| {
        let named = calls.iter().find(|call| name.is_some() && call.name == name);
        named.or_else(|| calls.front().filter(|_| name.is_none())).map(|call| call.id.clone())
    });
    let Some(id) = id else {
        return content
            .into_iter()
            .flat_map(|content| content_parts(Format::OpenAi, content, rest))
            .collect();
    };
    if name.is_some() && calls.iter().any(|call| call.id == id && call.name == name) {
        fields.ignore("name");
    }
    calls.retain(|call| call.id != id);
    let output = content.map_or_else(|| json(&JsonValue::from("")), |content| json(&content));
    vec![tool_result(id, name, output)]
}

#[cfg(test)]
mod tests;
