//! Which matches are on a page.
//!
//! A segment's documents are sorted by time, but exact times stand in the blocks of places. Of a document without its
//! block only a range of time is known. So a page is found in two steps: [`candidates`] leaves out what cannot be on
//! it, and once the places are known, [`hits`] sorts the rest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Filter, Match, Order};
use crate::index::documents::places_key;
use crate::index::segment::{Segment, Summary};
use crate::index::{Corrupt, DOCUMENTS_A_BLOCK, Place};

/// A place in the list of matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// How well the document matches; 0 in orders by time.
    pub score: u32,
    /// Where the document is.
    pub place: Place,
}

impl Hit {
    /// Smaller hits come first.
    fn sort_key(&self, order: Order) -> (Reverse<u32>, Place, Reverse<Place>) {
        let place = self.place;
        let nowhere = Place { created_at: 0, conversation: [0; 16], position: 0 };
        match order {
            Order::Oldest => (Reverse(self.score), place, Reverse(nowhere)),
            Order::Relevance | Order::Newest => (Reverse(self.score), nowhere, Reverse(place)),
        }
    }
}

/// What a page begins after, and how many hits it has.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// In which order.
    pub order: Order,
    /// The last hit of the page before.
    pub after: Option<Hit>,
    /// How many.
    pub count: usize,
}

/// A match that may be on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which segment.
    pub segment: usize,
    /// Which document of it.
    pub found: Match,
}

impl Candidate {
    /// The key of the block that says where the document is.
    pub fn places_key(&self) -> Vec<u8> {
        places_key(self.found.document)
    }
}

/// Larger values come first.
type Value = (u32, i64);

fn value(score: u32, time: i64, order: Order) -> Value {
    if order == Order::Oldest { (score, time.saturating_neg()) } else { (score, time) }
}

/// The matches, by segment, that can be on the page.
pub fn candidates(
    segments: &[(&Summary, &[Match])],
    filter: &Filter,
    request: &PageRequest,
) -> Vec<Candidate> {
    let PageRequest { order, after, count } = *request;
    let after = after.map(|hit| value(hit.score, hit.place.created_at, order));
    let (since, until) = (filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX));
    // Each with the best value it can have.
    let mut possible: Vec<(Value, Candidate)> = Vec::new();
    // The worst values of those that are on this page or a later one for sure.
    let mut certain: Vec<Value> = Vec::new();
    for (index, (summary, matches)) in segments.iter().enumerate() {
        for found in *matches {
            let (from, to) = summary.time_range(found.document);
            if to < since || from >= until {
                continue;
            }
            let (one, other) = (value(found.score, from, order), value(found.score, to, order));
            let (worst, best) = (one.min(other), one.max(other));
            if after.is_some_and(|after| worst > after) {
                continue;
            }
            if from >= since && to < until && after.is_none_or(|after| best < after) {
                certain.push(worst);
            }
            possible.push((best, Candidate { segment: index, found: *found }));
        }
    }
    if let Some(last) = count.checked_sub(1).filter(|last| *last < certain.len()) {
        let (_, threshold, _) = certain.select_nth_unstable_by_key(last, |value| Reverse(*value));
        let threshold = *threshold;
        possible.retain(|(best, _)| *best >= threshold);
    }
    possible.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The page, once the blocks of the candidates' places are in the segments.
///
/// # Errors
/// A block is missing or cannot be read.
pub fn hits(
    candidates: &[Candidate],
    segments: &[&Segment],
    filter: &Filter,
    request: &PageRequest,
) -> Result<Vec<Hit>, Corrupt> {
    let PageRequest { order, after, count } = *request;
    let after = after.map(|hit| hit.sort_key(order));
    let mut places: BTreeMap<(usize, u32), Vec<Option<Place>>> = BTreeMap::new();
    let mut hits = Vec::with_capacity(candidates.len());
    for Candidate { segment, found } in candidates {
        let block = (*segment, found.document / DOCUMENTS_A_BLOCK);
        let places = match places.entry(block) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(segments.get(*segment).ok_or(Corrupt)?.places(found.document)?)
            }
        };
        let place = places.get((found.document % DOCUMENTS_A_BLOCK) as usize);
        let Some(place) = place.copied().flatten() else { continue };
        let hit = Hit { score: found.score, place };
        let is_in_time = filter.since.is_none_or(|since| place.created_at >= since)
            && filter.until.is_none_or(|until| place.created_at < until);
        if is_in_time && after.is_none_or(|after| hit.sort_key(order) > after) {
            hits.push(hit);
        }
    }
    hits.sort_unstable_by_key(|hit| hit.sort_key(order));
    hits.truncate(count);
    Ok(hits)
}
