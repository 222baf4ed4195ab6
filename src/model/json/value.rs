//! A JSON value that keeps the order of keys and the digits of numbers.

use indexmap::IndexMap;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value as it was written, except for whitespace and escapes in strings.
///
/// `serde_json::Value` sorts keys and parses most numbers as `f64`, so it cannot return its input unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as its text.
    Number(JsonNumber),
    /// A string, without quotes and escapes.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(JsonObject),
}

/// The fields of a JSON object in order. If a name occurs several times, the last value is kept at the place
/// of the first, as in JavaScript.
pub type JsonObject = IndexMap<String, JsonValue>;

/// The text of a JSON number: <https://www.rfc-editor.org/rfc/rfc8259#section-6>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonNumber(pub(super) Box<str>);

impl JsonNumber {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JsonValue {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The fields of an object.
    pub fn as_object(&self) -> Option<&JsonObject> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether a string in it, or the name of a field, contains NUL.
    pub(super) fn has_nul(&self) -> bool {
        match self {
            Self::String(text) => text.contains('\0'),
            Self::Array(items) => items.iter().any(Self::has_nul),
            Self::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || value.has_nul()),
            Self::Null | Self::Boolean(_) | Self::Number(_) => false,
        }
    }
}

/// As compact JSON.
impl std::fmt::Display for JsonValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

impl From<&str> for JsonValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for JsonValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Number(number) => {
                let raw: &RawValue = serde_json::from_str(number.as_str()).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields),
        }
    }
}

/// Works only with JSON text and `serde_json`: other deserializers do not provide the text of a number.
impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::read(raw.get().as_bytes()).map_err(serde::de::Error::custom)
    }
}
