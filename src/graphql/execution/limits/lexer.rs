//! Splits a document into tokens, without recursion.
//!
//! It never finds fewer tokens than the parser. After an invalid character it continues, and every byte that
//! begins no token counts: <https://spec.graphql.org/September2025/#sec-Language.Source-Text>.

/// The counts of a text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// Names, numbers, strings and punctuators.
    pub(super) tokens: u32,
    /// The deepest nesting of brackets of any kind.
    pub(super) nesting: u32,
}

/// The start of a token in bytes, and its first byte, which determines its kind.
#[derive(Debug, Clone, Copy)]
pub(in crate::graphql) struct Token {
    pub(in crate::graphql) offset: usize,
    pub(in crate::graphql) first: u8,
}

impl Token {
    pub(in crate::graphql) fn is_name(self) -> bool {
        self.first.is_ascii_alphabetic() || self.first == b'_'
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The tokens of a text.
pub(in crate::graphql) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let bytes = text.as_bytes();
    let mut offset = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(offset..)?;
            let first = *rest.first()?;
            let (length, is_token) = match first {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => (1, false),
                b'#' => (line(rest), false),
                0xEF if rest.starts_with(BYTE_ORDER_MARK) => (BYTE_ORDER_MARK.len(), false),
                b'"' => (string(rest), true),
                b'-' | b'0'..=b'9' => (number(rest), true),
                b'.' if rest.starts_with(b"...") => (3, true),
                b'A'..=b'Z' | b'a'..=b'z' | b'_' => (name(rest), true),
                _ => (1, true),
            };
            let token = Token { offset, first };
            offset += length;
            if is_token {
                return Some(token);
            }
        }
    })
}

/// Counts the tokens of a text.
pub(super) fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut depth = 0_u32;
    for token in tokens(text) {
        scan.tokens += 1;
        match token.first {
            b'(' | b'[' | b'{' => {
                depth += 1;
                scan.nesting = scan.nesting.max(depth);
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    scan
}

fn line(text: &[u8]) -> usize {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len())
}

fn name(text: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len())
}

/// A leading 0 ends the integer part of a number.
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

/// An unterminated string ends at the end of its line.
fn string(text: &[u8]) -> usize {
    if text.starts_with(b"\"\"\"") {
        return block_string(text).unwrap_or(2);
    }
    let mut at = 1;
    loop {
        match text.get(at) {
            Some(b'"') => return at + 1,
            None | Some(b'\n' | b'\r') => return at.min(text.len()),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
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
