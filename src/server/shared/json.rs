//! A share as JSON.

use serde::Serialize;

use super::file_path::file_path;
use crate::model::{Json, Part, Parts, Role, SharedConversation, SharedMessage, Timestamp};

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
    parts: Option<Vec<Part>>,
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
pub(super) fn document(shared: &SharedConversation, secret: &str) -> String {
    text(&Document {
        title: shared.share.title.as_deref(),
        created_at: shared.share.created_at,
        expires_at: shared.share.expires_at,
        messages: shared.messages.iter().map(|message| Message::of(message, secret)).collect(),
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

/// The parts, with paths on this server instead of ids of attachments.
fn with_paths(parts: &Parts, secret: &str) -> Vec<Part> {
    let mut parts = parts.as_slice().to_vec();
    for part in &mut parts {
        if let Part::File { url, .. } = part
            && let Some(path) = file_path(secret, url)
        {
            *url = path;
        }
    }
    parts
}

impl<'d> Message<'d> {
    fn of(message: &'d SharedMessage, secret: &str) -> Self {
        Self {
            role: message.role,
            content: &message.content,
            parts: message.parts.as_ref().map(|parts| with_paths(parts, secret)),
            metadata: message.metadata.as_ref(),
            model: message.model.as_deref(),
            created_at: message.created_at,
        }
    }
}
