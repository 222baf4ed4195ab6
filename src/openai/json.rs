//! Building and reading JSON values.

use crate::model::{Invalid, Json, JsonObject, JsonValue, MAX_MESSAGE_BYTES};

/// An object with these fields.
pub(super) fn object<const N: usize>(fields: [(&str, JsonValue); N]) -> JsonObject {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The text of a field.
pub(super) fn text<'o>(fields: &'o JsonObject, name: &str) -> Option<&'o str> {
    fields.get(name).and_then(JsonValue::as_str)
}

/// Removes a field if it has this text.
pub(super) fn drop_default(fields: &mut JsonObject, name: &str, default: &str) {
    if text(fields, name) == Some(default) {
        fields.shift_remove(name);
    }
}

/// Sets a field if it is missing.
pub(super) fn set_default(fields: &mut JsonObject, name: &str, value: JsonValue) {
    fields.entry(name.to_owned()).or_insert(value);
}

/// The value as it is stored.
pub(super) fn stored(argument: &str, value: &JsonValue) -> Result<Json, Invalid> {
    Json::within(argument, value.to_string(), MAX_MESSAGE_BYTES)
}

/// The field of metadata and of `extra` with what belongs to OpenAI.
pub(super) const FIELD: &str = "openai";

/// Fields as `extra` of a part or the metadata of a message has them: in an object of their own, so that they are not taken
/// for those of another SDK. `None` if there are none.
pub(super) fn stored_fields(argument: &str, fields: JsonObject) -> Result<Option<Json>, Invalid> {
    if fields.is_empty() {
        return Ok(None);
    }
    stored(argument, &JsonValue::Object(object([(FIELD, JsonValue::Object(fields))]))).map(Some)
}

/// The fields that [`stored_fields`] has stored.
pub(super) fn read_fields(json: Option<&Json>) -> JsonObject {
    let has_some = json.is_some_and(|json| json.as_str().contains("\"openai\""));
    let Some(JsonValue::Object(mut fields)) = json.filter(|_| has_some).map(read) else {
        return JsonObject::new();
    };
    match fields.shift_remove(FIELD) {
        Some(JsonValue::Object(fields)) => fields,
        _ => JsonObject::new(),
    }
}

/// A stored value. What was stored is JSON.
pub(super) fn read(json: &Json) -> JsonValue {
    JsonValue::read(json.as_str().as_bytes()).unwrap_or(JsonValue::Null)
}
