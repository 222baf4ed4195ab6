//! Workarounds for deviations of apollo-parser 0.8.7 from the specification.

use std::borrow::Cow;

use crate::graphql::execution::limits::lexer::tokens;

/// Replaces commas between an alias and its colon (`a,: id`) by spaces. They are insignificant, but the
/// parser rejects them. Offsets do not change.
pub(super) fn without_commas_before_colons(text: &str) -> Cow<'_, str> {
    let mut changed = Cow::Borrowed(text);
    let mut name_at = None;
    for token in tokens(text) {
        if let Some(start) = name_at
            && token.first == b':'
            && let Some(between) = text.get(start..token.offset)
            && between.contains(',')
        {
            changed.to_mut().replace_range(start..token.offset, &between.replace(',', " "));
        }
        name_at = token.is_name().then_some(token.offset);
    }
    changed
}

/// The offset of the first argument or input field without a value: `conversations(first)`, `filter: {
/// titleContains }`. The parser drops it without an error.
///
/// The parser has accepted the text, so brackets are balanced. Within parentheses a name is such a key unless
/// it is in a list or follows a token that makes it a value, a type, a variable or a directive.
pub(super) fn key_without_value(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut previous = 0;
    let mut key = None;
    for token in tokens(text) {
        if token.first != b':'
            && let Some(offset) = key
        {
            return Some(offset);
        }
        key = None;
        match token.first {
            // Braces outside of parentheses belong to selections.
            b'(' | b'[' | b'{' if token.first == b'(' || !open.is_empty() => open.push(token.first),
            b')' | b']' | b'}' => {
                open.pop();
            }
            _ if token.is_name() => {
                let is_key = open.last().is_some_and(|bracket| *bracket != b'[')
                    && !matches!(previous, b':' | b'$' | b'@' | b'=');
                key = is_key.then_some(token.offset);
            }
            _ => {}
        }
        previous = token.first;
    }
    None
}
