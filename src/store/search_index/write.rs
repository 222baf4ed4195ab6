//! Writing to an index. Two that write at the same time do not both succeed: the generation tells them apart.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect,
};
use sea_orm::{QueryOrder, TryInsertResult};
use search::index::Blocks;
use search::index::segment::Segment;

use super::removal::BlockChange;
use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::entity::{search_block, search_segment, search_state};
use crate::store::error::{Error, Result};
use crate::store::transaction::PlainTx;

/// Blocks that are written with one statement.
const BLOCKS_A_STATEMENT: usize = 100;

/// Blocks that are written or removed in one transaction, where there may be many: other writes wait meanwhile.
const BLOCKS_A_TRANSACTION: usize = 400;

/// What one transaction does to an index.
#[derive(Default)]
pub(super) struct IndexChange {
    /// A new segment.
    pub(super) new: Option<(i64, Segment)>,
    /// A segment whose blocks are there already.
    pub(super) finished: Option<i64>,
    /// Blocks of other segments.
    pub(super) blocks: Vec<BlockChange>,
    /// Segments that queries no longer read.
    pub(super) dropped: Vec<i64>,
}

/// Begins to add rows to an index that there is. An erasure of the owner removes the row of the index first, so it waits for
/// this transaction, and later ones find no index.
///
/// It is not the account that is locked: appends change that row, and each would have to keep the locks of both.
async fn begin(store: &Store, owner: &OwnerId) -> Result<PlainTx> {
    let tx = PlainTx::begin(store, owner).await?;
    let mut find = search_state::Entity::find_by_id(owner.clone());
    // SQLite has one writer at a time.
    if tx.connection().get_database_backend() == DbBackend::Postgres {
        find = find.lock(LockType::KeyShare);
    }
    match find.one(tx.connection()).await? {
        Some(_) => Ok(tx),
        None => Err(Error::BeingErased),
    }
}

/// Writes a change and the new state, which has the generation that it was read with. False: another process
/// has written meanwhile, and nothing was written.
pub(super) async fn apply(store: &Store, state: search_state::Model, change: IndexChange) -> Result<bool> {
    let owner = state.owner_id.clone();
    let tx = PlainTx::begin(store, &owner).await?;
    // A new index is made only for an owner who is not being erased.
    if state.generation == 0 {
        tx.lock_account(&owner).await?;
    }
    if !advance(tx.connection(), state).await? {
        return Ok(false);
    }
    if let Some((id, segment)) = change.new {
        insert_segment(tx.connection(), &owner, id, &segment, true).await?;
        insert_blocks(tx.connection(), &owner, id, segment.blocks).await?;
    }
    let is_live = |live: bool, ids: Vec<i64>| {
        search_segment::Entity::update_many()
            .col_expr(search_segment::Column::IsLive, Expr::val(live))
            .filter(search_segment::Column::OwnerId.eq(owner.clone()))
            .filter(search_segment::Column::Segment.is_in(ids))
    };
    if let Some(id) = change.finished {
        is_live(true, vec![id]).exec(tx.connection()).await?;
    }
    if !change.dropped.is_empty() {
        is_live(false, change.dropped).exec(tx.connection()).await?;
    }
    let erases = !change.blocks.is_empty();
    change_blocks(tx.connection(), &owner, change.blocks).await?;
    tx.commit(erases).await?;
    Ok(true)
}

/// Writes the state if no other process has written it since it was read. A generation of 0 makes it.
async fn advance(tx: &DatabaseTransaction, state: search_state::Model) -> Result<bool> {
    let (owner, generation) = (state.owner_id.clone(), state.generation);
    let mut row = state.into_active_model().reset_all();
    row.generation = ActiveValue::Set(generation + 1);
    if generation == 0 {
        let nothing = OnConflict::column(search_state::Column::OwnerId).do_nothing().to_owned();
        let inserted = search_state::Entity::insert(row)
            .on_conflict(nothing)
            .try_insert()
            .exec_without_returning(tx)
            .await?;
        return Ok(matches!(inserted, TryInsertResult::Inserted(1)));
    }
    row.owner_id = ActiveValue::NotSet;
    let updated = search_state::Entity::update_many()
        .set(row)
        .filter(search_state::Column::OwnerId.eq(owner))
        .filter(search_state::Column::Generation.eq(generation))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Writes a large segment in several transactions. Queries do not read it before it is [`IndexChange::finished`].
pub(super) async fn write_ahead(store: &Store, owner: &OwnerId, id: i64, mut segment: Segment) -> Result<()> {
    let tx = begin(store, owner).await?;
    insert_segment(tx.connection(), owner, id, &segment, false).await?;
    tx.commit(false).await?;
    while !segment.blocks.is_empty() {
        let rest = segment.blocks.split_off(segment.blocks.len().min(BLOCKS_A_TRANSACTION));
        let some = std::mem::replace(&mut segment.blocks, rest);
        let tx = begin(store, owner).await?;
        insert_blocks(tx.connection(), owner, id, some).await?;
        tx.commit(false).await?;
    }
    Ok(())
}

/// Removes segments that queries do not read.
pub(super) async fn remove_segments(store: &Store, owner: &OwnerId, ids: &[i64]) -> Result<()> {
    for id in ids {
        loop {
            let last = search_block::Entity::find()
                .select_only()
                .column(search_block::Column::Key)
                .filter(search_block::Column::OwnerId.eq(owner.clone()))
                .filter(search_block::Column::Segment.eq(*id))
                .order_by_asc(search_block::Column::Key)
                .limit(BLOCKS_A_TRANSACTION as u64)
                .into_tuple::<Vec<u8>>()
                .all(&store.reader_of(std::iter::once(owner)))
                .await?
                .pop();
            let Some(last) = last else { break };
            let tx = PlainTx::begin(store, owner).await?;
            search_block::Entity::delete_many()
                .filter(search_block::Column::OwnerId.eq(owner.clone()))
                .filter(search_block::Column::Segment.eq(*id))
                .filter(search_block::Column::Key.lte(last))
                .exec(tx.connection())
                .await?;
            tx.commit(true).await?;
        }
        let tx = PlainTx::begin(store, owner).await?;
        search_segment::Entity::delete_many()
            .filter(search_segment::Column::OwnerId.eq(owner.clone()))
            .filter(search_segment::Column::Segment.eq(*id))
            .filter(search_segment::Column::IsLive.eq(false))
            .exec(tx.connection())
            .await?;
        tx.commit(false).await?;
    }
    Ok(())
}

async fn insert_segment(
    tx: &DatabaseTransaction,
    owner: &OwnerId,
    id: i64,
    segment: &Segment,
    is_live: bool,
) -> Result<()> {
    let row = search_segment::Model {
        owner_id: owner.clone(),
        segment: id,
        documents: segment.summary.documents.into(),
        times: segment.summary.times_to_bytes(),
        bytes: i64::try_from(segment.bytes()).unwrap_or(i64::MAX),
        is_live,
    };
    search_segment::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

async fn insert_blocks(
    tx: &DatabaseTransaction,
    owner: &OwnerId,
    segment: i64,
    blocks: Blocks,
) -> Result<()> {
    let mut rows = blocks.into_iter().map(|block| block_row(owner, segment, block)).peekable();
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(BLOCKS_A_STATEMENT).collect();
        search_block::Entity::insert_many(some).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Changes blocks that exist: the generation says that nobody has removed them.
async fn change_blocks(tx: &DatabaseTransaction, owner: &OwnerId, blocks: Vec<BlockChange>) -> Result<()> {
    let (mut replaced, mut emptied) = (Vec::new(), BTreeMap::<i64, Vec<Vec<u8>>>::new());
    for (segment, key, data) in blocks {
        match data {
            Some(data) => replaced.push(block_row(owner, segment, (key, data))),
            None => emptied.entry(segment).or_default().push(key),
        }
    }
    let key = [search_block::Column::OwnerId, search_block::Column::Segment, search_block::Column::Key];
    let replace = OnConflict::columns(key).update_column(search_block::Column::Data).to_owned();
    let mut replaced = replaced.into_iter().peekable();
    while replaced.peek().is_some() {
        let some: Vec<_> = replaced.by_ref().take(BLOCKS_A_STATEMENT).collect();
        let insert = search_block::Entity::insert_many(some).on_conflict(replace.clone());
        insert.exec_without_returning(tx).await?;
    }
    for (segment, keys) in emptied {
        for keys in keys.chunks(BLOCKS_A_STATEMENT) {
            search_block::Entity::delete_many()
                .filter(search_block::Column::OwnerId.eq(owner.clone()))
                .filter(search_block::Column::Segment.eq(segment))
                .filter(search_block::Column::Key.is_in(keys.iter().cloned()))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

fn block_row(owner: &OwnerId, segment: i64, (key, data): (Vec<u8>, Vec<u8>)) -> search_block::ActiveModel {
    search_block::Model { owner_id: owner.clone(), segment, key, data }.into_active_model()
}
