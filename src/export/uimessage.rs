//! Messages of the AI SDK (`UIMessage`): a line for each conversation, with the messages of its active branch.
//!
//! The parts correspond as in `tests/clients/convert.mjs`. Every message is valid for `validateUIMessages`.

use std::borrow::Cow;

use serde::Serialize;

use super::error::ExportError;
use super::json_lines::{CONVERSATIONS, JsonLine};
use super::output::{ExportOutput, OutputBuffer};
use crate::model::{
    Conversation, ConversationId, ExportEnd, ExportedMessage, Json, Label, MessageId, Part, Role, Source,
    Timestamp, TokenUsage, ToolState,
};
use crate::store::ExportSnapshot;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'c> {
    id: ConversationId,
    title: Option<&'c str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    archived_at: Option<Timestamp>,
    trashed_at: Option<Timestamp>,
    labels: Vec<&'c str>,
    metadata: &'c Json,
}

/// A message. The AI SDK ignores the fields that it does not know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UiMessage<'m> {
    id: MessageId,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'m Json>,
    parts: Vec<UiPart<'m>>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'m TokenUsage>,
}

/// A part. Each type has some of the fields.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct UiPart<'m> {
    r#type: Cow<'static, str>,
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
}

#[derive(Serialize)]
struct Approval<'m> {
    id: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<bool>,
}

/// The data of a part that marks the beginning of a step.
const STEP_START: &str = "{\"type\":\"step-start\"}";

/// Writes a line for each conversation.
pub(super) async fn write<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    output: &mut OutputBuffer<'_, O>,
) -> Result<ExportEnd, ExportError> {
    let mut end = ExportEnd::default();
    for ids in snapshot.conversation_ids().chunks(CONVERSATIONS) {
        for conversation in snapshot.conversations(ids).await? {
            let mut line = JsonLine::new(output, &head(&conversation))?;
            let mut pages = snapshot.active_messages(&conversation).await?;
            while let Some(page) = pages.next().await? {
                for message in page.iter().filter(|message| message.deleted_at.is_none()) {
                    line.add(&ui_message(message)).await?;
                    end.messages += 1;
                }
            }
            line.end_always().await?;
            end.conversations += 1;
        }
    }
    Ok(end)
}

fn head(conversation: &Conversation) -> Head<'_> {
    Head {
        id: conversation.id,
        title: conversation.title.as_deref(),
        created_at: conversation.created_at,
        updated_at: conversation.updated_at,
        archived_at: conversation.archived_at,
        trashed_at: conversation.trashed_at,
        labels: conversation.labels.iter().map(Label::as_str).collect(),
        metadata: &conversation.metadata,
    }
}

fn ui_message(message: &ExportedMessage) -> UiMessage<'_> {
    UiMessage {
        id: message.id,
        role: match message.role {
            Role::User => "user",
            // The results of tools are parts of the assistant's messages.
            Role::Assistant | Role::Tool => "assistant",
            Role::System => "system",
        },
        metadata: Some(&message.metadata).filter(|metadata| metadata.as_str() != "{}"),
        parts: match &message.parts {
            Some(parts) => parts.as_slice().iter().map(ui_part).collect(),
            None => vec![text("text", &message.content)],
        },
        created_at: message.created_at,
        model: message.model.as_deref(),
        usage: message.usage.as_ref(),
    }
}

fn text<'m>(kind: &'static str, text: &'m str) -> UiPart<'m> {
    UiPart { r#type: kind.into(), text: Some(text), ..UiPart::default() }
}

fn ui_part(part: &Part) -> UiPart<'_> {
    match part {
        Part::Text { text: content } => text("text", content),
        Part::Reasoning { text: content } => text("reasoning", content),
        Part::File { media_type, filename, url } => UiPart {
            r#type: "file".into(),
            media_type: Some(media_type),
            filename: filename.as_deref(),
            url: Some(url),
            ..UiPart::default()
        },
        Part::Tool { tool_call_id, tool_name, state, input, output, error_text } => UiPart {
            r#type: format!("tool-{tool_name}").into(),
            tool_call_id: Some(tool_call_id),
            // Only a part that failed may have one, and it must.
            error_text: (*state == ToolState::OutputError).then(|| error_text.as_deref().unwrap_or_default()),
            ..tool(*state, tool_call_id, (input.as_ref(), output.as_ref()))
        },
        Part::Source(Source::Url { source_id, url, title }) => UiPart {
            r#type: "source-url".into(),
            source_id: Some(source_id),
            url: Some(url),
            title: title.as_deref(),
            ..UiPart::default()
        },
        Part::Source(Source::Document { source_id, media_type, title, filename }) => UiPart {
            r#type: "source-document".into(),
            source_id: Some(source_id),
            media_type: Some(media_type),
            // It must have one.
            title: Some(title.as_deref().unwrap_or(source_id)),
            filename: filename.as_deref(),
            ..UiPart::default()
        },
        // A part that has no data: clients store it by its name.
        Part::Data { name, data } if name == "step-start" && data.as_str() == STEP_START => {
            UiPart { r#type: "step-start".into(), ..UiPart::default() }
        }
        Part::Data { name, data } => {
            UiPart { r#type: format!("data-{name}").into(), data: Some(data), ..UiPart::default() }
        }
    }
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
        ToolState::OutputAvailable => part("output-available", or_null(input), or_null(output)),
        ToolState::OutputError => part("output-error", given(input), None),
        ToolState::OutputDenied => UiPart {
            approval: Some(Approval { id, approved: Some(false) }),
            ..part("output-denied", or_null(input), None)
        },
    }
}
