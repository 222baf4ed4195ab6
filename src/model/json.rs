//! JSON values of clients.

mod canonical;
mod read;
mod value;

use std::borrow::Cow;
use std::convert::Infallible;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Invalid;
use super::content::MAX_METADATA_BYTES;
pub use read::JsonFault;
pub use value::{JsonNumber, JsonObject, JsonValue};

/// The deepest nesting of arrays and objects in a value.
const MAX_LEVELS: usize = 200;

/// A JSON value as compact text. The order of keys is kept. The value is never interpreted.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", from_str = "Json::read", to_str = "Json::to_text")]
pub struct Json(Cow<'static, str>);

impl Json {
    /// Checks a compact JSON text, as large as metadata may be.
    ///
    /// # Errors
    /// The text has more than 1 MiB, is not JSON, or contains NUL in a string. The error names `argument`.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        Self::within(argument, text, MAX_METADATA_BYTES)
    }

    /// Checks a compact JSON text with another size limit than [`Json::new`].
    ///
    /// # Errors
    /// The text has more than `most` bytes, is not JSON, nests deeper than 200 levels, or contains NUL in a string. The error names
    /// `argument`.
    pub fn within(argument: &str, text: String, most: usize) -> Result<Self, Invalid> {
        if text.len() > most {
            let rule = format!("must be at most {most} bytes of JSON, has {}", text.len());
            return Err(Invalid::new(argument, rule));
        }
        let value = JsonValue::read_within(text.as_bytes(), MAX_LEVELS).map_err(|fault| match fault {
            JsonFault::TooDeep => {
                Invalid::new(argument, format!("must nest at most {MAX_LEVELS} levels deep"))
            }
            fault => Invalid::new(argument, fault.to_string()),
        })?;
        if value.has_nul() {
            return Err(Invalid::new(argument, "must not contain NUL (U+0000)"));
        }
        Ok(Self::stored(text))
    }

    /// A value from a row of the database, which was checked when it was written.
    pub(crate) fn stored(text: String) -> Self {
        Self(text.into())
    }

    fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self::stored(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    /// The empty object, the default of `metadata`.
    pub fn empty_object() -> Self {
        Self(Cow::Borrowed("{}"))
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text that is the same for all equal JSON values: objects with the same fields in any order, and
    /// equal numbers.
    pub(crate) fn canonical(&self) -> Cow<'_, str> {
        if self.0 == "{}" {
            return Cow::Borrowed("{}");
        }
        let read = JsonValue::read(self.0.as_bytes());
        read.map_or(Cow::Borrowed(&*self.0), |value| Cow::Owned(canonical::canonical(&value)))
    }

    /// Returns the compact text.
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// Shows only the length: it is data of clients.
impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// Serialized as the JSON value itself, not as a string, byte for byte.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Reads the output of [`Json::serialize`], without checks.
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
        assert!(Json::new("metadata", format!("\"{}\"", "x".repeat(MAX_METADATA_BYTES - 2))).is_ok());
        assert!(Json::new("metadata", format!("\"{}\"", "x".repeat(MAX_METADATA_BYTES - 1))).is_err());
        assert!(Json::new("metadata", "{".into()).is_err());
    }
}
