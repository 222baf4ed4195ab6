//! A message of the AI SDK.

use super::{legacy, part};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::content_parts::content_parts;
use crate::import::formats::message_list::take_role;
use crate::import::formats::parts::{add_flat_text, data, file, take_media_type};
use crate::import::formats::token_counts::take_usage;
use crate::import::parsed::ParsedMessage;
use crate::model::{JsonObject, JsonValue, MessageStatus, Part, Role, TokenUsage};

/// `chat` is the id of the chat.
pub(super) fn message(mut fields: Fields, chat: Option<&str>) -> ParsedMessage {
    for name in ["chatId", "chat_id"] {
        if chat.is_some() && fields.get(name).and_then(JsonValue::as_str) == chat {
            fields.ignore(name);
        }
    }
    let role = take_role(&mut fields);
    let mut rest = BlockFields::default();
    let mut parts = Vec::new();
    let mut is_streaming = false;
    for (at, value) in take_parts(&mut fields).into_iter().enumerate() {
        is_streaming |= part::add(at, value, &mut parts);
    }
    legacy::add(&mut fields, &mut parts);
    add_content(&mut fields, &mut parts, &mut rest);
    add_attachments(&mut fields, &mut parts);
    let mut message = ParsedMessage::new(role.unwrap_or(Role::System), parts);
    if is_streaming && role == Some(Role::Assistant) {
        message.status = MessageStatus::Interrupted;
    }
    message.origin = fields.id("id");
    message.created_at = fields.time("createdAt").or_else(|| fields.time("created_at"));
    message.model = fields.id("model");
    take_metadata(&mut fields, &mut message);
    message.metadata = fields.rest();
    rest.put_into(&mut message.metadata, "parts");
    message
}

/// The parts. Some databases have them as a text.
fn take_parts(fields: &mut Fields) -> Vec<JsonValue> {
    if let Some(parts) = fields.array("parts") {
        return parts;
    }
    let text = fields.get("parts").and_then(JsonValue::as_str);
    match text.map(|text| JsonValue::read(text.as_bytes())) {
        Some(Ok(JsonValue::Array(parts))) => {
            fields.ignore("parts");
            parts
        }
        _ => Vec::new(),
    }
}

/// The text of version 4 is a copy of the parts, if there are any.
fn add_content(fields: &mut Fields, parts: &mut Vec<Part>, rest: &mut BlockFields) {
    if let Some(text) = fields.text("content") {
        return add_flat_text(fields, "content", text, parts);
    }
    let Some(content) = fields.value("content") else { return };
    if content.as_array().is_some() && !parts.is_empty() {
        fields.put("content", content);
        return;
    }
    parts.extend(content_parts(Format::UiMessage, content, rest));
}

/// `[{name, url, contentType}]`.
fn add_attachments(fields: &mut Fields, parts: &mut Vec<Part>) {
    let mut metadata = JsonObject::new();
    for name in ["attachments", "experimental_attachments"] {
        let mut rest = BlockFields::default();
        for (at, value) in fields.array(name).unwrap_or_default().into_iter().enumerate() {
            let original = value.clone();
            let found = Fields::of(value).and_then(|mut fields| Some((fields.id("url")?, fields)));
            match found {
                Some((url, mut fields)) => {
                    let media_type = take_media_type(&mut fields, &["contentType", "mediaType"]);
                    let filename = fields.text("name").or_else(|| fields.text("filename"));
                    parts.push(file(url, media_type, filename));
                    rest.add_fields(at, fields.rest());
                }
                None => parts.extend(data(Format::UiMessage, "attachment", original)),
            }
        }
        rest.put_into(&mut metadata, name);
    }
    metadata.into_iter().for_each(|(name, value)| fields.put(&name, value));
}

/// The metadata is that of the application. Many put the model, the time and the usage there.
fn take_metadata(fields: &mut Fields, message: &mut ParsedMessage) {
    for name in ["usage", "totalUsage"] {
        message.usage = message.usage.or_else(|| take_usage_of(fields, name));
    }
    let Some(mut metadata) = fields.object("metadata") else { return };
    if message.model.is_none() {
        message.model = metadata.id("model").or_else(|| metadata.id("modelId"));
    }
    if message.created_at.is_none() {
        message.created_at = metadata.time("createdAt");
    }
    for name in ["usage", "totalUsage"] {
        message.usage = message.usage.or_else(|| take_usage_of(&mut metadata, name));
    }
    fields.put("metadata", JsonValue::Object(metadata.rest()));
}

fn take_usage_of(fields: &mut Fields, name: &str) -> Option<TokenUsage> {
    let mut counts = fields.object(name)?;
    let usage = take_usage(&mut counts);
    fields.put(name, JsonValue::Object(counts.rest()));
    usage
}
