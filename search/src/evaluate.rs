//! Runs a query on segments.
//!
//! 1. [`Plan::ranges`] says which blocks of a segment the query needs.
//! 2. [`Plan::matches`] finds the documents that match, and how well.
//! 3. [`page::candidates`] picks those that can be on a page, and says which places must be known.
//! 4. [`page::hits`] sorts them.
//!
//! A score depends on the document and the query only, not on other documents. So it is the same on every database,
//! tells nothing of others, and stays the same while messages arrive.

mod clause;
pub mod page;
mod score;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use clause::retain;

use crate::index::block::{KeyRange, postings_of};
use crate::index::builder::model_term;
use crate::index::documents::lengths_key;
use crate::index::segment::Segment;
use crate::index::{Corrupt, Field};
use crate::query::Query;

/// Which documents are looked at. An empty list of alternatives stands for none, `None` for all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these conversations.
    pub conversations: Option<Vec<[u8; 16]>>,
    /// In none of these conversations.
    pub excluded_conversations: Vec<[u8; 16]>,
    /// With one of these roles, by number.
    pub roles: Option<Vec<u8>>,
    /// From one of these models.
    pub models: Option<Vec<String>>,
    /// At this time or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time, in microseconds since 1970.
    pub until: Option<i64>,
}

/// In which order matches are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The highest score first, then the newest.
    Relevance,
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// A document that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its number in the segment.
    pub document: u32,
    /// How well it matches; 0 if nobody wants to know.
    pub score: u32,
}

/// A query, where to look, and what for.
#[derive(Debug, Clone)]
pub struct Plan<'q> {
    /// What must occur.
    pub query: &'q Query,
    /// Where.
    pub fields: &'q [Field],
    /// In which documents.
    pub filter: &'q Filter,
    /// Whether scores are wanted.
    pub is_scored: bool,
}

impl Plan<'_> {
    /// The blocks that [`Plan::matches`] needs of every segment.
    pub fn ranges(&self) -> Vec<KeyRange> {
        let mut ranges = BTreeSet::new();
        for clause in &self.query.clauses {
            for field in self.fields {
                clause::ranges(&clause.matcher, *field, &mut ranges);
            }
        }
        let excluded = Some(self.excluded_conversations());
        for terms in
            [self.wanted_conversations(), self.roles(), self.models(), excluded].into_iter().flatten()
        {
            ranges.extend(terms.iter().map(|term| KeyRange::of_term(term)));
        }
        if self.is_scored {
            ranges.insert(KeyRange { from: lengths_key(0), to: lengths_key(u32::MAX) });
        }
        ranges.into_iter().collect()
    }

    /// The documents of a segment that match, ascending. The filter's times are left to [`page`].
    ///
    /// # Errors
    /// A block cannot be read.
    pub fn matches(&self, segment: &Segment) -> Result<Vec<Match>, Corrupt> {
        let mut clauses = Vec::new();
        for matcher in self.query.required() {
            let found = clause::occurrences(matcher, self.fields, segment)?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            clauses.push(found);
        }
        clauses.sort_by_key(Vec::len);
        let Some(shortest) = clauses.first() else { return Ok(Vec::new()) };
        let mut documents: Vec<u32> = shortest.iter().map(|occurrence| occurrence.document).collect();
        for other in &clauses[1..] {
            retain(&mut documents, other.iter().map(|occurrence| occurrence.document), true);
        }
        for terms in [self.wanted_conversations(), self.roles(), self.models()].into_iter().flatten() {
            retain(&mut documents, with_any(&terms, segment)?.into_iter(), true);
        }
        let excluded = self.excluded_conversations();
        if !excluded.is_empty() {
            retain(&mut documents, with_any(&excluded, segment)?.into_iter(), false);
        }
        for matcher in self.query.excluded() {
            let found = clause::occurrences(matcher, self.fields, segment)?;
            retain(&mut documents, found.iter().map(|occurrence| occurrence.document), false);
        }
        let mut matches: Vec<_> =
            documents.into_iter().map(|document| Match { document, score: 0 }).collect();
        if self.is_scored {
            score::add_scores(&mut matches, &clauses, segment)?;
        }
        Ok(matches)
    }

    fn wanted_conversations(&self) -> Option<Vec<Vec<u8>>> {
        let conversations = self.filter.conversations.as_ref()?;
        Some(conversations.iter().map(|id| Field::Conversation.key(id)).collect())
    }

    fn excluded_conversations(&self) -> Vec<Vec<u8>> {
        self.filter.excluded_conversations.iter().map(|id| Field::Conversation.key(id)).collect()
    }

    fn roles(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.filter.roles.as_ref()?.iter().map(|role| Field::Role.key(&[*role])).collect())
    }

    fn models(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.filter.models.as_ref()?.iter().map(|model| Field::Model.key(model_term(model))).collect())
    }
}

/// The documents that have one of these terms, ascending.
fn with_any(terms: &[Vec<u8>], segment: &Segment) -> Result<Vec<u32>, Corrupt> {
    let mut documents = Vec::new();
    for term in terms {
        let postings = postings_of(&segment.blocks, term, false)?;
        documents.extend(postings.documents.iter().map(|posting| posting.document));
    }
    documents.sort_unstable();
    documents.dedup();
    Ok(documents)
}
