//! Samples for tests of parsers, and readable forms of what becomes of them.

use crate::import::format::Format;
use crate::import::parsed::ParsedConversation;
use crate::model::{JsonObject, JsonValue, MessageStatus};

/// The most entries of a file. They are checked one by one.
const MAX_ENTRIES: usize = 40;

/// Parses JSON.
pub(super) fn value(text: &str) -> JsonValue {
    JsonValue::read(text.as_bytes()).unwrap()
}

/// The only conversation of an entry.
pub(super) fn parse(format: Format, entry: &str) -> ParsedConversation {
    let mut parsed = crate::import::formats::parse(format, value(entry));
    assert_eq!(parsed.len(), 1);
    parsed.remove(0).unwrap()
}

/// The reason why an entry is rejected.
pub(super) fn rejection(format: Format, entry: &str) -> String {
    crate::import::formats::parse(format, value(entry)).remove(0).unwrap_err().reason
}

/// Each message in a line: id, the id of its parent, role, status and parts.
pub(super) fn outline(found: &ParsedConversation) -> Vec<String> {
    let id = |at: usize| found.messages[at].origin.clone().unwrap_or_else(|| format!("#{at}"));
    let line = |(at, message): (usize, &crate::import::parsed::ParsedMessage)| {
        let parent = message.parent.map_or_else(|| "-".to_owned(), id);
        let status = match message.status {
            MessageStatus::Complete => String::new(),
            other => format!(" {other:?}"),
        };
        let parts = serde_json::to_string(&message.parts).unwrap();
        format!("{} < {parent} {:?}{status} {parts}", id(at), message.role)
    };
    found.messages.iter().enumerate().map(line).collect()
}

/// The metadata of a message as JSON.
pub(super) fn metadata(found: &ParsedConversation, at: usize) -> String {
    object(&found.messages[at].metadata)
}

/// An object as JSON.
pub(super) fn object(fields: &JsonObject) -> String {
    JsonValue::Object(fields.clone()).to_string()
}

/// What was left out, without counts.
pub(super) fn dropped(found: &ParsedConversation) -> Vec<String> {
    found.dropped.iter().map(|(what, why, _)| format!("{what}: {why}")).collect()
}

/// The entries of a file of samples, and the first ones of the whole file where it lies beside the checkout.
pub(super) fn files(sample: &str, whole: &str) -> Vec<JsonValue> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut entries = Vec::new();
    for path in [root.join("tests/data").join(sample), root.join("../shared/data").join(whole)] {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let found = match JsonValue::read(text.as_bytes()) {
            Ok(JsonValue::Array(found)) => found,
            Ok(found) => vec![found],
            Err(_) => text.lines().filter(|line| !line.is_empty()).map(value).collect(),
        };
        entries.extend(found.into_iter().take(MAX_ENTRIES));
    }
    assert!(!entries.is_empty());
    entries
}
