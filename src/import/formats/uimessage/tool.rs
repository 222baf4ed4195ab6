//! A call of a tool in a message of the AI SDK.

use crate::import::fields::Fields;
use crate::import::formats::parts::{UNKNOWN_TOOL, json};
use crate::model::{JsonValue, Part, ToolState};

/// The call, with its result if there is one. What else is known, such as an approval, stays in `fields`.
pub(super) fn part(index: usize, name: Option<String>, fields: &mut Fields) -> Part {
    let tool_call_id = fields.id("toolCallId").unwrap_or_else(|| format!("call_{index}"));
    let input = fields.value("input").map(|input| json(&input));
    let output = take_even_null(fields, "output").map(|output| json(&output));
    let error_text = fields.text("errorText");
    let state = match fields.get("state").and_then(JsonValue::as_str) {
        Some("input-streaming") => Some(ToolState::InputStreaming),
        Some("input-available") => Some(ToolState::InputAvailable),
        Some("approval-requested") => Some(ToolState::ApprovalRequested),
        Some("approval-responded") => Some(ToolState::ApprovalResponded),
        Some("output-available") => Some(ToolState::OutputAvailable),
        Some("output-error") => Some(ToolState::OutputError),
        Some("output-denied") => Some(ToolState::OutputDenied),
        _ => None,
    };
    if state.is_some() {
        fields.ignore("state");
    }
    let state = state.unwrap_or(match (&output, &error_text) {
        (_, Some(_)) => ToolState::OutputError,
        (Some(_), None) => ToolState::OutputAvailable,
        (None, None) => ToolState::InputAvailable,
    });
    let tool_name = name.unwrap_or_else(|| UNKNOWN_TOOL.to_owned());
    Part::Tool { tool_call_id, tool_name, state, input, output, error_text, extra: None }
}

/// The output of a tool may be null.
fn take_even_null(fields: &mut Fields, name: &str) -> Option<JsonValue> {
    let value = fields.get(name).cloned();
    fields.ignore(name);
    value
}
