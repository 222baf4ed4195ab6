//! Folds a word into a term.

use std::sync::LazyLock;

use icu_properties::props::GeneralCategory;
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};

use super::MAX_TERM_BYTES;

const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();

/// Stretches an Arabic word. It has no meaning.
pub(super) const TATWEEL: char = '\u{640}';

/// Characters below this one have an entry in [`SIMPLE_TERMS`]: Latin, Greek, Cyrillic, Armenian, Hebrew,
/// Arabic.
const SIMPLE_TERMS_END: usize = 0x700;

/// The term of every character that has exactly one character as its term wherever it stands, or NUL.
///
/// Combining marks have none: they are reordered and composed.
static SIMPLE_TERMS: LazyLock<Vec<char>> = LazyLock::new(|| {
    let character = |code: usize| u32::try_from(code).ok().and_then(char::from_u32).unwrap_or_default();
    (0..SIMPLE_TERMS_END).map(character).map(simple_term).collect()
});

fn simple_term(character: char) -> char {
    if is_mark(character) {
        return '\0';
    }
    let mut term = String::new();
    push_folded(&mut term, &character.to_string());
    let mut characters = term.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) if !is_mark(only) => only,
        _ => '\0',
    }
}

/// Whether this is a combining mark: it belongs to the character before it.
pub(super) fn is_mark(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(CATEGORY.get(character), EnclosingMark | NonspacingMark | SpacingMark)
}

/// Whether this is one of the characters that stand for an apostrophe.
pub(super) fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '’' | '‘' | 'ʼ' | '׳' | '＇')
}

/// Appends the term of a word, cut at [`MAX_TERM_BYTES`].
pub(super) fn push_term(term: &mut String, word: &str) {
    let start = term.len();
    if word.is_ascii() {
        // The term of an ASCII word is as long as the word.
        term.push_str(&word[..word.len().min(MAX_TERM_BYTES)]);
        term[start..].make_ascii_lowercase();
        return;
    }
    for character in word.chars() {
        match SIMPLE_TERMS.get(character as usize) {
            Some('\0') | None => {
                term.truncate(start);
                push_folded(term, word);
                break;
            }
            Some(simple) => term.push(*simple),
        }
    }
    term.truncate(term.floor_char_boundary(start + MAX_TERM_BYTES));
}

fn push_folded(term: &mut String, word: &str) {
    for character in fold::fold(word).chars() {
        match character {
            'æ' => term.push_str("ae"),
            'œ' => term.push_str("oe"),
            'þ' => term.push_str("th"),
            'ð' => term.push('d'),
            '״' => term.push('"'),
            TATWEEL => {}
            _ if is_apostrophe(character) => term.push('\''),
            _ if character.is_whitespace() || character.is_control() => {}
            _ => term.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_table_gives_what_folding_gives(word in "[\u{80}-\u{6FF}a-zA-Z]{1,12}") {
            let (mut term, mut folded) = (String::new(), String::new());
            push_term(&mut term, &word);
            push_folded(&mut folded, &word);
            folded.truncate(folded.floor_char_boundary(MAX_TERM_BYTES));
            prop_assert_eq!(term, folded);
        }
    }
}
