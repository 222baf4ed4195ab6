//! Finds the matches of clauses in a text, in one pass.

use std::ops::Range;

use super::PIECE_BYTES;
use crate::analysis::{ClusterTerm, Token, for_each_token};
use crate::query::Matcher;

/// A match of a clause in a text.
pub(super) struct Match {
    /// The index of the clause.
    pub(super) clause: usize,
    /// The first byte of the match.
    pub(super) start: usize,
    /// The end of the match in bytes.
    pub(super) end: usize,
    /// The tokens that match.
    pub(super) tokens: Vec<Range<usize>>,
}

/// A phrase of which the first terms were found.
struct PartialPhrase {
    clause: usize,
    first_position: u32,
    tokens: Vec<Range<usize>>,
}

/// Returns the matches, sorted by their start. Adds the bytes read to `read`.
///
/// Stops after a piece if something matches, here or before, and [`PIECE_BYTES`] are read.
pub(super) fn find_matches(
    text: &str,
    matchers: &[&Matcher],
    read: &mut usize,
    has_match: bool,
) -> Vec<Match> {
    let mut finder = MatchFinder { matchers, matches: Vec::new(), partial: Vec::new() };
    let mut start = 0;
    let mut position = 0;
    while start < text.len() {
        let end = piece_end(text, start);
        position = for_each_token(&text[start..end], position, |mut token| {
            token.range = start + token.range.start..start + token.range.end;
            if let Some(ClusterTerm::Pair { first_end, .. }) = &mut token.cluster {
                *first_end += start;
            }
            finder.add(&token);
        });
        *read += end - start;
        start = end;
        if *read >= PIECE_BYTES && (has_match || !finder.matches.is_empty()) {
            break;
        }
    }
    let mut matches = finder.matches;
    matches.sort_by_key(|found| found.start);
    matches
}

/// The end of a piece: after whitespace, where no token is cut, if there is any.
fn piece_end(text: &str, start: usize) -> usize {
    if text.len() - start <= PIECE_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(start + PIECE_BYTES);
    let space = text.as_bytes()[start..end].iter().rposition(u8::is_ascii_whitespace);
    space.map_or(end, |space| start + space + 1)
}

struct MatchFinder<'q> {
    matchers: &'q [&'q Matcher],
    matches: Vec<Match>,
    partial: Vec<PartialPhrase>,
}

impl MatchFinder<'_> {
    fn add(&mut self, token: &Token<'_>) {
        self.continue_phrases(token);
        for (clause, matcher) in self.matchers.iter().enumerate() {
            match matcher {
                Matcher::Term(term) if token.term == term => {
                    self.add_match(clause, vec![token.range.clone()]);
                }
                Matcher::Prefix(prefix) if token.term.starts_with(prefix.as_str()) => {
                    self.add_match(clause, vec![prefix_range(token, prefix)]);
                }
                Matcher::Phrase { terms, .. }
                    if terms.first().is_some_and(|(term, _)| term == token.term) =>
                {
                    let (first_position, tokens) = (token.position, vec![token.range.clone()]);
                    self.partial.push(PartialPhrase { clause, first_position, tokens });
                }
                _ => {}
            }
        }
    }

    fn continue_phrases(&mut self, token: &Token<'_>) {
        let mut partial = std::mem::take(&mut self.partial);
        partial.retain_mut(|phrase| {
            let Matcher::Phrase { terms, last_is_prefix } = self.matchers[phrase.clause] else {
                return false;
            };
            let Some((term, offset)) = terms.get(phrase.tokens.len()) else {
                return false;
            };
            let expected = phrase.first_position.saturating_add(*offset);
            if token.position != expected {
                return token.position < expected;
            }
            let is_last = phrase.tokens.len() + 1 == terms.len();
            let is_prefix = is_last && *last_is_prefix && token.term.starts_with(term.as_str());
            if is_prefix {
                phrase.tokens.push(prefix_range(token, term));
            } else if token.term == term {
                phrase.tokens.push(token.range.clone());
            } else {
                return true;
            }
            if is_last {
                self.add_match(phrase.clause, std::mem::take(&mut phrase.tokens));
            }
            !is_last
        });
        self.partial = partial;
    }

    fn add_match(&mut self, clause: usize, tokens: Vec<Range<usize>>) {
        let start = tokens.iter().map(|token| token.start).min().unwrap_or_default();
        let end = tokens.iter().map(|token| token.end).max().unwrap_or_default();
        self.matches.push(Match { clause, start, end, tokens });
    }
}

/// The whole token, or its first cluster if the prefix is one cluster.
fn prefix_range(token: &Token<'_>, prefix: &str) -> Range<usize> {
    match token.cluster {
        Some(ClusterTerm::Pair { first_end, first_term_length }) if prefix.len() <= first_term_length => {
            token.range.start..first_end
        }
        _ => token.range.clone(),
    }
}
