//! Matches a query by reading the texts. Slow: indexes must give the same answer.

use super::{Matcher, Query};
use crate::analysis::for_each_token;

impl Query {
    /// Whether a document with these texts matches. A phrase does not run from one text into the next.
    ///
    /// Reads all texts: use an index for many documents.
    pub fn matches(&self, texts: &[&str]) -> bool {
        let texts: Vec<Vec<(String, u32)>> = texts.iter().map(|text| tokens(text)).collect();
        let matches = |matcher: &Matcher| texts.iter().any(|tokens| matcher.matches(tokens));
        self.required().all(matches) && !self.excluded().any(matches)
    }
}

impl Matcher {
    fn matches(&self, tokens: &[(String, u32)]) -> bool {
        match self {
            Self::Term(term) => tokens.iter().any(|(other, _)| other == term),
            Self::Prefix(prefix) => tokens.iter().any(|(other, _)| other.starts_with(prefix)),
            Self::Phrase { terms, last_is_prefix } => {
                let starts = tokens.iter().map(|(_, position)| *position);
                starts.into_iter().any(|start| is_phrase_at(tokens, start, terms, *last_is_prefix))
            }
        }
    }
}

fn is_phrase_at(tokens: &[(String, u32)], start: u32, terms: &[(String, u32)], last_is_prefix: bool) -> bool {
    terms.iter().enumerate().all(|(index, (term, offset))| {
        let is_prefix = last_is_prefix && index + 1 == terms.len();
        let first = tokens.partition_point(|(_, position)| *position < start + offset);
        let here = tokens[first..].iter().take_while(|(_, position)| *position == start + offset);
        here.into_iter().any(|(other, _)| other == term || is_prefix && other.starts_with(term))
    })
}

fn tokens(text: &str) -> Vec<(String, u32)> {
    let mut tokens = Vec::new();
    for_each_token(text, 0, |token| tokens.push((token.term.to_owned(), token.position)));
    tokens
}
