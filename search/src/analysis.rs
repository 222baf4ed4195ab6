//! Cuts a text into terms. Texts and queries go through the same rules.
//!
//! 1. Characters of scripts that are written without spaces, or whose particles are attached to words, form
//!    runs: see `clusters`. Emoji are terms of their own: see `pictographs`.
//! 2. The rest is split at the word boundaries of UAX #29. A word with an inner structure, such as
//!    `snake_case` or `gpt4`, gives the whole word and its parts: see `words`.
//! 3. Terms are folded with [`fold::fold`]. In addition, `æ` is `ae`, `œ` is `oe`, `þ` is `th`, `ð` is `d`,
//!    all apostrophes are `'`, and the Arabic tatweel is removed.
//!
//! Indexes store terms: a change of these rules needs a migration that indexes everything again.

mod ascii;
mod clusters;
mod pictographs;
mod terms;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

pub(crate) use clusters::ClusterTerm;
use terms::push_term;

/// The longest term in bytes. Longer terms are cut at a character boundary.
pub const MAX_TERM_BYTES: usize = 64;

/// A term at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folded word: at most [`MAX_TERM_BYTES`] long, never empty, without spaces and control characters.
    pub term: &'a str,
    /// The place of the term in the text. No two tokens of a text have the same term and position.
    pub position: u32,
    /// The bytes of the original text that the term stands for.
    pub range: Range<usize>,
    /// Whether this is a part of a structured word. The whole word comes before its parts.
    pub is_part: bool,
    /// Whether this part begins at a change of case only. It then has the position of the part around it.
    pub(crate) is_case_part: bool,
    /// Set if the term is made of clusters.
    pub(crate) cluster: Option<ClusterTerm>,
}

/// Calls `each` for every token in order of position; returns the position after the last.
///
/// Texts that are joined with ASCII whitespace between them give the same tokens as one call for each text,
/// with the position that the previous call returned.
pub fn for_each_token(text: &str, first_position: u32, each: impl FnMut(Token<'_>)) -> u32 {
    let mut writer = TokenWriter::new(text, first_position, each);
    if text.is_ascii() {
        writer.write_ascii_words(0..text.len());
        return writer.position;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut bits = 0;
        while let Some(byte) = bytes.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            bits |= byte;
            at += 1;
        }
        if bits.is_ascii() {
            writer.write_ascii_words(start..at);
        } else {
            writer.write_mixed(start..at);
        }
        at += 1;
    }
    writer.position
}

/// Cuts one text into tokens and hands them on.
struct TokenWriter<'t, F> {
    text: &'t str,
    position: u32,
    each: F,
    /// The term of the current token. Kept to avoid an allocation for every token.
    term: String,
    /// The parts of the current word.
    parts: Vec<Range<usize>>,
    /// The pieces of the current part.
    case_parts: Vec<Range<usize>>,
    /// The terms of the current word at the current position, each with a newline after it.
    written: String,
}

impl<'t, F: FnMut(Token<'_>)> TokenWriter<'t, F> {
    fn new(text: &'t str, position: u32, each: F) -> Self {
        let term = String::with_capacity(MAX_TERM_BYTES);
        Self { text, position, each, term, parts: Vec::new(), case_parts: Vec::new(), written: String::new() }
    }

    /// Writes the tokens of a piece of the text without ASCII whitespace.
    fn write_mixed(&mut self, piece: Range<usize>) {
        let text = self.text;
        let mut words_from = piece.start;
        let mut at = piece.start;
        while let Some(character) = text[at..piece.end].chars().next() {
            let next = at + character.len_utf8();
            if clusters::is_cluster_base(character) {
                self.write_words(words_from..at);
                at = self.write_run(at..piece.end);
                words_from = at;
            } else if pictographs::is_pictograph(character) {
                self.write_words(words_from..at);
                let length = text[at..piece.end].graphemes(true).next().map_or(next - at, str::len);
                self.write_pictograph(at..at + length);
                at += length;
                words_from = at;
            } else if let Some(length) = pictographs::keycap_length(&text[words_from..at], character) {
                self.write_words(words_from..at - length);
                self.write_pictograph(at - length..next);
                at = next;
                words_from = at;
            } else if character.is_whitespace() {
                self.write_words(words_from..at);
                at = next;
                words_from = at;
            } else {
                at = next;
            }
        }
        self.write_words(words_from..piece.end);
    }

    /// Writes a piece of the text without clusters and pictographs.
    fn write_words(&mut self, piece: Range<usize>) {
        let text = &self.text[piece.clone()];
        if text.is_ascii() {
            self.write_ascii_words(piece);
            return;
        }
        for (start, word) in text.unicode_word_indices() {
            let start = piece.start + start;
            self.write_word(start..start + word.len());
        }
    }

    fn write_pictograph(&mut self, range: Range<usize>) {
        self.term.clear();
        let without_tones: String =
            self.text[range.clone()].chars().filter(|tone| !pictographs::is_skin_tone(*tone)).collect();
        push_term(&mut self.term, &without_tones);
        if !self.term.is_empty() {
            self.write_token(range, None);
            self.advance(1);
        }
    }

    fn write_token(&mut self, range: Range<usize>, cluster: Option<ClusterTerm>) {
        let (term, position) = (self.term.as_str(), self.position);
        (self.each)(Token { term, position, range, is_part: false, is_case_part: false, cluster });
    }

    fn advance(&mut self, positions: u32) {
        self.position = self.position.saturating_add(positions);
    }
}
