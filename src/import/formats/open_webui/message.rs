//! A message of Open WebUI.

use super::{content, files};
use crate::import::fields::Fields;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::message_list::take_role;
use crate::import::formats::parts::is_copy;
use crate::import::formats::token_counts::take_usage;
use crate::import::parsed::ParsedMessage;
use crate::model::{Feedback, JsonValue, MessageStatus, Rating, Role, Timestamp, TokenUsage};

pub(super) fn message(mut fields: Fields) -> ParsedMessage {
    // Children name their parents.
    let children = fields.get("childrenIds").and_then(JsonValue::as_array).unwrap_or_default();
    if children.iter().all(|id| id.as_str().is_some()) {
        fields.array("childrenIds");
    }
    let role = take_role(&mut fields);
    let role = role.unwrap_or(Role::System);
    let mut rest = BlockFields::default();
    let (mut parts, name_of_rest) = content::take(&mut fields, role, &mut rest);
    // The last sentence that was read aloud.
    if let Some(text) = fields.text("lastSentence").filter(|text| !is_copy(text, &parts)) {
        fields.put("lastSentence", JsonValue::from(text));
    }
    files::add(&mut fields, &mut parts);
    files::add_sources(&fields, &mut parts);
    let mut message = ParsedMessage::new(role, parts);
    if role == Role::Assistant {
        message.status = status(&mut fields);
    }
    message.model = fields.id("model");
    message.created_at = fields.time("timestamp");
    message.usage = usage(&mut fields);
    message.feedback = feedback(&mut fields);
    message.metadata = fields.rest();
    rest.put_into(&mut message.metadata, name_of_rest);
    message
}

/// An error is a text, an object, or `true` where the content is the text of the error.
fn status(fields: &mut Fields) -> MessageStatus {
    let done = fields.boolean("done");
    let has_failed = match fields.get("error") {
        None | Some(JsonValue::Null) => false,
        Some(JsonValue::Boolean(false)) => {
            fields.ignore("error");
            false
        }
        Some(JsonValue::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    match (has_failed, done) {
        (true, _) => MessageStatus::Failed,
        (false, Some(false)) => MessageStatus::Interrupted,
        (false, _) => MessageStatus::Complete,
    }
}

/// Counts are in `usage`, in older versions in `info` or `info.usage`.
fn usage(fields: &mut Fields) -> Option<TokenUsage> {
    let mut usage = None;
    if let Some(mut counts) = fields.object("usage") {
        usage = take_usage(&mut counts);
        fields.put("usage", JsonValue::Object(counts.rest()));
    }
    if let Some(mut info) = fields.object("info") {
        if let Some(mut counts) = info.object("usage") {
            usage = usage.or_else(|| take_usage(&mut counts));
            info.put("usage", JsonValue::Object(counts.rest()));
        }
        usage = usage.or_else(|| take_usage(&mut info));
        fields.put("info", JsonValue::Object(info.rest()));
    }
    usage
}

/// `annotation: {rating: 1 | -1, reason, comment, tags}`. A reason becomes a tag.
fn feedback(fields: &mut Fields) -> Option<Feedback> {
    let mut found = fields.object("annotation")?;
    let rating = match found.number("rating") {
        Some(rating) if rating > 0.0 => Some(Rating::Up),
        Some(rating) if rating < 0.0 => Some(Rating::Down),
        _ => None,
    };
    let mut tags: Vec<String> =
        found.text("reason").filter(|reason| !reason.is_empty()).into_iter().collect();
    for tag in take_tags(&mut found, "tags") {
        if !tag.is_empty() && !tags.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            tags.push(tag);
        }
    }
    let comment = found.text("comment").filter(|comment| !comment.is_empty());
    fields.put("annotation", JsonValue::Object(found.rest()));
    let says_something = rating.is_some() || !tags.is_empty() || comment.is_some();
    says_something.then_some(Feedback { rating, tags, comment, updated_at: Timestamp(0) })
}

/// Tags are texts, or objects with a `name`.
pub(super) fn take_tags(fields: &mut Fields, name: &str) -> Vec<String> {
    let Some(found) = fields.array(name) else { return Vec::new() };
    let mut tags = Vec::new();
    let mut others = Vec::new();
    for tag in found {
        let text = tag.as_str().or_else(|| tag.as_object()?.get("name")?.as_str()).map(str::to_owned);
        match text {
            Some(text) => tags.push(text),
            None => others.push(tag),
        }
    }
    fields.put(name, JsonValue::Array(others));
    tags
}
