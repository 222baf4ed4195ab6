//! The types of items, their prefixes, and where the fields of tool calls are stored.

use crate::model::Role;

/// A type of items.
#[derive(Debug)]
pub(super) struct ItemType {
    /// The type.
    pub(super) name: &'static str,
    /// The prefix of its ids.
    pub(super) prefix: &'static str,
    /// The fields that it must have.
    pub(super) required: &'static [(&'static str, Shape)],
    /// What other fields must be if it has them.
    pub(super) optional: &'static [(&'static str, Shape)],
    /// Whether it has a status, by default `completed`.
    pub(super) has_status: bool,
    /// How a tool part stores it. `None`: it is no call of a tool and no result.
    pub(super) tool: Option<ToolFields>,
}

/// What a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Boolean,
    List,
    Object,
    /// A text or a list.
    TextOrList,
    /// A text or null.
    NullableText,
    /// A list or null.
    NullableList,
    /// A list of texts.
    Texts,
    /// A list of objects with the type `summary_text` and a text.
    Summaries,
    Any,
}

/// Where the fields of a tool part come from.
#[derive(Debug)]
pub(super) struct ToolFields {
    /// The role of the message.
    pub(super) role: Role,
    /// The field with the id of the call. Without one, or if it is null, the id of the item is the id of the call.
    pub(super) call: Option<&'static str>,
    pub(super) name: ToolName,
    pub(super) input: Option<(&'static str, Form)>,
    pub(super) output: Option<(&'static str, Form)>,
}

/// Where the name of the tool comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum ToolName {
    /// It is in this field.
    Field(&'static str),
    /// All tools of the type have this name.
    Fixed(&'static str),
    /// That of the call with the same id.
    OfCall,
}

/// The form of a value in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The value itself.
    Value,
    /// A text that contains JSON.
    JsonText,
    /// A text, which may contain JSON, or a list of contents.
    Output,
}

const ASSISTANT: Role = Role::Assistant;
const TOOL: Role = Role::Tool;

/// Messages.
pub(super) const MESSAGE: ItemType = ItemType {
    name: "message",
    prefix: "msg",
    required: &[],
    optional: &[("status", Shape::NullableText)],
    has_status: true,
    tool: None,
};

/// Reasoning.
pub(super) const REASONING: ItemType = ItemType {
    name: "reasoning",
    prefix: "rs",
    required: &[("summary", Shape::Summaries)],
    optional: &[("content", Shape::NullableList), ("encrypted_content", Shape::NullableText)],
    has_status: false,
    tool: None,
};

/// Types that this version does not know.
pub(super) const OTHER: ItemType =
    ItemType { name: "", prefix: "item", required: &[], optional: &[], has_status: false, tool: None };

/// Calls of functions.
pub(super) const FUNCTION_CALL: ItemType = ItemType {
    name: "function_call",
    prefix: "fc",
    required: &[("call_id", Shape::Text), ("name", Shape::Text), ("arguments", Shape::Text)],
    optional: &[],
    has_status: true,
    tool: Some(ToolFields {
        role: ASSISTANT,
        call: Some("call_id"),
        name: ToolName::Field("name"),
        input: Some(("arguments", Form::JsonText)),
        output: None,
    }),
};

/// Results of functions.
pub(super) const FUNCTION_CALL_OUTPUT: ItemType = ItemType {
    name: "function_call_output",
    prefix: "fco",
    required: &[("output", Shape::TextOrList)],
    optional: &[("call_id", Shape::NullableText)],
    has_status: true,
    tool: Some(ToolFields {
        role: TOOL,
        call: Some("call_id"),
        name: ToolName::OfCall,
        input: None,
        output: Some(("output", Form::Output)),
    }),
};

/// A call with an input.
const fn call(call: Option<&'static str>, name: ToolName, input: Option<(&'static str, Form)>) -> ToolFields {
    ToolFields { role: ASSISTANT, call, name, input, output: None }
}

/// A result of a call.
const fn result(call: Option<&'static str>, name: ToolName, output: &'static str) -> ToolFields {
    ToolFields { role: TOOL, call, name, input: None, output: Some((output, Form::Output)) }
}

/// A call that has its result in it.
const fn hosted(
    name: ToolName,
    input: Option<(&'static str, Form)>,
    output: Option<(&'static str, Form)>,
) -> ToolFields {
    ToolFields { role: ASSISTANT, call: None, name, input, output }
}

macro_rules! item_type {
    (
        $name:literal, $prefix:literal,
        [$($field:literal: $shape:ident),* $(; $($optional:literal: $may_be:ident),*)?],
        $status:literal, $tool:expr
    ) => {
        ItemType {
            name: $name,
            prefix: $prefix,
            required: &[$(($field, Shape::$shape)),*],
            optional: &[$($(($optional, Shape::$may_be)),*)?],
            has_status: $status,
            tool: $tool,
        }
    };
}

const CALL_ID: Option<&str> = Some("call_id");

/// All other types that this version knows: those of the union `ConversationItem` of OpenAI's packages.
static OTHERS: &[ItemType] = &[
    item_type!("file_search_call", "fs", ["queries": Texts; "results": NullableList], true, Some(hosted(
        ToolName::Fixed("file_search"), Some(("queries", Form::Value)), Some(("results", Form::Value))))),
    item_type!("web_search_call", "ws", ["action": Object], true, Some(hosted(
        ToolName::Fixed("web_search"), Some(("action", Form::Value)), None))),
    item_type!("image_generation_call", "ig", ["result": NullableText], true, Some(hosted(
        ToolName::Fixed("image_generation"), None, Some(("result", Form::Value))))),
    item_type!("computer_call", "cu", ["call_id": Text, "pending_safety_checks": List], true, Some(call(
        CALL_ID, ToolName::Fixed("computer"), Some(("action", Form::Value))))),
    item_type!("computer_call_output", "cuo", ["call_id": Text, "output": Object], true, Some(result(
        CALL_ID, ToolName::Fixed("computer"), "output"))),
    item_type!("tool_search_call", "ts", ["arguments": Any; "call_id": NullableText], true, Some(call(
        CALL_ID, ToolName::Fixed("tool_search"), Some(("arguments", Form::Value))))),
    item_type!("tool_search_output", "tso", ["tools": List; "call_id": NullableText], true, Some(result(
        CALL_ID, ToolName::Fixed("tool_search"), "tools"))),
    item_type!("code_interpreter_call", "ci", ["container_id": Text; "code": NullableText, "outputs": NullableList], true, Some(hosted(
        ToolName::Fixed("code_interpreter"), Some(("code", Form::Value)), Some(("outputs", Form::Value))))),
    item_type!("local_shell_call", "lsh", ["call_id": Text, "action": Object], true, Some(call(
        CALL_ID, ToolName::Fixed("local_shell"), Some(("action", Form::Value))))),
    item_type!("local_shell_call_output", "lsho", ["output": Text], false, Some(result(
        None, ToolName::Fixed("local_shell"), "output"))),
    item_type!("shell_call", "sh", ["call_id": Text, "action": Object], true, Some(call(
        CALL_ID, ToolName::Fixed("shell"), Some(("action", Form::Value))))),
    item_type!("shell_call_output", "sho", ["call_id": Text, "output": List], true, Some(result(
        CALL_ID, ToolName::Fixed("shell"), "output"))),
    item_type!("apply_patch_call", "apc", ["call_id": Text, "operation": Object], true, Some(call(
        CALL_ID, ToolName::Fixed("apply_patch"), Some(("operation", Form::Value))))),
    item_type!("apply_patch_call_output", "apco", ["call_id": Text; "output": NullableText], true, Some(result(
        CALL_ID, ToolName::Fixed("apply_patch"), "output"))),
    item_type!("mcp_call", "mcp", ["name": Text, "arguments": Text, "server_label": Text; "output": NullableText], false, Some(hosted(
        ToolName::Field("name"), Some(("arguments", Form::JsonText)), Some(("output", Form::Output))))),
    item_type!("mcp_approval_request", "mcpr", ["name": Text, "arguments": Text, "server_label": Text], false,
        Some(hosted(ToolName::Field("name"), Some(("arguments", Form::JsonText)), None))),
    item_type!("mcp_approval_response", "mcpa", ["approval_request_id": Text, "approve": Boolean], false, Some(
        ToolFields { role: TOOL, call: Some("approval_request_id"), name: ToolName::OfCall, input: None, output: None })),
    item_type!("custom_tool_call", "ctc", ["call_id": Text, "name": Text, "input": Text], false, Some(call(
        CALL_ID, ToolName::Field("name"), Some(("input", Form::Value))))),
    item_type!("custom_tool_call_output", "ctco", ["call_id": Text, "output": TextOrList], false, Some(result(
        CALL_ID, ToolName::OfCall, "output"))),
    item_type!("program", "prog", ["call_id": Text, "code": Text, "fingerprint": Text], false, Some(call(
        CALL_ID, ToolName::Fixed("program"), Some(("code", Form::Value))))),
    item_type!("program_output", "progo", ["call_id": Text, "result": Text], true, Some(result(
        CALL_ID, ToolName::Fixed("program"), "result"))),
    item_type!("mcp_list_tools", "mcpl", ["server_label": Text, "tools": List], false, None),
    item_type!("additional_tools", "at", ["role": Text, "tools": List], false, None),
    item_type!("configuration_update", "cfg", [], false, None),
    item_type!("compaction", "cmp", ["encrypted_content": Text], false, None),
];

static KNOWN: &[&ItemType] = &[&MESSAGE, &REASONING, &FUNCTION_CALL, &FUNCTION_CALL_OUTPUT];

/// The type with this name. `None`: this version does not know it.
pub(super) fn named(name: &str) -> Option<&'static ItemType> {
    KNOWN.iter().copied().chain(OTHERS).find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn prefixes_and_names_differ() {
        let all: Vec<_> = KNOWN.iter().copied().chain(OTHERS).chain([&OTHER]).collect();
        assert_eq!(all.iter().map(|known| known.prefix).collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|known| known.name).collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|known| known.prefix.bytes().all(|byte| byte.is_ascii_lowercase())));
    }
}
