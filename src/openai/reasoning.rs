//! Reasoning as reasoning parts.

use super::json::{object, read_fields, set_default, stored_fields, text};
use crate::model::{Invalid, JsonObject, JsonValue, Part};

const SUMMARY: &str = "summary_text";
const CONTENT: &str = "reasoning_text";

/// Whether a value is an entry of the summary of reasoning.
pub(super) fn is_summary(value: &JsonValue) -> bool {
    let fields = value.as_object().filter(|fields| text(fields, "type") == Some(SUMMARY));
    fields.is_some_and(|fields| text(fields, "text").is_some())
}

/// The parts that store an item, and its other fields. `None`: parts cannot store it.
pub(super) fn parts(argument: &str, item: &JsonObject) -> Result<Option<(Vec<Part>, JsonObject)>, Invalid> {
    let mut rest = item.clone();
    let mut parts = Vec::new();
    for (field, kind) in [("summary", SUMMARY), ("content", CONTENT)] {
        let Some(JsonValue::Array(entries)) = item.get(field) else { continue };
        for entry in entries {
            let fields = entry.as_object().filter(|fields| text(fields, "type") == Some(kind));
            let Some(text) = fields.and_then(|fields| text(fields, "text")) else { return Ok(None) };
            let is_default = kind == SUMMARY;
            let extra = if is_default { JsonObject::new() } else { object([("type", kind.into())]) };
            parts.push(Part::Reasoning { text: text.to_owned(), extra: stored_fields(argument, extra)? });
        }
        if field == "summary" || !entries.is_empty() {
            rest.shift_remove(field);
        }
    }
    rest.shift_remove("type");
    Ok((!parts.is_empty()).then_some((parts, rest)))
}

/// The item of reasoning parts, with its other fields.
pub(super) fn of_parts<'p>(parts: impl Iterator<Item = &'p Part>, other: JsonObject) -> JsonObject {
    let (mut summary, mut content) = (Vec::new(), Vec::new());
    for part in parts {
        let Part::Reasoning { text: value, extra } = part else { continue };
        let is_content = text(&read_fields(extra.as_ref()), "type") == Some(CONTENT);
        let kind = if is_content { CONTENT } else { SUMMARY };
        let entry = JsonValue::Object(object([("type", kind.into()), ("text", value.as_str().into())]));
        if is_content { content.push(entry) } else { summary.push(entry) }
    }
    let mut item = object([("type", "reasoning".into()), ("summary", JsonValue::Array(summary))]);
    if !content.is_empty() {
        item.insert("content".to_owned(), JsonValue::Array(content));
    }
    for (name, value) in other {
        set_default(&mut item, &name, value);
    }
    item
}
