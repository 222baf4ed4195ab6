//! Parses what people type into a search box.
//!
//! A query is a list of clauses, separated by whitespace. All must match:
//!
//! - `word`: the word occurs.
//! - `"exact phrase"`: the words occur next to each other, in this order. Typographic quotes work too. A
//!   missing quote at the end is added.
//! - `begin*`: a word that begins so occurs.
//! - `-word`, `-"phrase"`, `-begin*`: must not match.
//!
//! Everything else is text: no input is a syntax error, and `AND`, `OR`, `NEAR` and brackets have no meaning.
//! `--option` is text, because two hyphens begin the options of programs.

mod parser;
mod reference;

#[cfg(test)]
mod tests;

pub use parser::parse;

/// The longest query in bytes.
pub const MAX_QUERY_BYTES: usize = 1024;

/// The most terms in all clauses together.
pub const MAX_QUERY_TERMS: usize = 64;

/// A parsed query: every required clause must match and no excluded clause may.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The clauses as written, without duplicates. At least one is required.
    pub clauses: Vec<Clause>,
}

/// One word or phrase of a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    /// Whether documents that match are left out.
    pub is_excluded: bool,
    /// The documents that match.
    pub matcher: Matcher,
}

/// Says which documents match a clause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// A document matches if it has this term.
    Term(String),
    /// A document matches if it has a term that begins so.
    Prefix(String),
    /// A document matches if one of its texts has all terms at successive places.
    Phrase {
        /// At least two terms, each with its offset in positions from the first. Offsets increase.
        terms: Vec<(String, u32)>,
        /// Whether the last term is a prefix.
        last_is_prefix: bool,
    },
}

/// Says why a query cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query has no word.
    #[error("the query must contain a word to search for")]
    Empty,
    /// The query has only excluded words.
    #[error("the query must contain a word to search for, not only words to exclude with `-`")]
    OnlyExcluded,
    /// The query is longer than [`MAX_QUERY_BYTES`].
    #[error("the query must be at most {limit} bytes long in UTF-8, got {bytes}")]
    TooLong {
        /// The length of the query.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// The query has more than [`MAX_QUERY_TERMS`] terms.
    #[error(
        "the query must have at most {limit} terms: words, parts of compound words, or pairs of characters"
    )]
    TooManyTerms {
        /// The most allowed.
        limit: usize,
    },
}

impl Query {
    /// The clauses that must match.
    pub fn required(&self) -> impl Iterator<Item = &Matcher> {
        self.clauses.iter().filter(|clause| !clause.is_excluded).map(|clause| &clause.matcher)
    }

    /// The clauses that must not match.
    pub fn excluded(&self) -> impl Iterator<Item = &Matcher> {
        self.clauses.iter().filter(|clause| clause.is_excluded).map(|clause| &clause.matcher)
    }
}

impl Matcher {
    /// How many terms must be looked up.
    fn term_count(&self) -> usize {
        match self {
            Self::Term(_) | Self::Prefix(_) => 1,
            Self::Phrase { terms, .. } => terms.len(),
        }
    }
}
