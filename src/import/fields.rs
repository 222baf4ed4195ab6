//! The fields of an object of a source.

use chrono::{DateTime, NaiveDateTime};

use crate::model::{JsonObject, JsonValue, Timestamp};

/// The fields of an object. Those that a parser takes go, and the others stay and are stored in `metadata`.
///
/// A field of another type than its reader expects stays, too: exports are changed and damaged on their way.
#[derive(Debug, Default)]
pub(super) struct Fields(JsonObject);

impl Fields {
    /// `None`: it is not an object.
    pub(super) fn of(value: JsonValue) -> Option<Self> {
        match value {
            JsonValue::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// Takes any value but null.
    pub(super) fn value(&mut self, name: &str) -> Option<JsonValue> {
        self.take_if(name, |value| *value != JsonValue::Null)
    }

    /// Takes a string. It may be empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take_if(name, |value| matches!(value, JsonValue::String(_)))? {
            JsonValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Takes an id: a string that is not empty, or a number.
    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        let is_id = |value: &JsonValue| match value {
            JsonValue::String(text) => !text.is_empty(),
            JsonValue::Number(_) => true,
            _ => false,
        };
        match self.take_if(name, is_id)? {
            JsonValue::String(text) => Some(text),
            JsonValue::Number(number) => Some(number.as_str().to_owned()),
            _ => None,
        }
    }

    /// Takes a boolean.
    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.take_if(name, |value| matches!(value, JsonValue::Boolean(_)))? {
            JsonValue::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        let number = |value: &JsonValue| match value {
            JsonValue::Number(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        number(&self.take_if(name, |value| number(value).is_some())?)
    }

    /// Takes an array.
    pub(super) fn array(&mut self, name: &str) -> Option<Vec<JsonValue>> {
        match self.take_if(name, |value| matches!(value, JsonValue::Array(_)))? {
            JsonValue::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, name: &str) -> Option<Self> {
        Self::of(self.take_if(name, |value| matches!(value, JsonValue::Object(_)))?)
    }

    /// Takes a time: seconds, milliseconds, microseconds or nanoseconds since 1970 as a number or a text, or ISO 8601.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        time_of(&self.take_if(name, |value| time_of(value).is_some())?)
    }

    /// Looks at a value without taking it.
    pub(super) fn get(&self, name: &str) -> Option<&JsonValue> {
        self.0.get(name)
    }

    /// Removes a field that says nothing new.
    pub(super) fn ignore(&mut self, name: &str) {
        self.0.shift_remove(name);
    }

    /// Removes a field that says nothing new if it is what it usually is: no array and no object.
    pub(super) fn ignore_scalar(&mut self, name: &str) {
        self.take_if(name, |value| !matches!(value, JsonValue::Array(_) | JsonValue::Object(_)));
    }

    /// Removes a time that is known already.
    pub(super) fn ignore_time(&mut self, name: &str, known: Option<Timestamp>) {
        if known.is_some() && self.get(name).and_then(time_of) == known {
            self.ignore(name);
        }
    }

    /// Puts a field back, or adds one.
    pub(super) fn put(&mut self, name: &str, value: JsonValue) {
        self.0.insert(name.to_owned(), value);
    }

    /// The object as it is now.
    pub(super) fn into_value(self) -> JsonValue {
        JsonValue::Object(self.0)
    }

    /// What was not taken and says something: no nulls, and nothing empty.
    pub(super) fn rest(self) -> JsonObject {
        self.0.into_iter().filter(|(_, value)| !is_nothing(value)).collect()
    }

    fn take_if(&mut self, name: &str, wanted: impl FnOnce(&JsonValue) -> bool) -> Option<JsonValue> {
        self.0.get(name).is_some_and(wanted).then(|| self.0.shift_remove(name)).flatten()
    }
}

fn is_nothing(value: &JsonValue) -> bool {
    match value {
        JsonValue::Null => true,
        JsonValue::String(text) => text.is_empty(),
        JsonValue::Array(items) => items.is_empty(),
        JsonValue::Object(fields) => fields.is_empty(),
        JsonValue::Boolean(_) | JsonValue::Number(_) => false,
    }
}

/// Seconds above this are milliseconds: as seconds it would be the year 5138. Likewise, milliseconds above a thousand times
/// this are microseconds, and so on.
const MAX_SECONDS: f64 = 1e11;

/// A time in one of the forms of the exports.
pub(super) fn time_of(value: &JsonValue) -> Option<Timestamp> {
    match value {
        JsonValue::Number(number) => of_seconds(number.as_str()),
        JsonValue::String(text) => of_seconds(text).or_else(|| of_text(text)),
        _ => None,
    }
}

fn of_seconds(text: &str) -> Option<Timestamp> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
    let micros = match number.abs() / MAX_SECONDS {
        times if times > 1e6 => number / 1e3,
        times if times > 1e3 => number,
        times if times > 1.0 => number * 1e3,
        _ => number * 1e6,
    };
    // The cast saturates. Such times are absurd, and are left out later.
    Some(Timestamp(micros.round() as i64))
}

/// RFC 3339, or the same without an offset, which is UTC then.
fn of_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp(time.timestamp_micros()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| Timestamp(time.and_utc().timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::of(JsonValue::read(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn only_fields_of_the_expected_type_are_taken() {
        let mut found = fields(r#"{"a":"x","b":1,"c":null,"d":[],"e":{"f":true},"g":false}"#);
        assert_eq!((found.text("a"), found.text("b"), found.text("c")), (Some("x".into()), None, None));
        assert_eq!((found.boolean("g"), found.boolean("e")), (Some(false), None));
        assert_eq!(JsonValue::Object(found.rest()).to_string(), r#"{"b":1,"e":{"f":true}}"#);
    }

    #[test]
    fn times_are_read_in_all_their_forms() {
        let expected = Some(Timestamp(1_760_000_000_500_000));
        for text in [
            "1760000000.5",
            "1760000000500",
            "1760000000500000",
            "1760000000500000000",
            "\"1760000000.5\"",
            "\"2025-10-09T08:53:20.500Z\"",
            "\"2025-10-09T10:53:20.5+02:00\"",
            "\"2025-10-09T08:53:20.500\"",
            "\"2025-10-09 08:53:20.5\"",
        ] {
            assert_eq!(time_of(&JsonValue::read(text.as_bytes()).unwrap()), expected, "{text}");
        }
        for text in ["\"\"", "\"soon\"", "true", "\"NaN\""] {
            assert_eq!(time_of(&JsonValue::read(text.as_bytes()).unwrap()), None, "{text}");
        }
    }
}
