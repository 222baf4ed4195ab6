//! Ranges of bytes (RFC 9110, 14).

use std::ops::Range;

/// The part of a file that an upload has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentRange {
    /// No bytes: the client asks how far the upload is, or ends it.
    None,
    /// From the first to before the second.
    Bytes(i64, i64),
}

impl ContentRange {
    /// Reads `Content-Range` of an upload of a file with this size.
    pub(super) fn parse(value: &str, size: i64) -> Result<Self, String> {
        let wrong = || {
            format!("`content-range` must be `bytes FIRST-LAST/{size}` or `bytes */{size}`, got `{value}`")
        };
        let (range, total) =
            value.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
        if number(total) != Some(size) {
            return Err(wrong());
        }
        if range == "*" {
            return Ok(Self::None);
        }
        let (first, last) = range.split_once('-').ok_or_else(wrong)?;
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last && last < size => Ok(Self::Bytes(first, last + 1)),
            _ => Err(wrong()),
        }
    }
}

/// The part of a file that a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    All,
    /// One range.
    Part(Range<i64>),
    /// A range that the file does not have.
    Nothing,
}

/// Reads `Range` for a file with this size. What is not understood is ignored, and so are several ranges.
pub(super) fn wanted(value: Option<&str>, size: i64) -> Wanted {
    let Some((first, last)) = value.and_then(|value| value.strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::All;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..Ord::min(last, size - 1) + 1,
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => Ord::max(size - count, 0)..size,
        _ => return Wanted::All,
    };
    if range.start < range.end { Wanted::Part(range) } else { Wanted::Nothing }
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_uploads_are_within_the_file() {
        let parse = |value| ContentRange::parse(value, 10);
        assert_eq!(parse("bytes 0-9/10"), Ok(ContentRange::Bytes(0, 10)));
        assert_eq!(parse("bytes 3-3/10"), Ok(ContentRange::Bytes(3, 4)));
        assert_eq!(parse("bytes */10"), Ok(ContentRange::None));
        for wrong in [
            "",
            "bytes",
            "bytes 0-9",
            "bytes 0-10/10",
            "bytes 5-4/10",
            "bytes 0-9/11",
            "bytes 0-9/*",
            "bytes -1-2/10",
            "bytes +1-2/10",
            "bytes 1-/10",
            "items 0-9/10",
            "bytes 0-9/99999999999999999999",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_range_is_served() {
        let of = |value| wanted(Some(value), 10);
        assert_eq!(of("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(of("bytes=2-"), Wanted::Part(2..10));
        assert_eq!(of("bytes=2-99"), Wanted::Part(2..10));
        assert_eq!(of("bytes=-3"), Wanted::Part(7..10));
        assert_eq!(of("bytes=-99"), Wanted::Part(0..10));
        for beyond in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(of(beyond), Wanted::Nothing, "{beyond}");
        }
        for ignored in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=a-b"]
        {
            assert_eq!(of(ignored), Wanted::All, "{ignored}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
    }
}
