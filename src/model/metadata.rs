//! Changes of the metadata of conversations and messages.

use super::json::{JsonObject, JsonValue};
use super::{Invalid, Json};

/// The argument that errors of the result name.
const ARGUMENT: &str = "input.metadataPatch";

/// A change of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataChange {
    /// The new metadata.
    Set(Json),
    /// Merged into the present metadata.
    Merge(MergePatch),
}

/// A JSON Merge Patch, <https://www.rfc-editor.org/rfc/rfc7396>: fields replace those of the same name, objects are merged,
/// and null removes a field. Repeating it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePatch {
    patch: Json,
    /// The maximum size of the result in bytes.
    most: usize,
}

impl MergePatch {
    /// A patch whose result may have `most` bytes.
    ///
    /// # Errors
    /// The patch is not an object. The error names `argument`.
    pub fn new(argument: &str, patch: Json, most: usize) -> Result<Self, Invalid> {
        match patch.as_str().starts_with('{') {
            true => Ok(Self { patch, most }),
            false => Err(Invalid::new(argument, "must be an object")),
        }
    }

    fn apply(&self, before: &Json) -> Result<Json, Invalid> {
        let read = |json: &Json| {
            JsonValue::read(json.as_str().as_bytes())
                .map_err(|fault| Invalid::new(ARGUMENT, fault.to_string()))
        };
        Json::within(ARGUMENT, merged(Some(read(before)?), read(&self.patch)?).to_string(), self.most)
            .map_err(|invalid| Invalid::new(invalid.argument, format!("{} after the merge", invalid.rule)))
    }
}

impl MetadataChange {
    /// The metadata after the change.
    ///
    /// # Errors
    /// The result of a merge is too large. The error names `input.metadataPatch`.
    pub fn apply(self, before: &Json) -> Result<Json, Invalid> {
        match self {
            Self::Set(metadata) => Ok(metadata),
            Self::Merge(patch) => patch.apply(before),
        }
    }
}

/// The algorithm of RFC 7396, section 2. Neither value nests deeper than [`JsonValue::read`] allows.
fn merged(target: Option<JsonValue>, patch: JsonValue) -> JsonValue {
    let JsonValue::Object(patch) = patch else { return patch };
    let mut fields = match target {
        Some(JsonValue::Object(fields)) => fields,
        _ => JsonObject::new(),
    };
    for (name, value) in patch {
        if value == JsonValue::Null {
            fields.shift_remove(&name);
        } else {
            let before = fields.get_mut(&name).map(|before| std::mem::replace(before, JsonValue::Null));
            fields.insert(name, merged(before, value));
        }
    }
    JsonValue::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(before: &str, patch: &str, most: usize) -> Result<String, Invalid> {
        let patch = MergePatch::new("p", Json::stored(patch.into()), most)?;
        MetadataChange::Merge(patch).apply(&Json::stored(before.into())).map(Json::into_string)
    }

    /// The examples of RFC 7396, appendix A, whose patch is an object.
    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (before, patch, after) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merge(before, patch, 1000).unwrap(), after, "{before} with {patch}");
            assert_eq!(merge(after, patch, 1000).unwrap(), after, "{patch} again");
        }
    }

    #[test]
    fn numbers_and_other_fields_stay_as_they_were() {
        let before = r#"{"z":1.0,"a":12345678901234567890,"m":{"x":1e3}}"#;
        let after = r#"{"z":1.0,"a":12345678901234567890,"m":{"x":1e3,"y":2}}"#;
        assert_eq!(merge(before, r#"{"m":{"y":2}}"#, 1000).unwrap(), after);
    }

    #[test]
    fn wrong_patches_are_refused() {
        for patch in ["null", "[]", "1", r#""text""#] {
            assert_eq!(merge("{}", patch, 1000).unwrap_err().rule, "must be an object", "{patch}");
        }
        let invalid = merge(r#"{"a":"bcd"}"#, r#"{"b":1}"#, 16).unwrap_err();
        assert_eq!(invalid.argument, "input.metadataPatch");
        assert_eq!(invalid.rule, "must be at most 16 bytes of JSON, has 17 after the merge");
    }
}
