//! How well a document matches.
//!
//! A clause that occurs `f` times in a document of `n` terms gives `1,000 · f / (f + 0.3 + 0.009 · n)`: BM25 (Robertson
//! and Zaragoza, 2009) with `k1 = 1.2` and `b = 0.75`, an average length of 100 terms, and no weight for rare words,
//! because all words must occur anyway and the weight would change with every message. Integers only, so that
//! every machine computes the same.

use super::Match;
use crate::index::Corrupt;
use crate::index::postings::Posting;
use crate::index::segment::Segment;

pub(super) fn add_scores(
    matches: &mut [Match],
    clauses: &[Vec<Posting>],
    segment: &Segment,
) -> Result<(), Corrupt> {
    let lengths = segment.lengths(matches.iter().map(|found| found.document))?;
    for clause in clauses {
        let mut occurrences = clause.iter().peekable();
        for (found, length) in matches.iter_mut().zip(&lengths) {
            while occurrences.next_if(|occurrence| occurrence.document < found.document).is_some() {}
            if let Some(occurrence) = occurrences.peek().filter(|other| other.document == found.document) {
                found.score += of_clause(occurrence.frequency, *length);
            }
        }
    }
    Ok(())
}

fn of_clause(frequency: u32, length: u32) -> u32 {
    let frequency = u64::from(frequency) * 1000;
    (1000 * frequency / (frequency + 300 + 9 * u64::from(length))) as u32
}
