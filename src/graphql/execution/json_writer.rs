//! A JSON writer for responses.
//!
//! Prerendered lists ([`super::rendered_list`]) and JSON of clients are [`Value::Binary`] in a response and
//! are copied unchanged. The schema has no other binary values. So every transport must use [`write_value`].

use std::io::Write;

use async_graphql::Value;
use async_graphql::resolver_utils::EnumType;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::model::{Json, Timestamp};

/// The size of the blocks in which strings are scanned.
const PIECE: usize = 32;

/// The size of the words that are scanned once a block needs an escape.
const WORD: usize = 8;

/// Writes a value. Returns false if it would have more than `most` bytes.
pub fn write_value(out: &mut Vec<u8>, value: &Value, most: usize) -> bool {
    let whole = match value {
        Value::Null => write_null(out),
        Value::Boolean(true) => write_display(out, &true),
        Value::Boolean(false) => write_display(out, &false),
        Value::Number(number) => write_display(out, number),
        Value::String(text) => write_string(out, text),
        Value::Enum(name) => write_string(out, name),
        Value::Binary(written) => {
            out.extend_from_slice(written);
            true
        }
        Value::List(items) => write_list(out, items, |out, item| write_value(out, item, most)),
        Value::Object(fields) => {
            out.push(b'{');
            let whole = fields.iter().enumerate().all(|(at, (name, field))| {
                if at > 0 {
                    out.push(b',');
                }
                write_string(out, name);
                out.push(b':');
                write_value(out, field, most)
            });
            out.push(b'}');
            whole
        }
    };
    whole && out.len() <= most
}

/// A lower bound of the bytes of a written value, usually close to it.
pub(in crate::graphql) fn written_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Boolean(_) => 4,
        Value::Number(_) => 1,
        Value::String(text) => text.len() + 2,
        Value::Enum(name) => name.len() + 2,
        Value::Binary(written) => written.len(),
        Value::List(items) => 1 + items.len() + items.iter().map(written_size).sum::<usize>(),
        Value::Object(fields) => {
            let each = |(name, field): (&async_graphql::Name, &Value)| name.len() + 4 + written_size(field);
            1 + fields.iter().map(each).sum::<usize>()
        }
    }
}

/// Writes a value that needs no quotes. Returns true like all writers of fields.
pub(in crate::graphql) fn write_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) -> bool {
    // Writing to memory cannot fail.
    write!(out, "{value}").is_ok()
}

/// Writes a value, or null for `None`.
pub(in crate::graphql) fn write_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    write: impl Fn(&mut Vec<u8>, T) -> bool,
) -> bool {
    match value {
        Some(value) => write(out, value),
        None => write_null(out),
    }
}

/// Writes a list.
pub(in crate::graphql) fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T) -> bool,
) -> bool {
    out.push(b'[');
    let whole = items.into_iter().enumerate().all(|(at, item)| {
        if at > 0 {
            out.push(b',');
        }
        write(out, item)
    });
    out.push(b']');
    whole
}

fn write_null(out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"null");
    true
}

/// Writes an id in its canonical form.
pub(in crate::graphql) fn write_id(out: &mut Vec<u8>, id: Uuid) -> bool {
    let mut text = [0; Hyphenated::LENGTH];
    write_string(out, id.hyphenated().encode_lower(&mut text))
}

/// Writes an enum value.
pub(in crate::graphql) fn write_enum<T: EnumType>(out: &mut Vec<u8>, value: T) -> bool {
    let item = T::items().iter().find(|item| item.value == value);
    item.is_some_and(|item| write_string(out, item.name))
}

/// Writes a JSON value, which is compact text already.
pub(in crate::graphql) fn write_json(out: &mut Vec<u8>, json: &Json) -> bool {
    out.extend_from_slice(json.as_str().as_bytes());
    true
}

/// Writes a time.
pub(in crate::graphql) fn write_time(out: &mut Vec<u8>, time: Timestamp) -> bool {
    out.push(b'"');
    write_display(out, &time);
    out.push(b'"');
    true
}

/// Writes a string with the escapes that JSON requires and no others.
pub(in crate::graphql) fn write_string(out: &mut Vec<u8>, text: &str) -> bool {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    // Text without escapes is copied in runs, which are found without a branch for each byte.
    let mut copied = 0;
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        if piece.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
            for (word, taken) in piece.chunks(WORD).enumerate() {
                let mut found = escapes_in(taken);
                while found != 0 {
                    let at = number * PIECE + word * WORD + found.trailing_zeros() as usize / 8;
                    out.extend_from_slice(&bytes[copied..at]);
                    write_escape(out, bytes[at]);
                    copied = at + 1;
                    found &= found - 1;
                }
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
    true
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Sets the highest bit of each byte of a word that needs an escape. The first byte is the lowest.
fn escapes_in(bytes: &[u8]) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const HIGH: u64 = !LOW;
    let each = |byte: u8| u64::from_ne_bytes([byte; WORD]);
    let mut padded = [b' '; WORD];
    padded[..bytes.len()].copy_from_slice(bytes);
    let word = u64::from_le_bytes(padded);
    // No byte borrows from the next or carries into it, so each is detected exactly.
    let is = |byte: u8| !((((word ^ each(byte)) & LOW) + LOW) | (word ^ each(byte)));
    let is_control = !((word | HIGH) - each(0x20)) & !word;
    (is(b'"') | is(b'\\') | is_control) & HIGH
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            return out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    };
    out.extend([b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use async_graphql::Name;
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            ".{0,80}".prop_map(Value::from),
            "[A-Z_]{1,9}".prop_map(|name| Value::Enum(Name::new(name))),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let fields = prop::collection::vec((any::<String>(), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner, 0..8).prop_map(Value::List),
                fields.prop_map(|fields| Value::Object(
                    fields.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_written_as_the_library_writes_it(value in values()) {
            let mut written = Vec::new();
            prop_assert!(write_value(&mut written, &value, usize::MAX));
            prop_assert!(written_size(&value) <= written.len());
            // Within a byte or not at all.
            prop_assert!(write_value(&mut Vec::new(), &value, written.len()));
            prop_assert!(!write_value(&mut Vec::new(), &value, written.len() - 1));
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&value).unwrap());
        }
    }

    #[test]
    fn every_control_character_is_escaped() {
        let text: String = (0..0x80u8).map(char::from).chain(['é', '\u{2028}', '\u{10ffff}']).collect();
        let mut written = Vec::new();
        write_string(&mut written, &text);
        assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn prerendered_json_is_copied() {
        let mut written = Vec::new();
        let value = Value::List(vec![Value::Binary((&b"{\"a\":1}"[..]).into()), Value::Null]);
        assert!(write_value(&mut written, &value, 14));
        assert_eq!(written, b"[{\"a\":1},null]");
    }
}
