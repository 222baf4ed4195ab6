//! Exports of Chatbot UI.
//!
//! `{version, history: [{id, name, messages: [{role, content}], model, prompt, folderId}], folders: [{id, name}], prompts}`.
//! The first version had only the conversations.

use super::block_fields::BlockFields;
use super::content_parts::content_parts;
use super::message_list::{content_id, line, take_model};
use super::parts::broken_message;
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::Parsed;
use crate::import::parsed::{Dropped, ParsedConversation, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{JsonObject, JsonValue, Role};

pub(super) fn parse(entry: JsonValue) -> Parsed {
    match entry {
        JsonValue::Array(entries) => {
            entries.into_iter().map(|entry| conversation(entry, &Folders::default())).collect()
        }
        JsonValue::Object(ref fields)
            if fields.contains_key("history") || !fields.contains_key("messages") =>
        {
            export(entry)
        }
        entry => vec![conversation(entry, &Folders::default())],
    }
}

/// The names of folders, by their ids.
type Folders = Vec<(String, String)>;

fn export(entry: JsonValue) -> Parsed {
    let Some(mut fields) = Fields::of(entry) else { return vec![Err("it is not an object".into())] };
    let history = match fields.value("history") {
        Some(JsonValue::Array(history)) => history,
        // Exports of an empty browser.
        None if fields.get("history").is_some() => Vec::new(),
        _ => return vec![Err("it has no `history`".into())],
    };
    let mut dropped = Dropped::default();
    let mut folders = Folders::new();
    for folder in fields.array("folders").unwrap_or_default() {
        let Some(mut folder) = Fields::of(folder) else {
            dropped.add("folder", "it is not an object");
            continue;
        };
        folders.extend(folder.id("id").zip(folder.text("name")));
    }
    for _ in fields.array("prompts").unwrap_or_default() {
        dropped.add("prompt", "Scrollback stores conversations only");
    }
    fields.number("version");
    for (name, _) in fields.rest() {
        dropped.add(format!("export {name}"), "Scrollback stores conversations only");
    }
    let mut parsed: Parsed = history.into_iter().map(|entry| conversation(entry, &folders)).collect();
    // What belongs to no conversation is reported with the first.
    if let Some(Ok(first)) = parsed.iter_mut().find(|found| found.is_ok()) {
        first.dropped.extend(&dropped);
    }
    parsed
}

fn conversation(entry: JsonValue, folders: &Folders) -> Result<ParsedConversation, Rejection> {
    let mut fields = Fields::of(entry).ok_or("it is not an object")?;
    let found = fields.array("messages").ok_or("it has no `messages`")?;
    let origin = fields.id("id").unwrap_or_else(|| content_id(&found, &["role", "content"]));
    let mut dropped = Dropped::default();
    let messages = found.into_iter().map(|value| match value {
        JsonValue::Object(_) => Fields::of(value).map(message),
        broken => broken_message(Format::ChatbotUi, broken, &mut dropped),
    });
    let (mut messages, head) = line(messages.collect());
    flatten_model(&mut fields);
    take_model(&mut fields, &mut messages);
    let folder = fields.get("folderId").and_then(|id| match id {
        JsonValue::String(id) => Some(id.clone()),
        JsonValue::Number(id) => Some(id.as_str().to_owned()),
        _ => None,
    });
    let label = folders.iter().find(|(id, _)| folder.as_ref() == Some(id)).map(|(_, name)| name.clone());
    if label.is_some() {
        fields.ignore("folderId");
    }
    Ok(ParsedConversation {
        origin,
        title: fields.text("name"),
        created_at: fields.time("createdAt"),
        updated_at: fields.time("updatedAt"),
        labels: label.into_iter().collect(),
        metadata: fields.rest(),
        messages,
        head,
        dropped,
        ..ParsedConversation::default()
    })
}

/// The model is an object, or only its id. The other fields of the object become `modelInfo`.
fn flatten_model(fields: &mut Fields) {
    let Some(mut model) = fields.object("model") else { return };
    match model.id("id") {
        Some(id) => {
            fields.put("model", JsonValue::from(id));
            fields.put("modelInfo", JsonValue::Object(model.rest()));
        }
        None => fields.put("model", model.into_value()),
    }
}

fn message(mut fields: Fields) -> ParsedMessage {
    let role = match fields.get("role").and_then(JsonValue::as_str) {
        Some("user") => Some(Role::User),
        Some("assistant") => Some(Role::Assistant),
        Some("system") => Some(Role::System),
        _ => None,
    };
    if role.is_some() {
        fields.ignore("role");
    }
    let mut rest = BlockFields::default();
    let content = fields.value("content");
    let parts = content.into_iter().flat_map(|content| content_parts(Format::ChatbotUi, content, &mut rest));
    let mut message = ParsedMessage::new(role.unwrap_or(Role::System), parts.collect());
    message.origin = fields.id("id");
    let mut metadata: JsonObject = fields.rest();
    rest.put_into(&mut metadata, "content");
    message.metadata = metadata;
    message
}

#[cfg(test)]
mod tests;
