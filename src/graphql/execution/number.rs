//! Exact numbers in requests.
//!
//! Values of async-graphql have numbers as `i64`, `u64` or `f64`. A number that none of these represents
//! digit for digit is kept as text in a [`Value::Binary`], which requests do not use otherwise.

use async_graphql::{Name, Value, Variables};
use serde_json::Number;

use crate::model::{JsonObject, JsonValue};

/// The variables of a request.
pub fn variables(given: JsonObject) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in given {
        variables.insert(Name::new(name), value_of(value));
    }
    variables
}

/// A value of a request.
pub fn value_of(json: JsonValue) -> Value {
    match json {
        JsonValue::Null => Value::Null,
        JsonValue::Boolean(value) => Value::Boolean(value),
        JsonValue::Number(number) => of_text(number.as_str()),
        JsonValue::String(text) => Value::String(text),
        JsonValue::Array(items) => Value::List(items.into_iter().map(value_of).collect()),
        JsonValue::Object(fields) => Value::Object(
            fields.into_iter().map(|(name, value)| (Name::new(name), value_of(value))).collect(),
        ),
    }
}

/// The same with the nearest 64-bit number, for consumers that cannot use texts. A number without a near
/// 64-bit number becomes a string.
pub(super) fn nearest_value_of(json: JsonValue) -> Value {
    match json {
        JsonValue::Array(items) => Value::List(items.into_iter().map(nearest_value_of).collect()),
        JsonValue::Object(fields) => {
            let near = |(name, value)| (Name::new(name), nearest_value_of(value));
            Value::Object(fields.into_iter().map(near).collect())
        }
        JsonValue::Number(number) => match of_text(number.as_str()) {
            Value::Binary(text) => match float(&Value::Binary(text)).and_then(Number::from_f64) {
                Some(near) => Value::Number(near),
                None => Value::String(number.as_str().to_owned()),
            },
            exact => exact,
        },
        other => value_of(other),
    }
}

/// A number from its text in JSON or GraphQL.
pub(in crate::graphql) fn of_text(text: &str) -> Value {
    // Integers have one notation, except for zero.
    if text != "-0" && !text.contains(['.', 'e', 'E']) {
        if let Ok(whole) = text.parse::<i64>() {
            return Value::from(whole);
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Value::from(whole);
        }
    }
    let float = text.parse().ok().and_then(Number::from_f64).filter(|number| number.to_string() == text);
    float.map_or_else(|| Value::Binary(text.to_owned().into()), Value::Number)
}

/// The integer value, in any notation: `2`, `2.0` and `2e0` are equal.
pub(in crate::graphql) fn whole(value: &Value) -> Option<i64> {
    let float = match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => return Some(whole),
            None => number.as_f64()?,
        },
        Value::Binary(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
        _ => return None,
    };
    // Larger floats do not represent integers exactly.
    let is_exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    is_exact.then_some(float as i64)
}

/// The digits of an integer in any notation, complete if it was written with all digits.
pub(in crate::graphql) fn digits(value: &Value) -> Option<String> {
    if let Some(whole) = whole(value) {
        return Some(whole.to_string());
    }
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::Binary(text) => std::str::from_utf8(text).ok()?.to_owned(),
        _ => return None,
    };
    (!text.contains(['.', 'e', 'E'])).then_some(text)
}

/// The nearest 64-bit float.
pub(in crate::graphql) fn float(value: &Value) -> Option<f64> {
    let float = match value {
        Value::Number(number) => number.as_f64()?,
        Value::Binary(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
        _ => return None,
    };
    float.is_finite().then_some(float)
}

/// Whether a value is a number.
pub(in crate::graphql) fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_) | Value::Binary(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_exactly() {
        for text in ["0", "-7", "18446744073709551615", "1.5", "1.0", "-0.0"] {
            assert!(matches!(of_text(text), Value::Number(number) if number.to_string() == text), "{text}");
        }
        for text in
            ["-0", "1e2", "1.10", "18446744073709551616", "1e400", "0.1000000000000000055511151231257827"]
        {
            assert!(matches!(of_text(text), Value::Binary(held) if held == text), "{text}");
        }
    }

    #[test]
    fn integers_are_recognised_in_any_notation() {
        for (text, expected) in [
            ("2", Some(2)),
            ("2.0", Some(2)),
            ("2e0", Some(2)),
            ("-20E-1", Some(-2)),
            ("-0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("2.5", None),
            ("1e300", None),
            ("1e400", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(whole(&of_text(text)), expected, "{text}");
        }
        assert_eq!(whole(&Value::from("2")), None);
    }
}
