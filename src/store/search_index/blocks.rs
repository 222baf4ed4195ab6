//! Reading blocks.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use search::index::Blocks;
use search::index::block::KeyRange;
use search::index::segment::Segment;

use super::state::SegmentRow;
use crate::memory::MemoryBudget;
use crate::model::hex;
use crate::model::{Invalid, OwnerId};
use crate::store::entity::search_block;
use crate::store::error::Result;

/// The most blocks that a query may read: about 32 MB.
const MAX_BLOCKS: i64 = 8192;

/// Bytes of blocks that a query may read without a charge. Few queries run at a time, and most read less.
const FREE: usize = 4 * 1024 * 1024;

/// Blocks read at once when a whole segment is read.
const BLOCKS_AT_ONCE: u64 = 256;

/// Where the blocks of several ranges of several segments are, each from the last one that is not after the range's
/// begin. SeaORM has no table functions, and no LATERAL on them.
macro_rules! of_ranges_sqlite {
    () => {
        "FROM json_each($1) AS w CROSS JOIN search_block AS b ON b.owner_id = $2 AND b.segment = w.value ->> 0 \
         AND b.key >= COALESCE((SELECT p.key FROM search_block AS p WHERE p.owner_id = $2 \
         AND p.segment = w.value ->> 0 AND p.key <= unhex(w.value ->> 1) ORDER BY p.key DESC LIMIT 1), \
         unhex(w.value ->> 1)) AND b.key <= unhex(w.value ->> 2) LIMIT $3"
    };
}

/// The same for PostgreSQL, with the columns of a block to read.
macro_rules! of_ranges_postgres {
    ($columns:literal) => {
        concat!(
            "FROM jsonb_array_elements($1::text::jsonb) AS w(it) \
             CROSS JOIN LATERAL (SELECT COALESCE((SELECT p.key FROM search_block AS p WHERE p.owner_id = $2 \
             AND p.segment = (w.it ->> 0)::bigint AND p.key <= decode(w.it ->> 1, 'hex') ORDER BY p.key DESC LIMIT 1), \
             decode(w.it ->> 1, 'hex')) AS key OFFSET 0) AS f \
             CROSS JOIN LATERAL (SELECT ",
            $columns,
            " FROM search_block AS s WHERE s.owner_id = $2 AND s.segment = (w.it ->> 0)::bigint \
             AND s.key >= f.key AND s.key <= decode(w.it ->> 2, 'hex') OFFSET 0) AS b LIMIT $3"
        )
    };
}

const IN_RANGES_SQLITE: &str = concat!("SELECT b.segment, b.key, b.data ", of_ranges_sqlite!());
const IN_RANGES_POSTGRES: &str =
    concat!("SELECT b.segment, b.key, b.data ", of_ranges_postgres!("s.segment, s.key, s.data"));

/// For many ranges. Many of them are in one block, which is read once.
const IN_MANY_RANGES_SQLITE: &str = concat!(
    "SELECT b.segment, b.key, b.data FROM (SELECT DISTINCT b.segment, b.key ",
    of_ranges_sqlite!(),
    ") AS found CROSS JOIN search_block AS b ON b.owner_id = $2 AND b.segment = found.segment AND b.key = found.key"
);
const IN_MANY_RANGES_POSTGRES: &str = concat!(
    "SELECT b.segment, b.key, b.data FROM (SELECT DISTINCT b.segment, b.key ",
    of_ranges_postgres!("s.segment, s.key"),
    ") AS found CROSS JOIN LATERAL (SELECT s.segment, s.key, s.data FROM search_block AS s WHERE s.owner_id = $2 \
     AND s.segment = found.segment AND s.key = found.key OFFSET 0) AS b"
);

/// The number of ranges from which on they are read so.
const MANY: usize = 64;

#[derive(FromQueryResult)]
struct BlockRow {
    segment: i64,
    key: Vec<u8>,
    data: Vec<u8>,
}

/// Reads the blocks of some ranges of segments, and charges large amounts to the allowance of a query. Without one they
/// are read for the index itself.
///
/// # Errors
/// `Invalid`: they are more than a query may read.
pub(super) async fn in_ranges(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    ranges: &[(i64, KeyRange)],
    allowance: Option<&MemoryBudget>,
) -> Result<BTreeMap<i64, BTreeMap<Vec<u8>, Vec<u8>>>> {
    let mut found: BTreeMap<i64, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    if ranges.is_empty() {
        return Ok(found);
    }
    let wanted: Vec<String> = ranges
        .iter()
        .map(|(segment, range)| format!("[{segment},\"{}\",\"{}\"]", hex(&range.from), hex(&range.to)))
        .collect();
    let backend = connection.get_database_backend();
    let sql = match (backend, ranges.len() < MANY) {
        (DbBackend::Sqlite, true) => IN_RANGES_SQLITE,
        (DbBackend::Sqlite, false) => IN_MANY_RANGES_SQLITE,
        (_, true) => IN_RANGES_POSTGRES,
        (_, false) => IN_MANY_RANGES_POSTGRES,
    };
    let most = allowance.map_or(i64::MAX, |_| MAX_BLOCKS + 1);
    let values = [format!("[{}]", wanted.join(",")).into(), owner.clone().into(), most.into()];
    let rows = BlockRow::find_by_statement(Statement::from_sql_and_values(backend, sql, values))
        .all(connection)
        .await?;
    if let Some(allowance) = allowance {
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) > MAX_BLOCKS {
            let rule = "is too broad: use longer prefixes, or fewer frequent words";
            return Err(Invalid::new("query", rule).into());
        }
        let bytes: usize = rows.iter().map(|row| row.key.len() + row.data.len()).sum();
        allowance.try_grow(bytes.saturating_sub(FREE))?;
    }
    for row in rows {
        found.entry(row.segment).or_default().insert(row.key, row.data);
    }
    Ok(found)
}

/// The same ranges of every segment.
pub(super) async fn of_segments(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    segments: &[SegmentRow],
    ranges: &[KeyRange],
    allowance: Option<&MemoryBudget>,
) -> Result<Vec<Segment>> {
    let wanted: BTreeSet<(i64, KeyRange)> =
        segments.iter().flat_map(|segment| ranges.iter().map(|range| (segment.id, range.clone()))).collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let mut found = in_ranges(connection, owner, &wanted, allowance).await?;
    let segment = |row: &SegmentRow| Segment {
        summary: row.summary.clone(),
        blocks: found.remove(&row.id).unwrap_or_default().into_iter().collect(),
    };
    Ok(segments.iter().map(segment).collect())
}

/// Adds blocks to a segment that has others already.
pub(super) fn add(segment: &mut Segment, blocks: BTreeMap<Vec<u8>, Vec<u8>>) {
    let mut all: BTreeMap<_, _> = std::mem::take(&mut segment.blocks).into_iter().collect();
    all.extend(blocks);
    segment.blocks = all.into_iter().collect();
}

/// The next blocks of a segment after a key, in order. None at the end.
pub(super) async fn after(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    segment: i64,
    key: &[u8],
) -> Result<Blocks> {
    let rows = search_block::Entity::find()
        .filter(search_block::Column::OwnerId.eq(owner.clone()))
        .filter(search_block::Column::Segment.eq(segment))
        .filter(search_block::Column::Key.gt(key.to_vec()))
        .order_by_asc(search_block::Column::Key)
        .limit(BLOCKS_AT_ONCE)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.key, row.data)).collect())
}
