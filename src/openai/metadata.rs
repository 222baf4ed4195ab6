//! The metadata of a conversation. That of OpenAI is the field `openai` of Scrollback's, so the two do not overwrite each
//! other: `{"tenant": 7, "openai": {"topic": "demo"}}`.

use super::json::{FIELD, read, read_fields};
use crate::model::{Invalid, Json, JsonObject, JsonValue};

/// The most pairs.
pub const MAX_PAIRS: usize = 16;

/// The longest key, in characters.
const MAX_KEY: usize = 64;

/// The longest value, in characters.
const MAX_VALUE: usize = 512;

/// Checks the metadata of a request. `null` is none.
///
/// # Errors
/// It is not an object of at most 16 strings, or one of these or its key is too long.
pub fn parse(argument: &str, value: Option<JsonValue>) -> Result<JsonObject, Invalid> {
    let pairs = match value {
        None | Some(JsonValue::Null) => return Ok(JsonObject::new()),
        Some(JsonValue::Object(pairs)) => pairs,
        Some(_) => return Err(Invalid::new(argument, "must be an object of strings")),
    };
    if pairs.len() > MAX_PAIRS {
        return Err(Invalid::new(
            argument,
            format!("must have at most {MAX_PAIRS} pairs, has {}", pairs.len()),
        ));
    }
    for (key, value) in &pairs {
        if key.chars().count() > MAX_KEY {
            return Err(Invalid::new(argument, format!("must have keys of at most {MAX_KEY} characters")));
        }
        let path = format!("{argument}.{key}");
        let text = value.as_str().ok_or_else(|| Invalid::new(&path, "must be a string"))?;
        let length = text.chars().count();
        if length > MAX_VALUE {
            let rule = format!("must be at most {MAX_VALUE} characters, has {length}");
            return Err(Invalid::new(path, rule));
        }
    }
    Ok(pairs)
}

/// The pairs in the metadata of a conversation. Values that GraphQL wrote there and that are no strings are left out.
pub fn of_conversation(metadata: &Json) -> JsonObject {
    read_fields(Some(metadata)).into_iter().filter(|(_, value)| value.as_str().is_some()).collect()
}

/// Metadata with other pairs of OpenAI. Without any, the field is removed.
///
/// # Errors
/// The result is too large, or a string contains NUL.
pub fn with_openai(argument: &str, metadata: &Json, pairs: JsonObject, most: usize) -> Result<Json, Invalid> {
    let mut fields = match read(metadata) {
        JsonValue::Object(fields) => fields,
        _ => JsonObject::new(),
    };
    if pairs.is_empty() {
        fields.shift_remove(FIELD);
    } else {
        fields.insert(FIELD.to_owned(), JsonValue::Object(pairs));
    }
    Json::within(argument, JsonValue::Object(fields).to_string(), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> JsonValue {
        JsonValue::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn metadata_has_limits() {
        let pairs =
            |count: usize| JsonValue::Object((0..count).map(|at| (at.to_string(), "x".into())).collect());
        assert!(parse("metadata", Some(pairs(16))).is_ok());
        assert!(parse("metadata", Some(value(r#"{"a":"b"}"#))).is_ok());
        let long = |key: usize, value: usize| {
            let pair = ("é".repeat(key), JsonValue::from("é".repeat(value)));
            JsonValue::Object(JsonObject::from_iter([pair]))
        };
        assert!(parse("metadata", Some(long(64, 512))).is_ok());
        for (wrong, rule) in [
            (pairs(17), "must have at most 16 pairs, has 17"),
            (long(65, 1), "must have keys of at most 64 characters"),
            (long(1, 513), "must be at most 512 characters, has 513"),
            (value("[]"), "must be an object of strings"),
            (value(r#"{"a":1}"#), "must be a string"),
        ] {
            assert_eq!(parse("metadata", Some(wrong)).unwrap_err().rule, rule);
        }
    }

    #[test]
    fn other_metadata_stays() {
        let metadata = Json::within("m", r#"{"tenant":7,"openai":{"a":"b","n":1}}"#.into(), 1000).unwrap();
        assert_eq!(JsonValue::Object(of_conversation(&metadata)), value(r#"{"a":"b"}"#));
        let set = |pairs: &str| {
            let JsonValue::Object(pairs) = value(pairs) else { panic!() };
            with_openai("metadata", &metadata, pairs, 1000).unwrap().into_string()
        };
        assert_eq!(set(r#"{"c":"d"}"#), r#"{"tenant":7,"openai":{"c":"d"}}"#);
        assert_eq!(set("{}"), r#"{"tenant":7}"#);
    }
}
