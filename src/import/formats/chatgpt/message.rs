//! Messages of ChatGPT.

use super::content::{Content, content};
use super::{citations, content};
use crate::import::fields::Fields;
use crate::import::parsed::ParsedMessage;
use crate::model::{Json, JsonValue, MessageStatus, Part, Role, ToolState};

/// A node of the tree.
pub(super) struct Node {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) message: Option<NodeMessage>,
}

/// A message, and what it is to tools.
pub(super) struct NodeMessage {
    pub(super) parsed: ParsedMessage,
    /// It calls a tool: its first part is the call.
    pub(super) is_call: bool,
    /// It is the result of a tool: its first part is the call with its output.
    pub(super) is_result: bool,
}

pub(super) fn parse(id: &str, mut fields: Fields, default_model: Option<&str>) -> NodeMessage {
    let mut author = fields.object("author").unwrap_or_default();
    let role = author.text("role");
    let name = author.text("name").filter(|name| !name.is_empty());
    let mut metadata = fields.object("metadata").unwrap_or_default();
    let found = fields.object("content").map(content).unwrap_or_default();
    let weight = fields.number("weight");
    let is_hidden = weight == Some(0.0)
        || metadata.boolean("is_visually_hidden_from_conversation") == Some(true)
        || found.is_context;
    let recipient = fields.text("recipient").filter(|recipient| !recipient.is_empty() && recipient != "all");
    let role = match role.as_deref() {
        Some("user") if is_hidden => Role::System,
        Some("user") => Role::User,
        Some("assistant") if found.is_context => Role::System,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        Some("system") => Role::System,
        other => {
            if let Some(other) = other {
                author.put("role", JsonValue::from(other));
            }
            Role::System
        }
    };
    let status = status(&mut fields, &metadata);
    let model = metadata.text("model_slug").filter(|model| !model.is_empty());
    let model = model.or_else(|| default_model.filter(|_| role == Role::Assistant).map(str::to_owned));
    let created_at = fields.time("create_time");

    let Content { parts, mut rest, error, .. } = found;
    let is_call = role == Role::Assistant && recipient.is_some();
    let is_result = role == Role::Tool;
    let mut parts = match (&recipient, is_result) {
        (Some(tool), false) if is_call => call(id, tool, parts),
        (_, true) => result(id, name.as_deref(), error, parts, &mut rest),
        _ => parts,
    };
    content::add_attachments(&mut parts, &mut metadata);
    citations::resolve(&mut parts, &mut metadata);

    // The id is that of the node, and the role says whose turn ends.
    ["id", "children", "parent", "end_turn"].iter().for_each(|name| fields.ignore_scalar(name));
    if is_call || is_result {
        put(&mut fields, "authorName", name.filter(|_| !is_result).map(JsonValue::from));
    } else {
        put(&mut fields, "authorName", name.map(JsonValue::from));
        put(&mut fields, "recipient", recipient.map(JsonValue::from));
    }
    for (name, rest) in [("author", author.rest()), ("content", rest.rest()), ("metadata", metadata.rest())] {
        put(&mut fields, name, (!rest.is_empty()).then_some(JsonValue::Object(rest)));
    }
    let mut parsed = ParsedMessage::new(role, parts);
    parsed.status = status;
    parsed.model = model;
    parsed.created_at = created_at;
    parsed.hidden = is_hidden;
    parsed.metadata = fields.rest();
    NodeMessage { parsed, is_call, is_result }
}

fn put(fields: &mut Fields, name: &str, value: Option<JsonValue>) {
    if let Some(value) = value {
        fields.put(name, value);
    }
}

/// An answer that was cut off is interrupted. The source's word stays, unless it is the usual one.
fn status(fields: &mut Fields, metadata: &Fields) -> MessageStatus {
    let finish = metadata.get("finish_details").and_then(JsonValue::as_object);
    let finish = finish.and_then(|finish| finish.get("type")?.as_str());
    let status = fields.get("status").and_then(JsonValue::as_str);
    let found = match (status, finish) {
        (Some("in_progress" | "finished_partial_completion"), _) => MessageStatus::Interrupted,
        (Some(status), _) if status.contains("error") || status.contains("fail") => MessageStatus::Failed,
        (_, Some("interrupted" | "max_tokens")) => MessageStatus::Interrupted,
        _ => MessageStatus::Complete,
    };
    if status == Some("finished_successfully") {
        fields.ignore("status");
    }
    found
}

/// The call of a tool, and what the message has besides its input.
fn call(id: &str, tool: &str, parts: Vec<Part>) -> Vec<Part> {
    let (texts, others): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| matches!(part, Part::Text { .. }));
    let texts = texts.into_iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    });
    let input = texts.collect::<Vec<_>>().join("\n\n");
    let call = Part::Tool {
        tool_call_id: id.to_owned(),
        tool_name: tool.to_owned(),
        state: ToolState::InputAvailable,
        input: (!input.is_empty()).then(|| json(input)),
        output: None,
        error_text: None,
        extra: None,
    };
    std::iter::once(call).chain(others).collect()
}

/// JSON of a text that is JSON, and a string of any other.
fn json(text: String) -> Json {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let value = if is_json { JsonValue::read(text.as_bytes()).ok() } else { None };
    Json::stored(value.unwrap_or_else(|| JsonValue::from(text)).to_string())
}

/// The value of a data part, with its kind.
fn data_value(name: &str, data: &Json) -> Option<JsonValue> {
    let mut value = JsonValue::read(data.as_str().as_bytes()).ok()?;
    if let (JsonValue::Object(fields), Some((_, kind))) = (&mut value, name.split_once('/')) {
        fields.entry("content_type".to_owned()).or_insert_with(|| JsonValue::from(kind));
    }
    Some(value)
}

/// The result of a tool as a part, and the files and sources in it.
fn result(
    id: &str,
    tool: Option<&str>,
    error: Option<String>,
    parts: Vec<Part>,
    rest: &mut Fields,
) -> Vec<Part> {
    let (texts, others): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| matches!(part, Part::Text { .. } | Part::Data { .. }));
    let mut values: Vec<JsonValue> = texts
        .into_iter()
        .filter_map(|part| match part {
            Part::Text { text, .. } if text.is_empty() => None,
            Part::Text { text, .. } => Some(JsonValue::from(text)),
            Part::Data { name, data, .. } => data_value(&name, &data),
            _ => None,
        })
        .collect();
    if values.is_empty() {
        // Without a text the fields are the result.
        let fields = std::mem::take(rest).rest();
        values.extend((!fields.is_empty()).then_some(JsonValue::Object(fields)));
    }
    let output = match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(JsonValue::Array(values)),
    };
    let result = Part::Tool {
        tool_call_id: id.to_owned(),
        tool_name: tool.unwrap_or("tool").to_owned(),
        state: if error.is_some() { ToolState::OutputError } else { ToolState::OutputAvailable },
        input: None,
        output: output.map(|output| Json::stored(output.to_string())),
        error_text: error,
        extra: None,
    };
    std::iter::once(result).chain(others).collect()
}
