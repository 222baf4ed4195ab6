//! `output` of Open WebUI: items in the form of OpenAI's Responses API.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::content_parts::content_parts;
use crate::import::formats::parts::{arguments, block_data, json, tool_call, tool_result};
use crate::import::formats::tool_results;
use crate::import::parsed::ParsedMessage;
use crate::model::{Json, JsonObject, JsonValue, Part, Role, ToolState};

/// The kinds of the texts in reasoning.
const KINDS_OF_TEXTS: [&str; 4] = ["output_text", "text", "summary_text", "reasoning_text"];

/// The parts of the items. Calls are joined with their results.
pub(super) fn parts(items: Vec<JsonValue>, rest: &mut BlockFields) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        add(at, item, &mut parts, rest);
    }
    let mut message = [Some(ParsedMessage::new(Role::Assistant, parts))];
    tool_results::join(&mut message);
    let [message] = message;
    message.map(|message| message.parts).unwrap_or_default()
}

fn add(index: usize, item: JsonValue, parts: &mut Vec<Part>, rest: &mut BlockFields) {
    let kind =
        item.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    let original = item.clone();
    let Some(mut fields) = Fields::of(item) else {
        parts.extend(block_data(Format::OpenWebUi, original));
        return;
    };
    match kind.as_str() {
        "message"
            if fields
                .get("content")
                .is_some_and(|content| content.as_array().is_some() || content.as_str().is_some()) =>
        {
            fields.text("role");
            let mut inner = BlockFields::default();
            let content = fields.value("content").unwrap_or(JsonValue::Null);
            parts.extend(content_parts(Format::OpenWebUi, content, &mut inner));
            let mut content = JsonObject::new();
            inner.put_into(&mut content, "content");
            content.into_iter().for_each(|(name, value)| fields.put(&name, value));
        }
        "reasoning" => match reasoning(&mut fields) {
            Some(part) => parts.push(part),
            None => return parts.extend(block_data(Format::OpenWebUi, original)),
        },
        "function_call" => {
            let id =
                fields.id("call_id").or_else(|| fields.id("id")).unwrap_or_else(|| format!("call_{index}"));
            let input = fields.value("arguments").map_or_else(Json::empty_object, |value| arguments(&value));
            let mut part = tool_call(id, fields.id("name"), Some(input));
            // A result may still follow.
            if fields.get("status").and_then(JsonValue::as_str) == Some("failed")
                && let Part::Tool { state, .. } = &mut part
            {
                *state = ToolState::OutputError;
            }
            parts.push(part);
        }
        "function_call_output" => {
            let id =
                fields.id("call_id").or_else(|| fields.id("id")).unwrap_or_else(|| format!("call_{index}"));
            let output = fields.value("output").unwrap_or_else(|| JsonValue::from(""));
            parts.push(tool_result(id, None, json(&output)));
        }
        "open_webui:code_interpreter" => parts.push(code_interpreter(index, &mut fields)),
        _ => return parts.extend(block_data(Format::OpenWebUi, original)),
    }
    if fields.get("status").and_then(JsonValue::as_str) == Some("completed") {
        fields.ignore("status");
    }
    rest.add(index, fields);
}

/// The summary is what the user saw where there is one.
fn reasoning(fields: &mut Fields) -> Option<Part> {
    for name in ["summary", "content"] {
        let Some(JsonValue::Array(items)) = fields.get(name) else { continue };
        let text = |item: &JsonValue| match item.as_object() {
            Some(object) => object.get("text")?.as_str().map(str::to_owned),
            None => item.as_str().map(str::to_owned),
        };
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        let text = texts.map(|texts| texts.concat()).filter(|text| !text.is_empty());
        let is_plain = items.iter().filter_map(JsonValue::as_object).all(|item| {
            item.iter().all(|(name, value)| match (&**name, value.as_str()) {
                ("type", Some(kind)) => KINDS_OF_TEXTS.contains(&kind),
                (name, text) => name == "text" && text.is_some(),
            })
        });
        if let Some(text) = text {
            if is_plain {
                fields.ignore(name);
            }
            return Some(Part::reasoning(text));
        }
    }
    None
}

/// Code that the model ran.
fn code_interpreter(index: usize, fields: &mut Fields) -> Part {
    let id = fields.id("id").unwrap_or_else(|| format!("code_interpreter_{index}"));
    let mut input = JsonObject::new();
    for name in ["code", "lang"] {
        input.extend(fields.value(name).map(|value| (name.to_owned(), value)));
    }
    let mut part = tool_call(id, Some("code_interpreter".to_owned()), Some(json(&JsonValue::Object(input))));
    if let (Some(value), Part::Tool { state, output, .. }) = (fields.value("output"), &mut part) {
        *state = ToolState::OutputAvailable;
        *output = Some(json(&value));
    }
    part
}
