//! What only messages of version 4 of the AI SDK have.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{arguments, data, file, json, take_media_type, tool_call};
use crate::model::{JsonObject, JsonValue, Part, ToolState};

/// Adds `reasoning` and `toolInvocations`, which are copies where there are parts of their kind.
pub(super) fn add(fields: &mut Fields, parts: &mut Vec<Part>) {
    let has_reasoning = parts.iter().any(|part| matches!(part, Part::Reasoning { .. }));
    if let Some(text) = fields.text("reasoning") {
        let is_copy = parts
            .iter()
            .any(|part| matches!(part, Part::Reasoning { text: known, .. } if text.contains(&**known)));
        match has_reasoning {
            false => parts.push(Part::reasoning(text)),
            true if is_copy => {}
            true => fields.put("reasoning", JsonValue::from(text)),
        }
    }
    let calls = parts.len();
    let mut rest = BlockFields::default();
    for (at, value) in fields.array("toolInvocations").unwrap_or_default().into_iter().enumerate() {
        let original = value.clone();
        let Some(mut invocation) = Fields::of(value) else {
            parts.extend(data(Format::UiMessage, "toolInvocation", original));
            continue;
        };
        let part = tool(at, &mut invocation);
        match parts[..calls].iter().find(|known| call_id(known).is_some_and(|id| Some(id) == call_id(&part)))
        {
            Some(known) if *known == part => {
                invocation.number("step");
                rest.add_fields(at, invocation.rest());
            }
            // Another form of a call that is in the parts.
            Some(_) => rest.add_fields(at, original.as_object().cloned().unwrap_or_default()),
            None => {
                parts.push(part);
                rest.add_fields(at, invocation.rest());
            }
        }
    }
    let mut metadata = JsonObject::new();
    rest.put_into(&mut metadata, "toolInvocations");
    metadata.into_iter().for_each(|(name, value)| fields.put(&name, value));
}

fn call_id(part: &Part) -> Option<&str> {
    match part {
        Part::Tool { tool_call_id, .. } => Some(tool_call_id),
        _ => None,
    }
}

/// `{state: partial-call | call | result, toolCallId, toolName, args, result}`.
pub(super) fn tool(index: usize, fields: &mut Fields) -> Part {
    let id = fields.id("toolCallId").unwrap_or_else(|| format!("call_{index}"));
    let name = fields.id("toolName");
    let input = fields.value("args").map(|value| arguments(&value));
    let result = fields.value("result").map(|result| json(&result));
    let mut part = tool_call(id, name, input);
    let found = fields.get("state").and_then(JsonValue::as_str);
    let is_known = matches!(found, Some("partial-call" | "call" | "result"));
    let after = match found {
        Some("partial-call") if result.is_none() => ToolState::InputStreaming,
        Some("result") => ToolState::OutputAvailable,
        _ if result.is_some() => ToolState::OutputAvailable,
        _ => ToolState::InputAvailable,
    };
    if is_known {
        fields.ignore("state");
    }
    if let Part::Tool { state, output, .. } = &mut part {
        (*state, *output) = (after, result);
    }
    part
}

/// A file with its contents in base64. `None`: it is not one.
pub(super) fn inline_file(fields: &mut Fields) -> Option<Part> {
    if fields.get("url").is_some() {
        return None;
    }
    let data = fields.id("data")?;
    let media_type = take_media_type(fields, &["mimeType", "mediaType"]);
    let url = if data.contains(':') {
        data
    } else {
        format!("data:{};base64,{data}", media_type.as_deref().unwrap_or_default())
    };
    let filename = fields.text("filename").or_else(|| fields.text("name"));
    Some(file(url, media_type, filename))
}
