//! Whether the index of an owner has every message and title once.
//!
//! Conversations with changes that are not indexed yet are left out, and so are indexes that are being made.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use search::index::Place;
use search::index::documents::{decode_places, places_key};
use uuid::Uuid;

use super::state::{self, State};
use super::tail;
use crate::model::{ConversationId, OwnerId};
use crate::store::entity::{change, search_block};
use crate::store::error::Result;

/// The conversations that are compared at once.
const CONVERSATIONS: i64 = 20_000;

/// The blocks that are read at once.
const BLOCKS: u64 = 256;

/// With more conversations that have new changes, the index is too far behind to be compared.
const CHANGED: u64 = 100_000;

/// What an index does not have, or has too much.
pub(in crate::store) struct IndexFault {
    /// A conversation, or none if a segment cannot be read.
    pub(in crate::store) conversation: Option<ConversationId>,
    /// A segment that cannot be read.
    pub(in crate::store) segment: Option<i64>,
    /// The messages and titles that the index has.
    pub(in crate::store) indexed: i64,
    /// Those that it must have.
    pub(in crate::store) expected: i64,
}

/// The documents of a conversation: how many, and the sum of their positions.
#[derive(FromQueryResult)]
struct ConversationRow {
    id: ConversationId,
    documents: i64,
    positions: i64,
}

/// SeaORM has no joins by a range of slots.
macro_rules! documents {
    ($messages:literal) => {
        concat!(
            "SELECT c.id, count(m.position) + CASE WHEN c.title IS NULL THEN 0 ELSE 1 END AS documents, \
             CAST(coalesce(sum(m.position), 0) AS bigint) AS positions FROM (SELECT * FROM conversation \
             WHERE owner_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS c LEFT JOIN message AS m ON ",
            $messages,
            " AND m.deleted_at IS NULL AND m.status <> 1 GROUP BY c.id, c.title ORDER BY c.id"
        )
    };
}
const DOCUMENTS_SQLITE: &str =
    documents!("m.slot BETWEEN (c.number << 32) AND (c.number << 32) + 4294967295");
const DOCUMENTS_POSTGRES: &str = documents!("m.conversation_id = c.id");

/// Compares the index with the messages and titles.
pub(in crate::store) async fn index_faults(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
) -> Result<Vec<IndexFault>> {
    let state = state::load(connection, owner).await?;
    let Some(state) = state.filter(|state| !state.is_outdated() && state.row.is_complete) else {
        return Ok(Vec::new());
    };
    if tail::read(connection, owner, state.row.revision, 0, 1).await?.is_trimmed {
        return Ok(Vec::new());
    }
    let Some(changed) = changed(connection, &state).await? else { return Ok(Vec::new()) };
    let unreadable = unreadable_segments(connection, owner, &state).await?;
    if !unreadable.is_empty() {
        return Ok(unreadable);
    }
    let mut faults = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let expected = expected(connection, owner, after).await?;
        let is_last = i64::try_from(expected.len()).unwrap_or(i64::MAX) < CONVERSATIONS;
        let last = expected.last().map_or(Uuid::max(), |row| row.id.0);
        let upto = if is_last { Uuid::max() } else { last };
        let mut indexed: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
        for_each_place(connection, owner, &state, |_, place| {
            let Some(place) = place else { return };
            let conversation = Uuid::from_bytes(place.conversation);
            if conversation > after && conversation <= upto {
                let (documents, positions) = indexed.entry(conversation).or_default();
                *documents += 1;
                *positions += place.position;
            }
        })
        .await?;
        for row in &expected {
            let (documents, positions) = indexed.remove(&row.id.0).unwrap_or_default();
            if (documents, positions) != (row.documents, row.positions) && !changed.contains(&row.id) {
                faults.push(differs(row.id, documents, row.documents));
            }
        }
        let unknown = indexed.into_iter().map(|(id, (documents, _))| (ConversationId(id), documents));
        let unknown = unknown.filter(|(id, _)| !changed.contains(id));
        faults.extend(unknown.map(|(id, documents)| differs(id, documents, 0)));
        if is_last {
            return Ok(faults);
        }
        after = upto;
    }
}

fn differs(conversation: ConversationId, indexed: i64, expected: i64) -> IndexFault {
    IndexFault { conversation: Some(conversation), segment: None, indexed, expected }
}

/// The conversations with changes that are not indexed. `None` if they are too many.
async fn changed(
    connection: &impl ConnectionTrait,
    state: &State,
) -> Result<Option<BTreeSet<ConversationId>>> {
    let changed: Vec<ConversationId> = change::Entity::find()
        .select_only()
        .column(change::Column::ConversationId)
        .distinct()
        .filter(change::Column::OwnerId.eq(state.row.owner_id.clone()))
        .filter(change::Column::Revision.gt(state.row.revision))
        .limit(CHANGED + 1)
        .into_tuple()
        .all(connection)
        .await?;
    let is_near = changed.len() as u64 <= CHANGED;
    Ok(is_near.then(|| changed.into_iter().collect()))
}

async fn expected(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    after: Uuid,
) -> Result<Vec<ConversationRow>> {
    let backend = connection.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { DOCUMENTS_SQLITE } else { DOCUMENTS_POSTGRES };
    let values = [owner.clone().into(), after.into(), CONVERSATIONS.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(ConversationRow::find_by_statement(statement).all(connection).await?)
}

/// The segments that do not have the places of as many documents as they were made of.
async fn unreadable_segments(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    state: &State,
) -> Result<Vec<IndexFault>> {
    let mut read: BTreeMap<i64, i64> = BTreeMap::new();
    for_each_place(connection, owner, state, |segment, _| *read.entry(segment).or_default() += 1).await?;
    let fault = |segment: &state::SegmentRow| {
        let (indexed, expected) =
            (read.get(&segment.id).copied().unwrap_or(0), i64::from(segment.summary.documents));
        let segment = Some(segment.id);
        (indexed != expected).then_some(IndexFault { conversation: None, segment, indexed, expected })
    };
    Ok(state.segments.iter().filter_map(fault).collect())
}

/// Calls `each` for every document of the live segments. A block that cannot be read is left out.
async fn for_each_place(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    state: &State,
    mut each: impl FnMut(i64, Option<Place>),
) -> Result<()> {
    let (first, last) = (places_key(0), places_key(u32::MAX));
    for segment in &state.segments {
        let mut from = first.clone();
        loop {
            let page = search_block::Entity::find()
                .filter(search_block::Column::OwnerId.eq(owner.clone()))
                .filter(search_block::Column::Segment.eq(segment.id))
                .filter(search_block::Column::Key.gte(from.clone()))
                .filter(search_block::Column::Key.lte(last.clone()))
                .order_by_asc(search_block::Column::Key)
                .limit(BLOCKS)
                .all(connection)
                .await?;
            for block in &page {
                for place in decode_places(&block.data).unwrap_or_default() {
                    each(segment.id, place);
                }
            }
            let Some(row) = page.last() else { break };
            from.clone_from(&row.key);
            from.push(0);
        }
    }
    Ok(())
}
