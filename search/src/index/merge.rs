//! Makes one segment of several.

use std::collections::BTreeMap;
use std::ops::Range;

use super::block::{BlockWriter, for_each_list};
use super::builder::finish;
use super::documents::{encode_length, lengths_key, places_key};
use super::postings::Postings;
use super::segment::Segment;
use super::{Corrupt, Place};

/// One segment with all documents of complete `segments` that are still there.
///
/// A document is in only one of them.
pub fn merge(segments: &[Segment]) -> Result<Segment, Corrupt> {
    let mut documents: Vec<(Place, usize, u32)> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        for (number, place) in (0..).zip(segment.all_places()?) {
            documents.extend(place.map(|place| (place, index, number)));
        }
    }
    documents.sort_unstable();
    let mut numbers: Vec<Vec<Option<u32>>> =
        segments.iter().map(|segment| vec![None; segment.summary.documents as usize]).collect();
    let mut lengths = Vec::with_capacity(documents.len());
    let mut old_lengths = Vec::with_capacity(segments.len());
    for segment in segments {
        old_lengths.push(segment.lengths(0..segment.summary.documents)?);
    }
    for (new, (_, segment, old)) in (0..).zip(&documents) {
        numbers[*segment][*old as usize] = Some(new);
        lengths.push(encode_length(old_lengths[*segment][*old as usize]));
    }
    let places: Vec<_> = documents.into_iter().map(|(place, ..)| Some(place)).collect();
    let mut writer = BlockWriter::default();
    let mut sources: Vec<_> = segments.iter().map(TermReader::new).collect();
    for source in &mut sources {
        source.fill()?;
    }
    // A document's new number, and which of the positions are its.
    let mut merged: Vec<(u32, Range<usize>)> = Vec::new();
    let mut all_positions: Vec<u32> = Vec::new();
    while let Some(term) = sources.iter().filter_map(TermReader::term).min().map(<[u8]>::to_vec) {
        merged.clear();
        all_positions.clear();
        for (source, numbers) in sources.iter_mut().zip(&numbers) {
            let Some(postings) = source.take(&term)? else { continue };
            for (old, positions) in postings.iter() {
                if let Some(new) = *numbers.get(old as usize).ok_or(Corrupt)? {
                    merged.push((new, all_positions.len()..all_positions.len() + positions.len()));
                    all_positions.extend_from_slice(positions);
                }
            }
        }
        merged.sort_unstable_by_key(|(document, _)| *document);
        let mut postings = Postings::default();
        for (document, positions) in &merged {
            postings.push_document(*document, &all_positions[positions.clone()]);
        }
        if !postings.documents.is_empty() {
            writer.push(&term, &postings);
        }
    }
    Ok(finish(&places, &lengths, writer))
}

/// Reads the terms of a segment in order.
struct TermReader<'s> {
    blocks: std::slice::Iter<'s, (Vec<u8>, Vec<u8>)>,
    /// Of the blocks that were read.
    terms: BTreeMap<Vec<u8>, Postings>,
    /// The last term read may go on in the next block.
    is_complete: bool,
}

impl<'s> TermReader<'s> {
    fn new(segment: &'s Segment) -> Self {
        let after_documents = lengths_key(u32::MAX).max(places_key(u32::MAX));
        let begin = segment.blocks.partition_point(|(key, _)| *key <= after_documents);
        Self { blocks: segment.blocks[begin..].iter(), terms: BTreeMap::new(), is_complete: false }
    }

    /// Reads until the first term is known to be whole.
    fn fill(&mut self) -> Result<(), Corrupt> {
        while self.terms.len() < 2 && !self.is_complete {
            let Some((_, block)) = self.blocks.next() else {
                self.is_complete = true;
                break;
            };
            for_each_list(block, |term, list| {
                self.terms.entry(term.to_vec()).or_default().decode(list, true)?;
                Ok(true)
            })?;
        }
        Ok(())
    }

    fn term(&self) -> Option<&[u8]> {
        self.terms.first_key_value().map(|(term, _)| term.as_slice())
    }

    /// The postings of the first term, if it is this one.
    fn take(&mut self, term: &[u8]) -> Result<Option<Postings>, Corrupt> {
        if self.term() != Some(term) {
            return Ok(None);
        }
        let postings = self.terms.pop_first().map(|(_, postings)| postings);
        self.fill()?;
        Ok(postings)
    }
}
