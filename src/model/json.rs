//! The caller's own data.

mod canonical;
mod read;
mod value;

use std::borrow::Cow;
use std::convert::Infallible;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Invalid;
pub use read::JsonFault;
pub use value::{JsonNumber, JsonObject, JsonValue};

/// Largest JSON value that may be written, in bytes of its compact form.
pub const MAX_JSON_BYTES: usize = 16 * 1024;

/// A JSON value as compact text, kept as the caller ordered it and never interpreted.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", from_str = "Json::read", to_str = "Json::to_text")]
pub struct Json(Cow<'static, str>);

impl Json {
    /// A value from its compact text.
    ///
    /// # Errors
    /// Over 16 KiB, not JSON, or with a NUL in a string; names `argument`.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        Self::within(argument, text, MAX_JSON_BYTES)
    }

    /// A value from its compact text, where another bound than that of [`Json::new`] holds.
    ///
    /// # Errors
    /// Over `most` bytes, not JSON, or with a NUL in a string; names `argument`.
    pub fn within(argument: &str, text: String, most: usize) -> Result<Self, Invalid> {
        if text.len() > most {
            let rule = format!("must be at most {most} bytes of JSON, has {}", text.len());
            return Err(Invalid::new(argument, rule));
        }
        let value =
            JsonValue::read(text.as_bytes()).map_err(|fault| Invalid::new(argument, fault.to_string()))?;
        if value.has_nul() {
            return Err(Invalid::new(argument, "must not contain NUL (U+0000)"));
        }
        Ok(Self::stored(text))
    }

    /// A value that a row of the database holds, and so was checked when it was written.
    pub(crate) fn stored(text: String) -> Self {
        Self(text.into())
    }

    fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self::stored(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    /// The empty object: what `metadata` is when nothing was given.
    pub fn empty_object() -> Self {
        Self(Cow::Borrowed("{}"))
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One text for all that are equal as JSON: of the same fields in any order, and of numbers that come to
    /// the same.
    pub(super) fn canonical(&self) -> Cow<'_, str> {
        if self.0 == "{}" {
            return Cow::Borrowed("{}");
        }
        let read = JsonValue::read(self.0.as_bytes());
        read.map_or(Cow::Borrowed(&*self.0), |value| Cow::Owned(canonical::canonical(&value)))
    }

    /// The compact text, taken out.
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// Shows the length only: it is the caller's data.
impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// Stands in other JSON as the value it is, not as a string, and letter for letter.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Reads what [`Json::serialize`] wrote, and so checks nothing.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        Ok(Self::stored(raw.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_and_free_of_nul() {
        assert!(Json::new("metadata", r#"{"b":1,"a":[true,null]}"#.into()).is_ok());
        assert!(Json::new("metadata", r#"{"a":"\\u0000"}"#.into()).is_ok(), "a backslash and letters");
        assert!(Json::new("metadata", r#"{"a":["\u0000"]}"#.into()).is_err());
        assert!(Json::new("metadata", r#"{"\u0000":1}"#.into()).is_err());
        assert!(Json::new("metadata", format!("\"{}\"", "x".repeat(MAX_JSON_BYTES - 2))).is_ok());
        assert!(Json::new("metadata", format!("\"{}\"", "x".repeat(MAX_JSON_BYTES - 1))).is_err());
        assert!(Json::new("metadata", "{".into()).is_err());
    }
}
