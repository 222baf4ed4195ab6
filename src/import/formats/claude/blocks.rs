//! The blocks of a message of Claude.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{block_data, json, tool_call, tool_result, web_source};
use crate::model::{JsonObject, JsonValue, Part, ToolState};

/// Adds the parts of the block at `index`. Returns whether the block says that it was cut off.
pub(super) fn add(index: usize, block: JsonValue, parts: &mut Vec<Part>, rest: &mut BlockFields) -> bool {
    let kind =
        block.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    let original = block.clone();
    let Some(mut fields) = Fields::of(block) else {
        match original {
            JsonValue::String(text) => parts.push(Part::text(text)),
            other => parts.extend(block_data(Format::Claude, other)),
        }
        return false;
    };
    let part = match kind.as_str() {
        "text" => fields.text("text").map(Part::text),
        "thinking" => fields.text("thinking").map(Part::reasoning),
        "tool_use" => fields
            .object("input")
            .or_else(|| fields.get("input").is_none().then(Fields::default))
            .map(|input| {
                let id = fields.id("id").unwrap_or_else(|| format!("tool_use_{index}"));
                tool_call(id, fields.text("name"), Some(json(&input.into_value())))
            }),
        "tool_result" => Some(result(index, &mut fields, parts)),
        _ => None,
    };
    let Some(part) = part else {
        parts.extend(block_data(Format::Claude, original));
        return false;
    };
    parts.push(part);
    // The positions of citations in the text stay in the metadata.
    let citations = fields.get("citations").and_then(JsonValue::as_array).unwrap_or_default();
    for citation in citations {
        let source = citation_source(parts, citation);
        parts.extend(source);
    }
    let cut_off = fields.boolean("cut_off") == Some(true);
    let truncated = fields.boolean("truncated") == Some(true);
    rest.add(index, fields);
    cut_off || truncated
}

fn citation_source(parts: &[Part], citation: &JsonValue) -> Option<Part> {
    let citation = citation.as_object()?;
    let details = citation.get("details").and_then(JsonValue::as_object);
    let text = |name: &str| {
        let of = |fields: &JsonObject| fields.get(name).and_then(JsonValue::as_str).map(str::to_owned);
        of(citation).or_else(|| details.and_then(of))
    };
    web_source(parts, text("uuid"), text("url")?, text("title"))
}

/// The content of a result is a text or an array of blocks. That of an error is its text, too.
fn result(index: usize, fields: &mut Fields, parts: &[Part]) -> Part {
    let id = fields.id("tool_use_id").unwrap_or_else(|| format!("tool_result_{index}"));
    // The call has the name, too.
    let name = fields.get("name").and_then(JsonValue::as_str).map(str::to_owned);
    let is_call = |part: &Part| matches!(part, Part::Tool { tool_call_id, tool_name, .. } if *tool_call_id == id && Some(tool_name) == name.as_ref());
    if parts.iter().any(is_call) {
        fields.ignore("name");
    }
    let content = fields.value("content").unwrap_or_else(|| JsonValue::from(""));
    let is_error = fields.boolean("is_error") == Some(true);
    let error = is_error.then(|| text_of(&content));
    let mut part = tool_result(id, name, json(&content));
    if let (Some(error), Part::Tool { state, output, error_text, .. }) = (error, &mut part) {
        *state = ToolState::OutputError;
        if content.as_str().is_some() {
            *output = None;
        }
        *error_text = Some(error);
    }
    part
}

fn text_of(content: &JsonValue) -> String {
    match content {
        JsonValue::String(text) => text.clone(),
        JsonValue::Array(items) => {
            let text = |item: &JsonValue| item.as_object()?.get("text")?.as_str().map(str::to_owned);
            items.iter().filter_map(text).collect::<Vec<_>>().join("\n\n")
        }
        _ => String::new(),
    }
}
