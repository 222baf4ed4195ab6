//! Messages of the AI SDK (`UIMessage`): a line for each conversation, with the messages of its active branch.
//!
//! The parts correspond as in `docs/ai-sdk.md`. Every message is valid for `validateUIMessages`.

mod part;

use serde::Serialize;

use super::error::ExportError;
use super::json_lines::{CONVERSATIONS, JsonLine};
use super::output::{ExportOutput, OutputBuffer};
use crate::model::{
    Conversation, ConversationId, ExportEnd, ExportedMessage, Json, Label, MessageId, Role, Timestamp,
    TokenUsage,
};
use crate::store::ExportSnapshot;
use part::UiPart;

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
            Some(parts) => parts.as_slice().iter().map(UiPart::of).collect(),
            None => vec![UiPart::text(&message.content)],
        },
        created_at: message.created_at,
        model: message.model.as_deref(),
        usage: message.usage.as_ref(),
    }
}
