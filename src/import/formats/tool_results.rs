//! Joins the results of tools with their calls.

use std::collections::HashMap;

use super::parts::UNKNOWN_TOOL;
use crate::import::parsed::ParsedMessage;
use crate::model::{JsonObject, JsonValue, Part, ToolState};

/// The field of a message's metadata with what is left of the messages with the results of its tools.
const REST: &str = "toolResults";

/// Moves each result into the part with the last call of the same id before it. A message that had only such results is
/// left out, and its other fields go into the metadata of the message with the call.
///
/// A call is a tool part without an output; a result is one with an output or an error, and without an input. Results
/// without a call stay where they are.
pub(super) fn join(messages: &mut [Option<ParsedMessage>]) {
    let mut calls: HashMap<String, (usize, usize)> = HashMap::new();
    for at in 0..messages.len() {
        let Some(message) = &mut messages[at] else { continue };
        let found = std::mem::take(&mut message.parts);
        let mut kept: Vec<Part> = Vec::with_capacity(found.len());
        let mut joined = None;
        for part in found {
            let call = match tool_use(&part) {
                ToolUse::Call(id) => {
                    calls.insert(id.to_owned(), (at, kept.len()));
                    None
                }
                ToolUse::Result(id) => calls.remove(id),
                ToolUse::None => None,
            };
            match call {
                Some((of, place)) if of == at => add_result(kept.get_mut(place), part),
                Some((of, place)) => {
                    let message = messages[of].as_mut();
                    add_result(message.and_then(|message| message.parts.get_mut(place)), part);
                    joined = Some(of);
                }
                None => kept.push(part),
            }
        }
        match joined {
            Some(of) if kept.is_empty() => {
                if let (Some(results), Some(call)) = (messages[at].take(), &mut messages[of]) {
                    add_rest(call, results);
                }
            }
            _ => {
                if let Some(message) = &mut messages[at] {
                    message.parts = kept;
                }
            }
        }
    }
}

enum ToolUse<'p> {
    Call(&'p str),
    Result(&'p str),
    None,
}

fn tool_use(part: &Part) -> ToolUse<'_> {
    match part {
        Part::Tool { tool_call_id, state: ToolState::InputAvailable, .. } => ToolUse::Call(tool_call_id),
        Part::Tool {
            tool_call_id,
            state: ToolState::OutputAvailable | ToolState::OutputError,
            input: None,
            ..
        } => ToolUse::Result(tool_call_id),
        _ => ToolUse::None,
    }
}

fn add_result(call: Option<&mut Part>, result: Part) {
    let (
        Some(Part::Tool { tool_name, state, output, error_text, .. }),
        Part::Tool { tool_name: name, state: after, output: value, error_text: error, .. },
    ) = (call, result)
    else {
        return;
    };
    if tool_name == UNKNOWN_TOOL {
        *tool_name = name;
    }
    (*state, *output, *error_text) = (after, value, error);
}

/// Keeps the id, the time and the metadata of a message that is left out.
fn add_rest(call: &mut ParsedMessage, results: ParsedMessage) {
    let mut rest = JsonObject::new();
    if let Some(id) = results.origin {
        rest.insert("id".to_owned(), JsonValue::from(id));
    }
    if let Some(time) = results.created_at {
        rest.insert("createdAt".to_owned(), JsonValue::from(time.to_string()));
    }
    rest.extend(results.metadata);
    if rest.is_empty() {
        return;
    }
    match call.metadata.entry(REST.to_owned()).or_insert_with(|| JsonValue::Array(Vec::new())) {
        JsonValue::Array(items) => items.push(JsonValue::Object(rest)),
        other => {
            let first = std::mem::replace(other, JsonValue::Null);
            *other = JsonValue::Array(vec![first, JsonValue::Object(rest)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parts::{json, tool_call, tool_result};
    use super::*;
    use crate::model::Role;

    fn message(role: Role, parts: Vec<Part>) -> Option<ParsedMessage> {
        Some(ParsedMessage::new(role, parts))
    }

    fn call(id: &str) -> Part {
        tool_call(id.to_owned(), Some("search".to_owned()), Some(json(&JsonValue::Object(JsonObject::new()))))
    }

    fn result(id: &str, text: &str) -> Part {
        tool_result(id.to_owned(), None, json(&JsonValue::from(text)))
    }

    fn outputs(message: &ParsedMessage) -> Vec<String> {
        let output = |part: &Part| match part {
            Part::Tool { output: Some(output), .. } => output.as_str().to_owned(),
            _ => "none".to_owned(),
        };
        message.parts.iter().map(output).collect()
    }

    #[test]
    fn results_join_the_last_call_with_their_id() {
        let mut results = message(Role::Tool, vec![result("a", "second")]);
        results.as_mut().unwrap().metadata.insert("name".to_owned(), JsonValue::from("x"));
        let mut messages = vec![
            message(Role::Assistant, vec![call("a"), result("a", "first"), call("a"), call("b")]),
            results,
            message(Role::Tool, vec![result("c", "without a call")]),
        ];
        join(&mut messages);
        assert!(messages[1].is_none());
        let calls = messages[0].as_ref().unwrap();
        assert_eq!(outputs(calls), ["\"first\"", "\"second\"", "none"]);
        assert_eq!(calls.metadata[REST].to_string(), r#"[{"name":"x"}]"#);
        assert_eq!(outputs(messages[2].as_ref().unwrap()), ["\"without a call\""]);
    }
}
