//! Makes one segment of many, so that a query has few to look into.
//!
//! Segments are sorted into levels by size. When a level has [`SEGMENTS_A_LEVEL`], they become one of the next level. So a
//! message is written a few times, and an owner has at most some 7 segments a level, and as many large ones as it takes.

use search::index::segment::Segment;

use super::state::{self, SegmentRow, State};
use super::{blocks, documents, write};
use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::error::Result;
use crate::store::snapshot;

/// The most documents of a segment. It bounds the memory that merging needs: about 30 MB.
const MAX_DOCUMENTS: u32 = 32 * 1024;

/// The most bytes of a segment that is merged.
const MAX_BYTES: i64 = 32 * 1024 * 1024;

const SEGMENTS_A_LEVEL: usize = 8;

/// Levels end at so many documents.
const LEVELS: [u32; 3] = [128, 1024, 8192];

fn level(segment: &SegmentRow) -> usize {
    LEVELS.partition_point(|most| *most <= segment.summary.documents)
}

/// The segments to merge next, if any.
fn choose(segments: &[SegmentRow]) -> Option<Vec<&SegmentRow>> {
    (0..LEVELS.len()).find_map(|wanted| {
        let of_level: Vec<_> = segments.iter().filter(|segment| level(segment) == wanted).collect();
        if of_level.len() < SEGMENTS_A_LEVEL {
            return None;
        }
        let (mut documents, mut bytes) = (0, 0);
        let fits = |segment: &&&SegmentRow| {
            documents += segment.summary.documents;
            bytes += segment.bytes;
            documents <= MAX_DOCUMENTS && bytes <= MAX_BYTES
        };
        let chosen: Vec<_> = of_level.iter().take_while(fits).copied().collect();
        (chosen.len() > 1).then_some(chosen)
    })
}

/// Merges some segments. False: there was nothing to merge, or another process has written meanwhile.
pub(super) async fn merge(store: &Store, owner: &OwnerId, state: State) -> Result<bool> {
    let Some(chosen) = choose(&state.segments) else { return Ok(false) };
    let ids: Vec<_> = chosen.iter().map(|segment| segment.id).collect();
    let mut segments = Vec::with_capacity(chosen.len());
    let reads = snapshot::begin(store, owner).await?;
    // Another process may have merged them since the state was read. Their blocks exist as long as the state has them.
    let now = state::load(&reads, owner).await?;
    let is_there = |id: &i64| now.as_ref().is_some_and(|now| now.segments.iter().any(|row| row.id == *id));
    if !ids.iter().all(is_there) {
        reads.rollback().await?;
        return Ok(false);
    }
    for row in chosen {
        let mut segment = Segment { summary: row.summary.clone(), blocks: Vec::new() };
        loop {
            let last = segment.blocks.last().map_or(&[][..], |(key, _)| key);
            let page = blocks::after(&reads, owner, row.id, last).await?;
            if page.is_empty() {
                break;
            }
            segment.blocks.extend(page);
        }
        segments.push(segment);
    }
    reads.rollback().await?;
    let merged = documents::blocking(move || search::index::merge::merge(&segments)).await?;
    let merged = merged.map_err(documents::corrupt)?;
    let id = store.new_segment(&state);
    write::write_ahead(store, owner, id, merged).await?;
    let change = write::IndexChange { finished: Some(id), dropped: ids.clone(), ..Default::default() };
    let is_written = write::apply(store, state.row, change).await?;
    write::remove_segments(store, owner, if is_written { &ids } else { std::slice::from_ref(&id) }).await?;
    Ok(is_written)
}
