//! Shows the part of a text that a query matches.

mod excerpt;
mod matches;

#[cfg(test)]
mod tests;

use crate::query::{Matcher, Query};
use excerpt::excerpt;
use matches::{Match, find_matches};

/// The longest snippet in code points.
pub const SNIPPET_CHARACTERS: usize = 200;

/// Texts are read in pieces of this many bytes. Once something matched and this much was read, the rest is
/// ignored.
const PIECE_BYTES: usize = 64 * 1024;

/// A part of a text on one line, with the matches in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The text, on one line. `…` at the start or the end says that the original continues there.
    pub text: String,
    /// The matches: in order, not overlapping.
    pub highlights: Vec<Highlight>,
}

/// A match in the text of a snippet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// Where the match begins, in code points (Unicode scalar values).
    pub offset: u32,
    /// How long it is, in code points.
    pub length: u32,
}

/// Returns the surroundings of the best match of the required clauses in the texts.
///
/// The best part of a text is the one in which most different clauses match; of these, the one with most
/// matches; of these, the first. Without a match, the snippet is the beginning of the first text that is not
/// blank.
///
/// The snippet has at most [`SNIPPET_CHARACTERS`] code points. Whitespace and control characters become single
/// spaces, bidirectional controls are removed. Text is cut between words if there is a space nearby, and never
/// within a grapheme cluster.
///
/// The time is linear in the length of the texts. If something matches in the first 64 KiB, only these are
/// read; otherwise reading ends with the first piece of 64 KiB that has a match.
pub fn snippet(texts: &[&str], query: &Query) -> Snippet {
    let matchers: Vec<&Matcher> = query.required().collect();
    let mut best: Option<(&str, Vec<Match>, Window)> = None;
    let mut read = 0;
    for text in texts {
        let matches = find_matches(text, &matchers, &mut read, best.is_some());
        let window = best_window(text, &matches, matchers.len());
        if let Some(window) = window
            && best.as_ref().is_none_or(|(_, _, best)| window.counts() > best.counts())
        {
            best = Some((text, matches, window));
        }
        if best.is_some() && read >= PIECE_BYTES {
            break;
        }
    }
    if let Some((text, matches, window)) = best {
        return excerpt(text, window.start..window.end, &matches);
    }
    let is_blank = |character: char| excerpt::is_space(character) || excerpt::is_hidden(character);
    let first = texts.iter().map(|text| (text, text.trim_start_matches(is_blank)));
    let Some((text, visible)) = first.into_iter().find(|(_, visible)| !visible.is_empty()) else {
        return Snippet { text: String::new(), highlights: Vec::new() };
    };
    let start = text.len() - visible.len();
    excerpt(text, start..start, &[])
}

/// A part of a text that fits into a snippet, and what matches in it.
struct Window {
    start: usize,
    end: usize,
    clause_count: usize,
    match_count: usize,
}

impl Window {
    /// Windows with greater counts are better.
    fn counts(&self) -> (usize, usize) {
        (self.clause_count, self.match_count)
    }
}

/// The best window that begins with a match. The matches are sorted by their start.
fn best_window(text: &str, matches: &[Match], clause_count: usize) -> Option<Window> {
    // Two for the marks of the cuts.
    let longest = SNIPPET_CHARACTERS - 2;
    let offsets = character_offsets(text, matches);
    let mut best: Option<Window> = None;
    let mut matches_per_clause = vec![0_usize; clause_count];
    let mut clauses_here = 0;
    // The first match behind the window.
    let mut next = 0;
    for (first, start) in matches.iter().enumerate() {
        while let Some(found) = matches.get(next)
            && (next == first || offsets[next].1 <= offsets[first].0 + longest)
        {
            clauses_here += usize::from(matches_per_clause[found.clause] == 0);
            matches_per_clause[found.clause] += 1;
            next += 1;
        }
        let match_count = next - first;
        if best.as_ref().is_none_or(|best| (clauses_here, match_count) > best.counts()) {
            let end = matches[first..next].iter().map(|found| found.end).max().unwrap_or(start.end);
            best = Some(Window { start: start.start, end, clause_count: clauses_here, match_count });
        }
        matches_per_clause[start.clause] -= 1;
        clauses_here -= usize::from(matches_per_clause[start.clause] == 0);
    }
    best
}

/// The start and end of every match in code points.
fn character_offsets(text: &str, matches: &[Match]) -> Vec<(usize, usize)> {
    let (mut at, mut offset) = (0, 0);
    let mut offsets = Vec::with_capacity(matches.len());
    for found in matches {
        offset += text[at..found.start].chars().count();
        at = found.start;
        // Matches are short.
        offsets.push((offset, offset + text[found.start..found.end].chars().count()));
    }
    offsets
}
