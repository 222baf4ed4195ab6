//! The content of a message of LibreChat: an array of parts.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::content_parts::content_parts;
use crate::import::formats::parts::{arguments, block_data, json, tool_call};
use crate::model::{Json, JsonValue, Part, ToolState};

use super::files::file_part;

/// Adds the part at `index`. Returns whether it is an error.
pub(super) fn add(index: usize, item: JsonValue, parts: &mut Vec<Part>, rest: &mut BlockFields) -> bool {
    let kind =
        item.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    let original = item.clone();
    let part = match (kind.as_str(), Fields::of(item)) {
        (_, None) => {
            let content =
                if original.as_str().is_some() { original } else { JsonValue::Array(vec![original]) };
            parts.extend(content_parts(Format::LibreChat, content, rest));
            return false;
        }
        ("image_url" | "video_url" | "input_audio", _) => {
            parts.extend(content_parts(Format::LibreChat, JsonValue::Array(vec![original]), rest));
            return false;
        }
        ("text", Some(mut fields)) => text(&mut fields, "text").map(|text| (Part::text(text), fields)),
        ("think", Some(mut fields)) => text(&mut fields, "think").map(|text| (Part::reasoning(text), fields)),
        ("tool_call", Some(mut fields)) => fields.object("tool_call").map(|mut call| {
            let part = tool(index, &mut call);
            fields.put("tool_call", JsonValue::Object(call.rest()));
            (part, fields)
        }),
        ("image_file", Some(mut fields)) => fields.object("image_file").and_then(|mut image| {
            let part = file_part(&mut image)?;
            fields.put("image_file", JsonValue::Object(image.rest()));
            Some((part, fields))
        }),
        _ => None,
    };
    match part {
        Some((part, fields)) => {
            parts.push(part);
            rest.add(index, fields);
        }
        None => parts.extend(block_data(Format::LibreChat, original)),
    }
    kind == "error"
}

/// A text, or an object with it as `value`.
fn text(fields: &mut Fields, name: &str) -> Option<String> {
    if let Some(text) = fields.text(name) {
        return Some(text);
    }
    let mut object = fields.object(name)?;
    let text = object.text("value")?;
    fields.put(name, JsonValue::Object(object.rest()));
    Some(text)
}

/// A call of a tool: of an agent, or as OpenAI's assistants have them.
fn tool(index: usize, call: &mut Fields) -> Part {
    let id = call.id("id").unwrap_or_else(|| format!("tool_call_{index}"));
    if let Some(mut function) = call.object("function") {
        let name = function.id("name");
        let input = function.value("arguments").map(|value| arguments(&value));
        let output = function.value("output").map(|output| json(&output));
        call.put("function", JsonValue::Object(function.rest()));
        return finished(id, name, input, output);
    }
    if let Some(mut interpreter) = call.object("code_interpreter") {
        let input = interpreter.value("input").map(|input| json(&input));
        let output = interpreter.value("outputs").map(|output| json(&output));
        call.put("code_interpreter", JsonValue::Object(interpreter.rest()));
        return finished(id, Some("code_interpreter".to_owned()), input, output);
    }
    let name = call.id("name").or_else(|| {
        let kind = call.get("type").and_then(JsonValue::as_str);
        kind.filter(|kind| *kind != "tool_call").map(str::to_owned)
    });
    let input = call.value("args").map(|value| arguments(&value));
    let output =
        call.value("output").filter(|output| output.as_str() != Some("")).map(|output| json(&output));
    if call.get("type").and_then(JsonValue::as_str) == Some("tool_call") {
        call.ignore("type");
    }
    finished(id, name, input, output)
}

fn finished(id: String, name: Option<String>, input: Option<Json>, output: Option<Json>) -> Part {
    let input = input.unwrap_or_else(Json::empty_object);
    let mut part = tool_call(id, name, Some(input));
    if let Part::Tool { state, output: place, .. } = &mut part
        && output.is_some()
    {
        *state = ToolState::OutputAvailable;
        *place = output;
    }
    part
}
