//! Detects the format of a document from the keys of its first entries.

use super::format::Format;
use crate::model::{JsonObject, JsonValue};

/// The format of an entry. `None`: it has none of a conversation.
pub(super) fn format_of(entry: &JsonValue) -> Option<Format> {
    match entry {
        JsonValue::Object(fields) => of_object(fields),
        // Messages that follow one another, or the chats of an early Chatbot UI.
        JsonValue::Array(items) => match of_object(items.first()?.as_object()?) {
            Some(format @ (Format::UiMessage | Format::ChatbotUi)) => Some(format),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the entry is a message alone. Those that follow one another in a document are conversations together.
pub(super) fn is_bare_message(entry: &JsonValue) -> bool {
    entry.as_object().is_some_and(|fields| {
        fields.contains_key("role") && (fields.contains_key("parts") || fields.contains_key("content"))
    })
}

fn of_object(fields: &JsonObject) -> Option<Format> {
    let has = |name: &str| fields.contains_key(name);
    let object = |name: &str| fields.get(name).and_then(JsonValue::as_object);
    let array = |name: &str| fields.get(name).and_then(JsonValue::as_array);
    // Of no item it is not known what it is, so it is what it could be.
    let items = |name: &str, is_one: &dyn Fn(&JsonObject) -> bool| {
        array(name).is_some_and(|items| {
            items.is_empty() || items.iter().filter_map(JsonValue::as_object).take(20).any(is_one)
        })
    };
    let either = |keys: &'static [&'static str]| {
        move |item: &JsonObject| keys.iter().any(|key| item.contains_key(*key))
    };
    if object("header")
        .is_some_and(|header| header.get("format").and_then(JsonValue::as_str) == Some("scrollback"))
    {
        return Some(Format::Scrollback);
    }
    if object("mapping").is_some() {
        return Some(Format::ChatGpt);
    }
    if has("chat_messages") {
        return Some(Format::Claude);
    }
    if has("message_tree_id") && has("prompt") {
        return Some(Format::OpenAssistant);
    }
    if has("messagesTree")
        || (has("conversationId") && items("messages", &either(&["messageId", "isCreatedByUser"])))
    {
        return Some(Format::LibreChat);
    }
    let is_chat = |chat: &JsonObject| chat.contains_key("history") || chat.contains_key("messages");
    if object("chat").is_some_and(is_chat)
        || object("history").is_some_and(|history| history.contains_key("messages"))
    {
        return Some(Format::OpenWebUi);
    }
    if has("version") && array("history").is_some() {
        return Some(Format::ChatbotUi);
    }
    let is_turn = |turn: &JsonObject| {
        turn.contains_key("from") && (turn.contains_key("value") || turn.contains_key("text"))
    };
    if ["conversations", "items", "conversation"].iter().any(|name| items(name, &is_turn)) {
        return Some(Format::ShareGpt);
    }
    if array("messages").is_some_and(|messages| !messages.is_empty())
        && items("messages", &either(&["parts"]))
    {
        return Some(Format::UiMessage);
    }
    if object("model").is_some() && has("name") && array("messages").is_some() {
        return Some(Format::ChatbotUi);
    }
    if items("messages", &either(&["role"])) {
        return Some(Format::OpenAi);
    }
    (has("role") && (has("parts") || has("content"))).then_some(Format::UiMessage)
}

/// What a document seems to be that cannot be imported, and what to do.
pub(super) fn advice(start: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 8] = [
        (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard: unpack it first"),
        (b"\xfd7zXZ", "is compressed with xz: unpack it first"),
        (b"BZh", "is compressed with bzip2: unpack it first"),
        (b"7z\xbc\xaf", "is a 7-Zip archive: unpack it first"),
        (b"SQLite format 3\0", "is an SQLite database, which Scrollback cannot import"),
        (b"%PDF-", "is a PDF, which Scrollback cannot import"),
        (b"PAR1", "is a Parquet file, which Scrollback cannot import"),
        (b"ARROW1", "is an Arrow file, which Scrollback cannot import"),
    ];
    if let Some((_, advice)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return advice;
    }
    let text = start.trim_ascii();
    if text.is_empty() {
        return "is empty: nothing can be imported from it";
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return "has no conversations in a format that Scrollback can import";
    }
    let text = String::from_utf8_lossy(text).to_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return "is an HTML page: use the JSON file of the same export";
    }
    // The last character may be incomplete.
    if text.trim_end_matches('\u{fffd}').contains(['\0', '\u{fffd}']) {
        "is a binary file, which Scrollback cannot import"
    } else {
        "is plain text, which Scrollback cannot import"
    }
}

#[cfg(test)]
mod tests;
