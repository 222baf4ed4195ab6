//! A message of LibreChat.

use super::{content, files};
use crate::import::fields::Fields;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::add_flat_text;
use crate::import::formats::token_counts::take_count;
use crate::import::parsed::ParsedMessage;
use crate::model::{Feedback, JsonValue, MessageStatus, Part, Rating, Role, Timestamp, TokenUsage};

/// Flags that say nothing where they are false.
const FLAGS: [&str; 5] = ["error", "unfinished", "isEdited", "isTemporary", "cancelled"];

/// `conversation` is the id of the conversation.
pub(super) fn message(mut fields: Fields, conversation: &str) -> ParsedMessage {
    for name in ["_id", "__v", "user"] {
        fields.id(name);
    }
    fields.boolean("_meiliIndex");
    if fields.get("conversationId").and_then(JsonValue::as_str) == Some(conversation) {
        fields.ignore("conversationId");
    }
    let role = role(&mut fields);
    let mut rest = BlockFields::default();
    let mut parts = Vec::new();
    let mut has_failed = fields.get("error") == Some(&JsonValue::Boolean(true));
    match fields.value("content") {
        Some(JsonValue::Array(items)) => {
            for (at, item) in items.into_iter().enumerate() {
                has_failed |= content::add(at, item, &mut parts, &mut rest);
            }
        }
        Some(JsonValue::String(text)) => parts.push(Part::text(text)),
        Some(other) => fields.put("content", other),
        None => {}
    }
    // The flat text is a copy of the content, if there is one.
    if let Some(text) = fields.text("text") {
        add_flat_text(&mut fields, "text", text, &mut parts);
    }
    files::add(&mut fields, &mut parts);
    let mut message = ParsedMessage::new(role, parts);
    message.status = status(&fields, has_failed);
    for name in FLAGS {
        if fields.get(name) == Some(&JsonValue::Boolean(false)) {
            fields.ignore(name);
        }
    }
    message.created_at = fields.time("createdAt");
    fields.ignore_time("updatedAt", message.created_at);
    message.model = fields.id("model");
    if role == Role::Assistant {
        let (input, output) =
            (take_count(&mut fields, "promptTokens"), take_count(&mut fields, "tokenCount"));
        let usage = TokenUsage { input_tokens: input, output_tokens: output, ..TokenUsage::default() };
        message.usage = (usage != TokenUsage::default()).then_some(usage);
    }
    message.feedback = feedback(&mut fields);
    message.metadata = fields.rest();
    rest.put_into(&mut message.metadata, "content");
    message
}

/// Users are marked. The name of the sender tells it, too, where the mark is missing.
fn role(fields: &mut Fields) -> Role {
    let sender = fields.get("sender").and_then(JsonValue::as_str).map(str::to_ascii_lowercase);
    let role = match (fields.boolean("isCreatedByUser"), sender.as_deref()) {
        (Some(true), _) | (None, Some("user" | "you" | "human")) => Role::User,
        (None, Some("system")) | (None, None | Some("")) => Role::System,
        (Some(false), Some("system")) => Role::System,
        (Some(false) | None, _) => Role::Assistant,
    };
    if role == Role::User && sender.as_deref() == Some("user") {
        fields.ignore("sender");
    }
    role
}

fn status(fields: &Fields, has_failed: bool) -> MessageStatus {
    let is_set = |name: &str| fields.get(name) == Some(&JsonValue::Boolean(true));
    let reason = fields.get("finish_reason").and_then(JsonValue::as_str);
    match reason {
        _ if has_failed => MessageStatus::Failed,
        Some("error") => MessageStatus::Failed,
        _ if is_set("unfinished") || is_set("cancelled") => MessageStatus::Interrupted,
        Some("length" | "max_tokens" | "incomplete" | "content_filter") => MessageStatus::Interrupted,
        _ => MessageStatus::Complete,
    }
}

/// `{rating: thumbsUp | thumbsDown, tag: a key or an object with it, text}`.
fn feedback(fields: &mut Fields) -> Option<Feedback> {
    let mut found = fields.object("feedback")?;
    let rating = match found.get("rating").and_then(JsonValue::as_str) {
        Some("thumbsUp") => Some(Rating::Up),
        Some("thumbsDown") => Some(Rating::Down),
        _ => None,
    };
    if rating.is_some() {
        found.ignore("rating");
    }
    let tag = found.id("tag").or_else(|| {
        let mut tag = found.object("tag")?;
        let key = tag.id("key");
        found.put("tag", tag.into_value());
        key
    });
    let comment = found.text("text");
    let feedback = Feedback { rating, tags: tag.into_iter().collect(), comment, updated_at: Timestamp(0) };
    fields.put("feedback", JsonValue::Object(found.rest()));
    let says_something = rating.is_some()
        || !feedback.tags.is_empty()
        || feedback.comment.as_ref().is_some_and(|comment| !comment.is_empty());
    says_something.then_some(feedback)
}
