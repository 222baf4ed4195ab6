//! Takes messages out of the segments they are in, so that nothing of their text is left.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait;
use search::index::block::{KeyRange, postings_of};
use search::index::documents::places_key;
use search::index::removal::{Outcome, remove};
use search::index::{DOCUMENTS_A_BLOCK, Field};

use super::blocks;
use super::documents::corrupt;
use super::state::SegmentRow;
use super::tail::has;
use crate::model::{ConversationId, OwnerId};
use crate::store::error::Result;

/// A block of a segment that is to be changed. `None` removes it.
pub(super) type BlockChange = (i64, Vec<u8>, Option<Vec<u8>>);

/// The documents, by segment, that are at some places or anywhere in some conversations.
pub(super) async fn locate(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    segments: &[SegmentRow],
    places: &BTreeSet<(ConversationId, i64)>,
    conversations: &BTreeSet<ConversationId>,
) -> Result<BTreeMap<i64, BTreeSet<u32>>> {
    let mut found: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
    let wanted: BTreeSet<_> = places.iter().map(|(id, _)| *id).chain(conversations.iter().copied()).collect();
    let key = |id: &ConversationId| Field::Conversation.key(id.0.as_bytes());
    let ranges: Vec<_> = wanted.iter().map(|id| KeyRange::of_term(&key(id))).collect();
    let mut parts = blocks::of_segments(connection, owner, segments, &ranges, None).await?;
    for (row, part) in segments.iter().zip(&mut parts) {
        let mut candidates = BTreeSet::new();
        for id in &wanted {
            let postings = postings_of(&part.blocks, &key(id), false).map_err(corrupt)?;
            let documents = postings.documents.iter().map(|posting| posting.document);
            if conversations.contains(id) {
                found.entry(row.id).or_default().extend(documents);
            } else {
                candidates.extend(documents);
            }
        }
        let keys: BTreeSet<_> = candidates.iter().map(|document| places_key(*document)).collect();
        let ranges: Vec<_> = keys.into_iter().map(|key| (row.id, KeyRange::of_block(key))).collect();
        for (_, blocks) in blocks::in_ranges(connection, owner, &ranges, None).await? {
            blocks::add(part, blocks);
        }
        let mut block = (u32::MAX, Vec::new());
        for document in candidates {
            let number = document / DOCUMENTS_A_BLOCK;
            if block.0 != number {
                block = (number, part.places(document).map_err(corrupt)?);
            }
            let place = block.1.get((document % DOCUMENTS_A_BLOCK) as usize).copied().flatten();
            if place.is_some_and(|place| has(places, &place)) {
                found.entry(row.id).or_default().insert(document);
            }
        }
    }
    Ok(found)
}

/// The blocks that have something of the documents, as they are without them.
pub(super) async fn changed_blocks(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    documents: &BTreeMap<i64, BTreeSet<u32>>,
) -> Result<Vec<BlockChange>> {
    let mut changed = Vec::new();
    for (segment, documents) in documents {
        let mut last = Vec::new();
        loop {
            let page = blocks::after(connection, owner, *segment, &last).await?;
            let Some((key, _)) = page.last() else { break };
            last.clone_from(key);
            for (key, block) in page {
                match remove(&key, &block, documents).map_err(corrupt)? {
                    Outcome::Unchanged => {}
                    Outcome::Replaced(block) => changed.push((*segment, key, Some(block))),
                    Outcome::Emptied => changed.push((*segment, key, None)),
                }
            }
        }
    }
    Ok(changed)
}
