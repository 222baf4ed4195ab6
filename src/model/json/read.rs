//! A JSON parser that keeps the order of keys and the digits of numbers.

use std::fmt;

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, Peek};

use super::value::{JsonNumber, JsonObject, JsonValue};

/// The deepest nesting of arrays and objects: 200 for a value of a client, and some more for the request around it.
const MAX_DEPTH: usize = 216;

/// The reason why a JSON text is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// It is not JSON in UTF-8.
    NotJson,
    /// Arrays and objects nest deeper than 216 levels.
    TooDeep,
    /// An integer has more than 4300 digits.
    TooManyDigits,
}

/// Completes a sentence that begins with the name of the input: "the body …".
impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "must be JSON",
            Self::TooDeep => "nests too deep",
            Self::TooManyDigits => "has a number of more than 4300 digits",
        })
    }
}

impl From<JiterError> for JsonFault {
    fn from(error: JiterError) -> Self {
        match error.error_type {
            JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange) => Self::TooManyDigits,
            _ => Self::NotJson,
        }
    }
}

impl JsonValue {
    /// Parses a JSON text (RFC 8259) in UTF-8.
    ///
    /// # Errors
    /// The text is not JSON, nests deeper than 216 levels, or has an integer of more than 4300 digits.
    pub fn read(text: &[u8]) -> Result<Self, JsonFault> {
        Self::read_within(text, MAX_DEPTH)
    }

    /// The same with another limit of the nesting. Parsing, and dropping the value, needs a stack of that depth.
    pub(crate) fn read_within(text: &[u8], levels: usize) -> Result<Self, JsonFault> {
        let mut reader = Jiter::new(text);
        let first = reader.peek()?;
        let value = next(&mut reader, first, levels)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Parses the value that begins with `first`, in which arrays and objects nest at most `depth` levels.
fn next(reader: &mut Jiter<'_>, first: Peek, depth: usize) -> Result<JsonValue, JsonFault> {
    let within = || depth.checked_sub(1).ok_or(JsonFault::TooDeep);
    Ok(match first {
        Peek::Null => {
            reader.known_null()?;
            JsonValue::Null
        }
        Peek::True | Peek::False => JsonValue::Boolean(reader.known_bool(first)?),
        Peek::String => JsonValue::String(reader.known_str()?.to_owned()),
        Peek::Array => {
            let depth = within()?;
            let mut items = Vec::new();
            let mut item = reader.known_array()?;
            while let Some(first) = item {
                items.push(next(reader, first, depth)?);
                item = reader.array_step()?;
            }
            JsonValue::Array(items)
        }
        Peek::Object => {
            let depth = within()?;
            let mut fields = JsonObject::new();
            let mut name = reader.known_object()?.map(str::to_owned);
            while let Some(of) = name {
                let first = reader.peek()?;
                fields.insert(of, next(reader, first, depth)?);
                name = reader.next_key()?.map(str::to_owned);
            }
            JsonValue::Object(fields)
        }
        number => {
            let text = std::str::from_utf8(reader.known_number_bytes(number)?);
            JsonValue::Number(JsonNumber(text.map_err(|_| JsonFault::NotJson)?.into()))
        }
    })
}

#[cfg(test)]
mod tests;
