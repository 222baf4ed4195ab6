//! Calls of tools and their results as tool parts.

use super::draft::ItemDraft;
use super::item_type::{FUNCTION_CALL, FUNCTION_CALL_OUTPUT, Form, ItemType, ToolFields, ToolName, named};
use super::json::{drop_default, object, read, read_fields, set_default, stored, stored_fields, text};
use crate::model::{Invalid, Json, JsonObject, JsonValue, Part, Role, ToolState};

/// Names of tools by the ids of their calls.
pub trait ToolNames {
    /// The name of the tool that was called with this id, if the call is known.
    fn of_call(&self, call: &str) -> Option<String>;
}

/// The name of a tool whose call is not known.
const UNKNOWN_TOOL: &str = "unknown";

/// The part that stores an item. `id` is the id of the item.
pub(super) fn part(
    argument: &str,
    (kind, tool): (&ItemType, &ToolFields),
    (item, id): (&JsonObject, &str),
    names: &impl ToolNames,
) -> Result<Part, Invalid> {
    let mut rest = item.clone();
    let call = tool.call.and_then(|field| take_text(&mut rest, field));
    let tool_call_id = call.or_else(|| text(item, "id").map(str::to_owned)).unwrap_or_else(|| id.to_owned());
    let tool_name = match tool.name {
        ToolName::Field(field) => take_text(&mut rest, field),
        ToolName::Fixed(name) => Some(name.to_owned()),
        ToolName::OfCall => text(item, "name").map(str::to_owned).or_else(|| names.of_call(&tool_call_id)),
    };
    let input = tool.input.and_then(|field| take(&mut rest, field));
    let output = tool.output.and_then(|field| take(&mut rest, field));
    let state = state(kind, item, output.is_some());
    rest.shift_remove("id");
    drop_default(&mut rest, "status", "completed");
    drop_default(&mut rest, "type", default_type(tool.role, output.is_some()).name);
    Ok(Part::Tool {
        tool_call_id,
        tool_name: tool_name.unwrap_or_else(|| UNKNOWN_TOOL.to_owned()),
        state,
        input: input.map(|value| stored(argument, &value)).transpose()?,
        output: output.map(|value| stored(argument, &value)).transpose()?,
        error_text: None,
        extra: stored_fields(argument, rest)?,
    })
}

/// Removes a text that a part can hold.
fn take_text(fields: &mut JsonObject, name: &str) -> Option<String> {
    let text = text(fields, name).filter(|text| !text.is_empty())?.to_owned();
    fields.shift_remove(name);
    Some(text)
}

/// Takes a value. It stays among the fields, too, if it could not be made of what is stored.
fn take(fields: &mut JsonObject, (name, form): (&str, Form)) -> Option<JsonValue> {
    let given = fields.get(name)?;
    if *given == JsonValue::Null {
        return None;
    }
    let value = match (given, form) {
        (JsonValue::String(text), Form::JsonText | Form::Output) => of_text(text, form),
        _ => given.clone(),
    };
    if formed(&value, form) == *given {
        fields.shift_remove(name);
    }
    Some(value)
}

/// The JSON in a text, or the text itself. Numbers and the like are not taken out of results.
fn of_text(text: &str, form: Form) -> JsonValue {
    match JsonValue::read(text.as_bytes()) {
        Ok(value @ (JsonValue::Object(_) | JsonValue::Array(_))) => value,
        Ok(value) if form == Form::JsonText && !matches!(value, JsonValue::String(_)) => value,
        _ => text.into(),
    }
}

/// A stored value as an item has it.
fn formed(value: &JsonValue, form: Form) -> JsonValue {
    let is_content = |item: &JsonValue| {
        let kind = item.as_object().and_then(|fields| text(fields, "type"));
        kind.is_some_and(|kind| kind.starts_with("input_"))
    };
    match (value, form) {
        (_, Form::Value) | (JsonValue::String(_), _) => value.clone(),
        (JsonValue::Array(items), Form::Output) if !items.is_empty() && items.iter().all(is_content) => {
            value.clone()
        }
        _ => value.to_string().into(),
    }
}

fn state(kind: &ItemType, item: &JsonObject, has_output: bool) -> ToolState {
    let has_error = item.get("error").is_some_and(|error| *error != JsonValue::Null);
    let has_failed = text(item, "status").is_some_and(|status| ["failed", "incomplete"].contains(&status));
    match kind.name {
        "mcp_approval_request" => ToolState::ApprovalRequested,
        "mcp_approval_response" => ToolState::ApprovalResponded,
        _ if has_error || has_failed => ToolState::OutputError,
        _ if has_output => ToolState::OutputAvailable,
        _ => ToolState::InputAvailable,
    }
}

/// The type of an item that stores none.
fn default_type(role: Role, has_output: bool) -> &'static ItemType {
    if role == Role::Tool && has_output { &FUNCTION_CALL_OUTPUT } else { &FUNCTION_CALL }
}

/// The items of a tool part: what was stored for an item, or else a call, its result, or both.
pub(super) fn items(role: Role, at: usize, part: &Part) -> Vec<ItemDraft> {
    let Part::Tool { state, input, output, error_text, extra, .. } = part else { return Vec::new() };
    let fields = read_fields(extra.as_ref());
    if let Some(name) = text(&fields, "type") {
        let Some(kind) = named(name) else { return Vec::new() };
        let item = kind.tool.as_ref().map(|tool| of_part(kind, tool, part, fields.clone()));
        return item.map(|fields| ItemDraft::new(kind.prefix, at, fields)).into_iter().collect();
    }
    let has_output = output.is_some() || error_text.is_some() || *state == ToolState::OutputError;
    let has_call = role != Role::Tool || !has_output || input.is_some();
    let both = [(has_call, &FUNCTION_CALL), (has_output, &FUNCTION_CALL_OUTPUT)];
    let item = |kind: &'static ItemType| {
        let tool = kind.tool.as_ref()?;
        Some(ItemDraft::new(kind.prefix, at, of_part(kind, tool, part, fields.clone())))
    };
    both.into_iter().filter(|(has, _)| *has).filter_map(|(_, kind)| item(kind)).collect()
}

/// The fields of an item, without its id.
fn of_part(kind: &ItemType, tool: &ToolFields, part: &Part, extra: JsonObject) -> JsonObject {
    let Part::Tool { tool_call_id, tool_name, state, input, output, error_text, .. } = part else {
        return extra;
    };
    let mut item = object([("type", kind.name.into())]);
    item.extend(extra);
    if let Some(field) = tool.call {
        set_default(&mut item, field, tool_call_id.as_str().into());
    }
    if let ToolName::Field(field) = tool.name {
        set_default(&mut item, field, tool_name.as_str().into());
    }
    let value = |json: &Option<Json>, form| json.as_ref().map(|json| formed(&read(json), form));
    if let Some((field, form)) = tool.input {
        let missing = (form == Form::JsonText).then(|| JsonValue::from(""));
        if let Some(value) = value(input, form).or(missing) {
            set_default(&mut item, field, value);
        }
    }
    if let Some((field, form)) = tool.output {
        let error = error_text.as_deref().map(JsonValue::from);
        let missing = (kind.name == FUNCTION_CALL_OUTPUT.name).then(|| JsonValue::from(""));
        if let Some(value) = value(output, form).or(error).or(missing) {
            set_default(&mut item, field, value);
        }
    }
    if kind.has_status {
        let is_streaming = *state == ToolState::InputStreaming;
        set_default(&mut item, "status", if is_streaming { "in_progress" } else { "completed" }.into());
    }
    item
}

/// A part without its call or its result, for the part that is left of it. `None`: nothing is left.
pub(super) fn without(role: Role, part: &Part, prefix: &str) -> Option<Part> {
    if items(role, 0, part).len() < 2 {
        return None;
    }
    let Part::Tool { tool_call_id, tool_name, state, input, output, error_text, extra } = part.clone() else {
        return None;
    };
    if prefix == FUNCTION_CALL_OUTPUT.prefix {
        let state = ToolState::InputAvailable;
        return Some(Part::Tool {
            tool_call_id,
            tool_name,
            state,
            input,
            output: None,
            error_text: None,
            extra,
        });
    }
    let result = object([("type", FUNCTION_CALL_OUTPUT.name.into())]);
    let extra = stored_fields("extra", result).ok()?;
    Some(Part::Tool { tool_call_id, tool_name, state, input: None, output, error_text, extra })
}
