//! A part of a message of the AI SDK.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{Json, Part, Source, ToolState};

/// A part. Each type has some of the fields.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiPart<'m> {
    r#type: Cow<'m, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Cow<'m, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Cow<'m, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_text: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'m Json>,
    /// Fields that Scrollback has no type for.
    #[serde(flatten)]
    extra: Fields<'m>,
}

#[derive(Serialize)]
struct Approval<'m> {
    id: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<bool>,
}

/// The fields of an object, in their order.
type Fields<'m> = IndexMap<Cow<'m, str>, &'m RawValue>;

/// The data of a part that marks the beginning of a step, as clients stored it before there were custom parts.
const STEP_START: &str = "{\"type\":\"step-start\"}";

/// The types of the AI SDK that are custom parts here.
const CUSTOM_TYPES: &[&str] = &["step-start", "custom", "reasoning-file", "steering-message"];

const TEXT_FIELDS: &[&str] = &["state", "citations", "providerMetadata"];
const REASONING_FIELDS: &[&str] = &["id", "state", "providerMetadata"];
const FILE_FIELDS: &[&str] = &["providerReference", "providerMetadata"];
const SOURCE_FIELDS: &[&str] = &["providerMetadata"];
const DATA_FIELDS: &[&str] = &["id"];
const TOOL_FIELDS: &[&str] = &[
    "title",
    "toolMetadata",
    "providerExecuted",
    "rawInput",
    "inputEncoding",
    "callProviderMetadata",
    "resultProviderMetadata",
    "approval",
    "preliminary",
    "dynamic",
];

impl<'m> UiPart<'m> {
    /// A text without further fields.
    pub(super) fn text(text: &'m str) -> Self {
        Self { r#type: "text".into(), text: Some(text), ..Self::default() }
    }

    /// The part, with those of its further fields that parts of its type have in the AI SDK.
    pub(super) fn of(part: &'m Part) -> Self {
        let extra = part.extra().map(fields).unwrap_or_default();
        let only = |names: &[&str], extra: Fields<'m>| -> Fields<'m> {
            extra.into_iter().filter(|(name, _)| names.contains(&&**name)).collect()
        };
        match part {
            Part::Text { text, .. } => Self { extra: only(TEXT_FIELDS, extra), ..Self::text(text) },
            Part::Reasoning { text, .. } => {
                let extra = only(REASONING_FIELDS, extra);
                Self { r#type: "reasoning".into(), extra, ..Self::text(text) }
            }
            Part::File { media_type, filename, url, .. } => Self {
                r#type: "file".into(),
                media_type: Some(media_type),
                filename: filename.as_deref(),
                url: Some(url),
                extra: only(FILE_FIELDS, extra),
                ..Self::default()
            },
            Part::Tool { tool_call_id, tool_name, state, input, output, error_text, .. } => {
                let is_dynamic = extra.get("type").is_some_and(|name| name.get() == "\"dynamic-tool\"");
                let extra = only(TOOL_FIELDS, extra);
                let tool = tool(*state, tool_call_id, (input.as_ref(), output.as_ref()));
                Self {
                    r#type: if is_dynamic {
                        "dynamic-tool".into()
                    } else {
                        format!("tool-{tool_name}").into()
                    },
                    tool_call_id: Some(tool_call_id),
                    tool_name: is_dynamic.then_some(tool_name),
                    // Only a part that failed may have one, and it must.
                    error_text: (*state == ToolState::OutputError)
                        .then(|| error_text.as_deref().unwrap_or_default()),
                    approval: tool.approval.filter(|_| !extra.contains_key("approval")),
                    extra,
                    ..tool
                }
            }
            Part::Source(Source::Url { source_id, url, title, .. }) => Self {
                r#type: "source-url".into(),
                source_id: Some(source_id),
                url: Some(url),
                title: title.as_deref(),
                extra: only(SOURCE_FIELDS, extra),
                ..Self::default()
            },
            Part::Source(Source::Document { source_id, media_type, title, filename, .. }) => Self {
                r#type: "source-document".into(),
                source_id: Some(source_id),
                media_type: Some(media_type),
                // It must have one.
                title: Some(title.as_deref().unwrap_or(source_id)),
                filename: filename.as_deref(),
                extra: only(SOURCE_FIELDS, extra),
                ..Self::default()
            },
            Part::Data { name, data, .. } if name == "step-start" && data.as_str() == STEP_START => {
                Self { r#type: "step-start".into(), ..Self::default() }
            }
            Part::Custom { kind, data, .. } if CUSTOM_TYPES.contains(&&**kind) => {
                let mut extra = fields(data);
                extra.shift_remove("type");
                Self { r#type: kind.into(), extra, ..Self::default() }
            }
            Part::Data { name: kind, data, .. } | Part::Custom { kind, data, .. } => Self {
                r#type: format!("data-{kind}").into(),
                data: Some(data),
                extra: only(DATA_FIELDS, extra),
                ..Self::default()
            },
        }
    }
}

/// The fields of an object. None of anything else.
fn fields(json: &Json) -> Fields<'_> {
    serde_json::from_str(json.as_str()).unwrap_or_default()
}

/// The fields that depend on the state, with those that the AI SDK requires in it.
fn tool<'m>(
    state: ToolState,
    id: &'m str,
    (input, output): (Option<&'m Json>, Option<&'m Json>),
) -> UiPart<'m> {
    let or_null = |json: Option<&'m Json>| {
        Some(json.map_or_else(|| Cow::Owned(Json::stored("null".to_owned())), Cow::Borrowed))
    };
    let given = |json: Option<&'m Json>| json.map(Cow::Borrowed);
    let part = |name, input, output| UiPart { state: Some(name), input, output, ..UiPart::default() };
    match state {
        ToolState::InputStreaming => part("input-streaming", given(input), None),
        ToolState::InputAvailable => part("input-available", or_null(input), None),
        ToolState::ApprovalRequested => UiPart {
            approval: Some(Approval { id, approved: None }),
            ..part("approval-requested", or_null(input), None)
        },
        ToolState::ApprovalResponded => UiPart {
            approval: Some(Approval { id, approved: Some(true) }),
            ..part("approval-responded", or_null(input), None)
        },
        ToolState::OutputAvailable => part("output-available", or_null(input), or_null(output)),
        ToolState::OutputError => part("output-error", given(input), None),
        ToolState::OutputDenied => UiPart {
            approval: Some(Approval { id, approved: Some(false) }),
            ..part("output-denied", or_null(input), None)
        },
    }
}
