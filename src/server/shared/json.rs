//! A share as JSON.

use serde::Serialize;

use crate::model::{Json, Parts, Role, SharedConversation, SharedMessage, Timestamp};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'d> {
    title: Option<&'d str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    messages: Vec<Message<'d>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'d> {
    role: Role,
    content: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<&'d Parts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'d Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'d str>,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct Fault<'f> {
    error: &'f str,
}

/// The share.
pub(super) fn document(shared: &SharedConversation) -> String {
    text(&Document {
        title: shared.share.title.as_deref(),
        created_at: shared.share.created_at,
        expires_at: shared.share.expires_at,
        messages: shared.messages.iter().map(Message::from).collect(),
    })
}

/// The reason why there is none.
pub(super) fn error(reason: &str) -> String {
    text(&Fault { error: reason })
}

fn text(value: &impl Serialize) -> String {
    // Texts, times and stored JSON always have a form in JSON.
    serde_json::to_string(value).unwrap_or_default()
}

impl<'d> From<&'d SharedMessage> for Message<'d> {
    fn from(message: &'d SharedMessage) -> Self {
        Self {
            role: message.role,
            content: &message.content,
            parts: message.parts.as_ref(),
            metadata: message.metadata.as_ref(),
            model: message.model.as_deref(),
            created_at: message.created_at,
        }
    }
}
