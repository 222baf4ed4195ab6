//! Joins the calls of tools with their results.

use std::collections::HashMap;

use super::message::{Node, NodeMessage};
use crate::import::parsed::Dropped;
use crate::model::{Json, JsonValue, Part, ToolState};

/// Makes one message of a call and the results that follow it alone, one after the other. Where there are several
/// results to choose from, they stay messages, with the id of the call.
pub(super) fn join(mut nodes: Vec<Node>, dropped: &mut Dropped) -> Vec<Node> {
    let index: HashMap<String, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if let Some(parent) = node.parent.as_ref().and_then(|parent| index.get(parent)) {
            children.entry(*parent).or_default().push(at);
        }
    }
    let is_result =
        |nodes: &[Node], at: usize| nodes[at].message.as_ref().is_some_and(|message| message.is_result);
    let calls: Vec<usize> = (0..nodes.len())
        .filter(|at| nodes[*at].message.as_ref().is_some_and(|message| message.is_call))
        .collect();
    for call in calls {
        let mut results = Vec::new();
        let mut last = call;
        while let Some([next]) = children.get(&last).map(Vec::as_slice)
            && is_result(&nodes, *next)
            && *next != call
            && !results.contains(next)
        {
            results.push(*next);
            last = *next;
        }
        if results.is_empty() {
            for result in children.get(&call).into_iter().flatten() {
                refer(&nodes[call].id.clone(), nodes[*result].message.as_mut());
            }
            continue;
        }
        let results: Vec<NodeMessage> =
            results.into_iter().filter_map(|at| nodes[at].message.take()).collect();
        if let Some(message) = &mut nodes[call].message {
            add(message, results, dropped);
        }
    }
    nodes
}

/// Gives a result the id of its call.
fn refer(call: &str, message: Option<&mut NodeMessage>) {
    let Some(message) = message.filter(|message| message.is_result) else { return };
    if let Some(Part::Tool { tool_call_id, .. }) = message.parsed.parts.first_mut() {
        call.clone_into(tool_call_id);
    }
}

/// Adds results to a call.
fn add(call: &mut NodeMessage, results: Vec<NodeMessage>, dropped: &mut Dropped) {
    let (mut outputs, mut files, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut error = None;
    for NodeMessage { parsed, .. } in results {
        let mut parts = parsed.parts.into_iter();
        if let Some(Part::Tool { output, error_text, .. }) = parts.next() {
            outputs.extend(output);
            error = error.or(error_text);
        }
        files.extend(parts);
        if !parsed.metadata.is_empty() {
            kept.push(JsonValue::Object(parsed.metadata));
        }
    }
    let Some(Part::Tool { state, output, error_text, .. }) = call.parsed.parts.first_mut() else {
        dropped.add("result of a tool", "its call has no content");
        return;
    };
    *state = if error.is_some() { ToolState::OutputError } else { ToolState::OutputAvailable };
    *error_text = error;
    *output = match outputs.len() {
        0 => Some(Json::stored("null".to_owned())),
        1 => outputs.pop(),
        _ => {
            let texts: Vec<&str> = outputs.iter().map(Json::as_str).collect();
            Some(Json::stored(format!("[{}]", texts.join(","))))
        }
    };
    call.parsed.parts.extend(files);
    if !kept.is_empty() {
        call.parsed.metadata.insert("results".to_owned(), JsonValue::Array(kept));
    }
}
