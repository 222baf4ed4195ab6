//! Words with an inner structure.
//!
//! A word such as `snake_case`, `example.com`, `don't`, `3.14` or `gpt4` gives the whole word at position p
//! and its parts at p, p+1, …: parts end at inner punctuation and between letters and digits. Underscores and
//! apostrophes at both ends are removed first, so that `_emphasis_` is a plain word.
//!
//! A part such as `HTTPServer` is also cut at changes of case. These pieces have the position of the part:
//! otherwise `"github actions"` would not match `GitHub Actions`, because case would change positions.
//!
//! Words longer than [`MAX_WORD_BYTES`] and words with more than [`MAX_PARTS`] parts, such as hashes, have no
//! parts.

use std::ops::Range;
use std::sync::LazyLock;

use icu_properties::props::DefaultIgnorableCodePoint;
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};

use super::terms::{TATWEEL, is_apostrophe, is_mark, push_term};
use super::{Token, TokenWriter};

const MAX_WORD_BYTES: usize = 128;
const MAX_PARTS: usize = 16;

const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

#[derive(Clone, Copy, PartialEq, Eq)]
enum CharacterClass {
    Lower,
    Upper,
    OtherLetter,
    Digit,
    Separator,
    /// Belongs to the character before it.
    Attached,
}

/// The classes of the characters from NUL to the end of Arabic, which are the most frequent.
static CLASSES: LazyLock<Vec<CharacterClass>> = LazyLock::new(|| ('\0'..'\u{700}').map(find_class).collect());

fn classify(character: char) -> CharacterClass {
    match character {
        'a'..='z' => CharacterClass::Lower,
        _ => CLASSES.get(character as usize).copied().unwrap_or_else(|| find_class(character)),
    }
}

fn find_class(character: char) -> CharacterClass {
    match character {
        'a'..='z' => CharacterClass::Lower,
        'A'..='Z' => CharacterClass::Upper,
        '0'..='9' => CharacterClass::Digit,
        _ if character.is_ascii() || is_apostrophe(character) => CharacterClass::Separator,
        _ if is_mark(character) || is_ignorable(character) || character == TATWEEL => {
            CharacterClass::Attached
        }
        _ if character.is_numeric() => CharacterClass::Digit,
        _ if character.is_lowercase() => CharacterClass::Lower,
        _ if character.is_uppercase() => CharacterClass::Upper,
        _ if character.is_alphabetic() => CharacterClass::OtherLetter,
        _ => CharacterClass::Separator,
    }
}

/// Whether the character is invisible and has no meaning of its own, such as a soft hyphen.
pub(super) fn is_ignorable(character: char) -> bool {
    !character.is_ascii() && IGNORABLE.contains(character)
}

impl<F: FnMut(Token<'_>)> TokenWriter<'_, F> {
    /// Writes a word and its parts.
    pub(super) fn write_word(&mut self, word: Range<usize>) {
        let range = trim(self.text, word);
        self.term.clear();
        push_term(&mut self.term, &self.text[range.clone()]);
        if self.term.is_empty() {
            return;
        }
        self.write_token(range.clone(), None);
        if range.len() > MAX_WORD_BYTES {
            self.advance(1);
            return;
        }
        self.written.clear();
        self.note_written();
        let mut parts = std::mem::take(&mut self.parts);
        split_at_separators(self.text, range.clone(), &mut parts);
        if parts.len() < 2 || parts.len() > MAX_PARTS {
            self.write_case_parts(range);
            self.advance(1);
        } else {
            let first_position = self.position;
            for part in &parts {
                if self.write_part(part.clone(), false) {
                    self.write_case_parts(part.clone());
                    self.advance(1);
                    self.written.clear();
                }
            }
            self.position = self.position.max(first_position.saturating_add(1));
        }
        self.parts = parts;
    }

    /// Writes a part unless its term is at this position already. Returns false if the part has no term.
    fn write_part(&mut self, range: Range<usize>, is_case_part: bool) -> bool {
        self.term.clear();
        push_term(&mut self.term, &self.text[range.clone()]);
        if !self.term.is_empty() && !self.written.split('\n').any(|term| term == self.term) {
            let (term, position) = (self.term.as_str(), self.position);
            (self.each)(Token { term, position, range, is_part: true, is_case_part, cluster: None });
            self.note_written();
        }
        !self.term.is_empty()
    }

    fn note_written(&mut self) {
        self.written.push_str(&self.term);
        self.written.push('\n');
    }

    fn write_case_parts(&mut self, part: Range<usize>) {
        let mut pieces = std::mem::take(&mut self.case_parts);
        split_at_case_changes(self.text, part, &mut pieces);
        if (2..=MAX_PARTS).contains(&pieces.len()) {
            for piece in &pieces {
                self.write_part(piece.clone(), true);
            }
        }
        self.case_parts = pieces;
    }
}

/// The word from its first letter or digit to its last, with the marks of that one.
fn trim(text: &str, word: Range<usize>) -> Range<usize> {
    let is_attached = |character| classify(character) == CharacterClass::Attached;
    let is_edge = |character| classify(character) == CharacterClass::Separator || is_attached(character);
    let start = word.end - text[word.clone()].trim_start_matches(is_edge).len();
    let base_end = start + text[start..word.end].trim_end_matches(is_edge).len();
    let marks =
        text[base_end..word.end].len() - text[base_end..word.end].trim_start_matches(is_attached).len();
    start..start + text[start..base_end + marks].trim_end_matches(is_ignorable).len()
}

/// The classes of the characters of a word, without those that belong to the character before them.
fn classified(text: &str, word: Range<usize>) -> impl Iterator<Item = (usize, CharacterClass)> {
    let characters = text[word.clone()].char_indices();
    let classes = characters.map(move |(at, character)| (word.start + at, classify(character)));
    classes.filter(|(_, class)| *class != CharacterClass::Attached)
}

fn split_at_separators(text: &str, word: Range<usize>, parts: &mut Vec<Range<usize>>) {
    parts.clear();
    let mut start = word.start;
    let mut previous = CharacterClass::Separator;
    for (at, class) in classified(text, word.clone()) {
        let is_boundary = (class == CharacterClass::Digit) != (previous == CharacterClass::Digit)
            || class == CharacterClass::Separator;
        if is_boundary && previous != CharacterClass::Separator {
            parts.push(start..at);
        }
        if is_boundary || previous == CharacterClass::Separator {
            start = at;
        }
        previous = class;
    }
    if previous != CharacterClass::Separator {
        parts.push(start..word.end);
    }
}

fn split_at_case_changes(text: &str, part: Range<usize>, pieces: &mut Vec<Range<usize>>) {
    pieces.clear();
    let mut start = part.start;
    let mut previous = CharacterClass::Separator;
    let mut characters = classified(text, part.clone()).peekable();
    while let Some((at, class)) = characters.next() {
        let is_before_lower = matches!(characters.peek(), Some((_, CharacterClass::Lower)));
        let is_boundary = class == CharacterClass::Upper
            && (previous == CharacterClass::Lower || previous == CharacterClass::Upper && is_before_lower);
        if is_boundary {
            pieces.push(start..at);
            start = at;
        }
        previous = class;
    }
    pieces.push(start..part.end);
}
