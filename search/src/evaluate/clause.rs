//! Finds the documents in which a clause of a query occurs.

use std::collections::BTreeSet;

use crate::index::block::{KeyRange, for_each_with_prefix, lazy_postings_of};
use crate::index::postings::{LazyPostings, Posting, Postings};
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
        return in_field(matcher, *field, segment);
    }
    let mut frequencies = vec![0u32; segment.summary.documents as usize];
    let mut count = |documents: &[Posting]| {
        for posting in documents {
            if let Some(frequency) = frequencies.get_mut(posting.document as usize) {
                *frequency = frequency.saturating_add(posting.frequency);
            }
        }
    };
    for field in fields {
        match matcher {
            Matcher::Prefix(prefix) => {
                let key = field.key(prefix.as_bytes());
                for_each_with_prefix(&segment.blocks, &key, false, |postings| count(&postings.documents))?;
            }
            _ => count(&in_field(matcher, *field, segment)?),
        }
    }
    let postings = (0..).zip(frequencies).filter(|(_, frequency)| *frequency > 0);
    Ok(postings.map(|(document, frequency)| Posting { document, frequency }).collect())
}

fn in_field(matcher: &Matcher, field: Field, segment: &Segment) -> Result<Vec<Posting>, Corrupt> {
    match matcher {
        Matcher::Term(term) => Ok(lazy_postings_of(&segment.blocks, &field.key(term.as_bytes()))?.documents),
        Matcher::Prefix(prefix) => Ok(with_prefix(&field.key(prefix.as_bytes()), segment)?.documents),
        Matcher::Phrase { terms, last_is_prefix } => phrase(terms, *last_is_prefix, field, segment),
    }
}

/// The beginnings of a phrase. Positions are decoded only in documents that have all terms.
fn phrase(
    terms: &[(String, u32)],
    last_is_prefix: bool,
    field: Field,
    segment: &Segment,
) -> Result<Vec<Posting>, Corrupt> {
    let key = |term: &str| field.key(term.as_bytes());
    let whole = &terms[..terms.len() - usize::from(last_is_prefix)];
    let mut lists = Vec::with_capacity(whole.len());
    let mut documents: Option<Vec<u32>> = None;
    for (term, _) in whole {
        let postings = lazy_postings_of(&segment.blocks, &key(term))?;
        let others = postings.documents.iter().map(|posting| posting.document);
        match &mut documents {
            Some(documents) => retain(documents, others, true),
            None => documents = Some(others.collect()),
        }
        lists.push(postings);
    }
    let last = match terms.last() {
        Some((term, offset)) if last_is_prefix => Some((with_prefix(&key(term), segment)?, *offset)),
        _ => None,
    };
    let Some(documents) = documents else {
        return Ok(last.map(|(postings, _)| postings.documents).unwrap_or_default());
    };
    let mut last = last.as_ref().map(|(postings, offset)| (postings.iter().peekable(), *offset));
    let mut readers: Vec<_> = lists.iter().map(LazyPostings::positions).collect();
    let (mut beginnings, mut places, mut found) = (Vec::new(), Vec::new(), Vec::new());
    'documents: for document in documents {
        for (index, (reader, (_, offset))) in readers.iter_mut().zip(whole).enumerate() {
            if index == 0 {
                reader.read(document, &mut beginnings)?;
                continue;
            }
            reader.read(document, &mut places)?;
            keep_followed(&mut beginnings, &places, *offset);
            if beginnings.is_empty() {
                continue 'documents;
            }
        }
        if let Some((postings, offset)) = &mut last {
            while postings.next_if(|(other, _)| *other < document).is_some() {}
            let Some((_, places)) = postings.peek().filter(|(other, _)| *other == document) else { continue };
            keep_followed(&mut beginnings, places, *offset);
            if beginnings.is_empty() {
                continue;
            }
        }
        found.push(Posting { document, frequency: beginnings.len() as u32 });
    }
    Ok(found)
}

/// Keeps the beginnings that have one of the places `offset` positions later.
fn keep_followed(beginnings: &mut Vec<u32>, places: &[u32], offset: u32) {
    let mut places = places.iter().peekable();
    beginnings.retain(|beginning| {
        let wanted = beginning.saturating_add(offset);
        while places.next_if(|place| **place < wanted).is_some() {}
        places.peek() == Some(&&wanted)
    });
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
