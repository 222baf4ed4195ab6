//! How far an owner's index is, and which segments it has.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use search::index::VERSION;
use search::index::segment::Summary;

use super::documents::corrupt;
use crate::model::OwnerId;
use crate::store::entity::{search_segment, search_state};
use crate::store::error::Result;

/// An owner's index without its blocks.
pub(super) struct State {
    pub(super) row: search_state::Model,
    /// Those that queries read, oldest first.
    pub(super) segments: Vec<SegmentRow>,
    /// Those that are not whole, or to be removed.
    pub(super) leftovers: Vec<i64>,
}

/// A segment without its blocks.
pub(super) struct SegmentRow {
    pub(super) id: i64,
    pub(super) summary: Summary,
    pub(super) bytes: i64,
}

/// Reads the state. `None` if nothing was indexed yet.
pub(super) async fn load(connection: &impl ConnectionTrait, owner: &OwnerId) -> Result<Option<State>> {
    let Some(row) = search_state::Entity::find_by_id(owner.clone()).one(connection).await? else {
        return Ok(None);
    };
    let rows = search_segment::Entity::find()
        .filter(search_segment::Column::OwnerId.eq(owner.clone()))
        .order_by_asc(search_segment::Column::Segment)
        .all(connection)
        .await?;
    let (mut segments, mut leftovers) = (Vec::new(), Vec::new());
    for row in rows {
        if row.is_live {
            let times = Summary::times_from_bytes(&row.times).map_err(corrupt)?;
            let documents = u32::try_from(row.documents).unwrap_or(u32::MAX);
            segments.push(SegmentRow {
                id: row.segment,
                summary: Summary { documents, times },
                bytes: row.bytes,
            });
        } else {
            leftovers.push(row.segment);
        }
    }
    Ok(Some(State { row, segments, leftovers }))
}

impl State {
    /// Whether the blocks are of another version than this one's, and of no use.
    pub(super) fn is_outdated(&self) -> bool {
        self.row.version != VERSION
    }
}
