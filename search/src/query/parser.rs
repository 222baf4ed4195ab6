//! Cuts a query into clauses and analyses their words.

use super::{Clause, MAX_QUERY_BYTES, MAX_QUERY_TERMS, Matcher, Query, QueryError};
use crate::analysis::{ClusterTerm, for_each_token};

/// Parses a query.
///
/// # Errors
///
/// If the query is too long, has too many terms, or has no required clause.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(QueryError::TooLong { bytes: text.len(), limit: MAX_QUERY_BYTES });
    }
    let mut clauses = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (clause, after) = parse_clause(rest);
        if let Some(clause) = clause.filter(|clause| !clauses.contains(clause)) {
            clauses.push(clause);
        }
        rest = after.trim_start();
    }
    if clauses.iter().map(|clause| clause.matcher.term_count()).sum::<usize>() > MAX_QUERY_TERMS {
        return Err(QueryError::TooManyTerms { limit: MAX_QUERY_TERMS });
    }
    if clauses.is_empty() {
        return Err(QueryError::Empty);
    }
    if clauses.iter().all(|clause| clause.is_excluded) {
        return Err(QueryError::OnlyExcluded);
    }
    Ok(Query { clauses })
}

/// Parses the clause that the text begins with; returns the text after it. The text must not be empty.
fn parse_clause(text: &str) -> (Option<Clause>, &str) {
    let without_minus = text.strip_prefix(is_minus).filter(|rest| !rest.starts_with(is_minus));
    let is_excluded = without_minus.is_some();
    let text = without_minus.unwrap_or(text);
    let (matcher, rest) = match text.strip_prefix(is_quote) {
        Some(phrase) => {
            let end = phrase_end(phrase);
            let rest = &phrase[end..];
            (phrase_matcher(&phrase[..end]), rest.strip_prefix(is_quote).unwrap_or(rest))
        }
        None => {
            let (word, rest) = text.split_at(word_end(text));
            (word_matcher(word), rest)
        }
    };
    (matcher.map(|matcher| Clause { is_excluded, matcher }), rest)
}

/// Hyphens that keyboards produce, also in full width.
fn is_minus(character: char) -> bool {
    matches!(character, '-' | '－' | '−')
}

fn is_star(character: char) -> bool {
    matches!(character, '*' | '＊')
}

fn is_quote(character: char) -> bool {
    matches!(character, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '＂')
}

/// Whether the `"` at this place stands between Hebrew letters: it is then part of an abbreviation.
fn is_in_hebrew_word(text: &str, at: usize) -> bool {
    let is_hebrew = |character| ('א'..='ת').contains(&character);
    let rest = &text[at..];
    rest.strip_prefix('"').is_some_and(|after| after.starts_with(is_hebrew))
        && text[..at].ends_with(is_hebrew)
}

/// Where the phrase ends: at the next quote.
fn phrase_end(text: &str) -> usize {
    let mut quotes = text.match_indices(is_quote).map(|(at, _)| at);
    quotes.find(|at| !is_in_hebrew_word(text, *at)).unwrap_or(text.len())
}

/// Where the word ends: at whitespace, or at a quote that opens a phrase. A quote directly after a letter or
/// digit, as in `3.5"`, opens none.
fn word_end(text: &str) -> usize {
    let opens = |at: usize| !text[..at].ends_with(char::is_alphanumeric);
    let ends = |(at, character): &(usize, char)| {
        character.is_whitespace() || *at > 0 && is_quote(*character) && opens(*at)
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

/// A token of a query.
struct QueryToken {
    term: String,
    position: u32,
    cluster: Option<ClusterTerm>,
}

impl QueryToken {
    /// Whether this token also stands for longer ones. A star after a pair of clusters has no effect, because
    /// terms have at most two. A single cluster needs none: it is the beginning of a pair in longer runs.
    fn is_prefix(&self, has_star: bool) -> bool {
        match self.cluster {
            None => has_star,
            Some(ClusterTerm::Pair { .. }) => false,
            Some(ClusterTerm::Only | ClusterTerm::Last) => true,
        }
    }
}

/// The tokens of a piece of a query.
struct Analysis {
    /// The only word, if there is one word.
    only_word: Option<String>,
    /// The smallest tokens whose positions do not depend on case: parts in place of whole words. The last
    /// cluster of a run is left out, because the pair before it says more.
    finest: Vec<QueryToken>,
}

fn analyse(text: &str) -> Analysis {
    let mut words = 0;
    let mut only_word = None;
    let mut finest: Vec<QueryToken> = Vec::new();
    let mut is_after_whole = false;
    for_each_token(text, 0, |token| {
        if token.is_case_part || token.cluster == Some(ClusterTerm::Last) {
            return;
        }
        if !token.is_part {
            words += 1;
            only_word = (words == 1).then(|| token.term.to_owned());
        } else if is_after_whole {
            finest.pop();
        }
        is_after_whole = !token.is_part;
        let (term, position, cluster) = (token.term.to_owned(), token.position, token.cluster);
        finest.push(QueryToken { term, position, cluster });
    });
    Analysis { only_word, finest }
}

fn word_matcher(word: &str) -> Option<Matcher> {
    let text = word.trim_end_matches(is_star);
    let has_star = text.len() < word.len();
    let Analysis { only_word, mut finest } = analyse(text);
    if let Some(term) = only_word {
        // The whole word, not its parts.
        let position = 0;
        let cluster = finest.pop().and_then(|token| token.cluster);
        finest = vec![QueryToken { term, position, cluster }];
    }
    sequence_matcher(finest, has_star)
}

fn phrase_matcher(text: &str) -> Option<Matcher> {
    sequence_matcher(analyse(text).finest, false)
}

fn sequence_matcher(mut tokens: Vec<QueryToken>, has_star: bool) -> Option<Matcher> {
    let last_is_prefix = tokens.last()?.is_prefix(has_star);
    let first_position = tokens.first()?.position;
    if tokens.len() > 1 {
        let terms = tokens.into_iter().map(|token| (token.term, token.position - first_position)).collect();
        return Some(Matcher::Phrase { terms, last_is_prefix });
    }
    let term = tokens.pop()?.term;
    Some(if last_is_prefix { Matcher::Prefix(term) } else { Matcher::Term(term) })
}
