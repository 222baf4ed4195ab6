//! Finds the documents in which a clause of a query occurs.

use std::collections::BTreeSet;

use crate::index::block::{KeyRange, for_each_with_prefix, postings_among, postings_of};
use crate::index::postings::{Posting, Postings};
use crate::index::segment::Segment;
use crate::index::{Corrupt, Field};
use crate::query::Matcher;

/// The blocks that a clause needs.
pub(super) fn ranges(matcher: &Matcher, field: Field, ranges: &mut BTreeSet<KeyRange>) {
    match matcher {
        Matcher::Term(term) => {
            ranges.insert(KeyRange::of_term(&field.key(term.as_bytes())));
        }
        Matcher::Prefix(prefix) => {
            ranges.insert(KeyRange::of_prefix(&field.key(prefix.as_bytes())));
        }
        Matcher::Phrase { terms, last_is_prefix } => {
            for (index, (term, _)) in terms.iter().enumerate() {
                let key = field.key(term.as_bytes());
                let is_prefix = *last_is_prefix && index + 1 == terms.len();
                ranges.insert(if is_prefix { KeyRange::of_prefix(&key) } else { KeyRange::of_term(&key) });
            }
        }
    }
}

/// The documents that a clause matches in any of the fields, ascending, and how often it occurs there.
pub(super) fn occurrences(
    matcher: &Matcher,
    fields: &[Field],
    segment: &Segment,
) -> Result<Vec<Posting>, Corrupt> {
    let is_plain = fields.len() == 1 && !matches!(matcher, Matcher::Prefix(_));
    if let (true, Some(field)) = (is_plain, fields.first()) {
        return Ok(in_field(matcher, *field, segment)?.documents);
    }
    let mut frequencies = vec![0u32; segment.summary.documents as usize];
    let mut count = |postings: &Postings| {
        for posting in &postings.documents {
            if let Some(frequency) = frequencies.get_mut(posting.document as usize) {
                *frequency = frequency.saturating_add(posting.frequency);
            }
        }
    };
    for field in fields {
        match matcher {
            Matcher::Prefix(prefix) => {
                for_each_with_prefix(&segment.blocks, &field.key(prefix.as_bytes()), false, &mut count)?;
            }
            _ => count(&in_field(matcher, *field, segment)?),
        }
    }
    let postings = (0..).zip(frequencies).filter(|(_, frequency)| *frequency > 0);
    Ok(postings.map(|(document, frequency)| Posting { document, frequency }).collect())
}

fn in_field(matcher: &Matcher, field: Field, segment: &Segment) -> Result<Postings, Corrupt> {
    match matcher {
        Matcher::Term(term) => postings_of(&segment.blocks, &field.key(term.as_bytes()), false),
        Matcher::Prefix(prefix) => with_prefix(&field.key(prefix.as_bytes()), segment),
        Matcher::Phrase { terms, last_is_prefix } => phrase(terms, *last_is_prefix, field, segment),
    }
}

/// The beginnings of a phrase. Positions are read only in documents that have all terms.
fn phrase(
    terms: &[(String, u32)],
    last_is_prefix: bool,
    field: Field,
    segment: &Segment,
) -> Result<Postings, Corrupt> {
    let whole = terms.len() - usize::from(last_is_prefix);
    let mut documents: Option<Vec<u32>> = None;
    for (term, _) in &terms[..whole] {
        let postings = postings_of(&segment.blocks, &field.key(term.as_bytes()), false)?;
        let others = postings.documents.iter().map(|posting| posting.document);
        match &mut documents {
            Some(documents) => retain(documents, others, true),
            None => documents = Some(others.collect()),
        }
    }
    let documents = documents.unwrap_or_default();
    let mut found: Option<Postings> = None;
    for (index, (term, offset)) in terms.iter().enumerate() {
        let key = field.key(term.as_bytes());
        let postings = if index < whole {
            postings_among(&segment.blocks, &key, &documents)?
        } else {
            with_prefix(&key, segment)?
        };
        let both = match found {
            Some(found) => followed_by(&found, &postings, *offset),
            None => postings,
        };
        if both.documents.is_empty() {
            return Ok(both);
        }
        found = Some(both);
    }
    Ok(found.unwrap_or_default())
}

/// Keeps the documents that are, or are not, among ascending others.
pub(super) fn retain(documents: &mut Vec<u32>, others: impl Iterator<Item = u32>, are_kept: bool) {
    let mut others = others.peekable();
    documents.retain(|document| {
        while others.next_if(|other| other < document).is_some() {}
        (others.peek() == Some(document)) == are_kept
    });
}

/// All terms with a prefix as if they were one, with positions.
fn with_prefix(prefix: &[u8], segment: &Segment) -> Result<Postings, Corrupt> {
    let mut places = Vec::new();
    for_each_with_prefix(&segment.blocks, prefix, true, |postings| {
        for (document, positions) in postings.iter() {
            places.extend(positions.iter().map(|position| (document, *position)));
        }
    })?;
    places.sort_unstable();
    places.dedup();
    let mut postings = Postings::default();
    for (document, position) in places {
        postings.push(document, position);
    }
    Ok(postings)
}

/// The beginnings that have `next` `offset` positions later.
fn followed_by(beginnings: &Postings, next: &Postings, offset: u32) -> Postings {
    let mut found = Postings::default();
    let mut others = next.iter().peekable();
    for (document, positions) in beginnings.iter() {
        while others.next_if(|(other, _)| *other < document).is_some() {}
        let Some((_, places)) = others.peek().filter(|(other, _)| *other == document) else { continue };
        let mut places = places.iter().peekable();
        for position in positions {
            let wanted = position.saturating_add(offset);
            while places.next_if(|place| **place < wanted).is_some() {}
            if places.peek() == Some(&&wanted) {
                found.push(document, *position);
            }
        }
    }
    found
}
