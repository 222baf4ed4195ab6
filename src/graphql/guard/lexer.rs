//! Counts the tokens of a document, without a stack.
//!
//! It never counts fewer than the parser will find. Where the parser is laxer than the
//! [specification](https://spec.graphql.org/October2021/#sec-Language.Source-Text), so is this: it
//! takes `truefalse` for two values, `00` for two numbers and `"""` for an empty string when no other
//! `"""` follows.

/// What a text consists of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// Names, numbers, strings and punctuators.
    pub(super) tokens: u32,
    /// Most brackets within each other, of whatever kind.
    pub(super) nesting: u32,
}

/// Words that the parser takes for whole although a name goes on after them.
const WORDS: [&[u8]; 7] = [b"true", b"false", b"null", b"query", b"mutation", b"subscription", b"fragment"];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Counts up to the first byte that no token begins with: the parser gets no further either.
pub(super) fn scan(text: &str) -> Scan {
    let mut rest = text.as_bytes();
    let mut scan = Scan::default();
    let mut depth = 0_u32;
    while let [first, ..] = rest {
        let (length, is_token) = match first {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => (Some(1), false),
            b'#' => (Some(line(rest)), false),
            0xEF if rest.starts_with(BYTE_ORDER_MARK) => (Some(BYTE_ORDER_MARK.len()), false),
            b'"' => (string(rest), true),
            b'-' | b'0'..=b'9' => (Some(number(rest)), true),
            b'.' => (rest.starts_with(b"...").then_some(3), true),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => (Some(name(rest)), true),
            b'(' | b'[' | b'{' => {
                depth += 1;
                scan.nesting = scan.nesting.max(depth);
                (Some(1), true)
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                (Some(1), true)
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|' => (Some(1), true),
            _ => (None, true),
        };
        let Some(length) = length else { break };
        scan.tokens += u32::from(is_token);
        rest = &rest[length..];
    }
    scan
}

fn line(text: &[u8]) -> usize {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len())
}

fn name(text: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    WORDS
        .iter()
        .find(|word| text.starts_with(word))
        .map_or_else(|| text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len()), |word| word.len())
}

/// A digit 0 ends a number's whole part.
fn number(text: &[u8]) -> usize {
    let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is = |at: usize, bytes: &[u8]| text.get(at).is_some_and(|byte| bytes.contains(byte));
    let mut end = usize::from(is(0, b"-"));
    end += if is(end, b"0") { 1 } else { digits(end) };
    if is(end, b".") && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if is(end, b"eE") {
        let at = end + 1 + usize::from(is(end + 1, b"+-"));
        if digits(at) > 0 {
            end = at + digits(at);
        }
    }
    end
}

/// `None` when it does not end.
fn string(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"\"\"\"") {
        return Some(block_string(text).unwrap_or(2));
    }
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn block_string(text: &[u8]) -> Option<usize> {
    let mut at = 3;
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(b"\"\"\"") {
            return Some(at + 3);
        }
        at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
}

#[cfg(test)]
mod tests;
