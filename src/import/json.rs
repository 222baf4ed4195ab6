//! Parses entries. It repairs strings that have half of a surrogate pair: exports cut texts in the middle of an emoji.

use memchr::memmem;

use super::entries::MAX_LEVELS;
use crate::model::JsonValue;

/// The replacement character, as an escape of the same length.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Parses an entry. `None`: it is not JSON.
pub(super) fn value(text: &[u8]) -> Option<JsonValue> {
    if let Ok(value) = JsonValue::read_within(text, MAX_LEVELS) {
        return Some(value);
    }
    JsonValue::read_within(&replaced(text)?, MAX_LEVELS).ok()
}

/// The text with lone surrogates replaced. `None`: there are none.
fn replaced(text: &[u8]) -> Option<Vec<u8>> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memmem::find(&text[at..], b"\\") {
        at += found;
        let unit = |at: usize| {
            let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
            u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                repaired.get_or_insert_with(|| text.to_vec())[at..at + 6].copy_from_slice(REPLACEMENT);
                at += 6;
            }
            Some(_) => at += 6,
            // Another escape: a backslash after a backslash begins none.
            None => at = text.len().min(at + 2),
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_surrogates_are_replaced() {
        for (text, expected) in [
            (r#""\ud83d\ude00 \\ud83d \n""#, None),
            (r#""a\ud83d""#, Some(r#""a\ufffd""#)),
            (r#""\ud83d\ud83d\ude00\ude00x""#, Some(r#""\ufffd\ud83d\ude00\ufffdx""#)),
            (r#""\ud83d\n""#, Some(r#""\ufffd\n""#)),
            ("\"\\ud8", None),
            ("\\", None),
        ] {
            let found = replaced(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
