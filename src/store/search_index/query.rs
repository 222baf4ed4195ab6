//! Searching.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use search::evaluate::page::{Candidate, Hit, PageRequest, candidates, hits};
use search::evaluate::{Filter, Match, Order, Plan};
use search::index::block::KeyRange;
use search::index::documents::places_key;
use search::index::segment::{Segment, Summary};
use search::index::{Corrupt, DOCUMENTS_A_BLOCK, Field};
use uuid::Uuid;

use super::documents::{blocking, build, corrupt};
use super::state::{self, SegmentRow, State};
use super::tail::{self, Tail, TailDocuments};
use super::{blocks, removal};
use crate::memory::MemoryBudget;
use crate::model::{ConversationId, ConversationState, Label, OwnerId, SearchQuery};
use crate::store::database::Store;
use crate::store::entity::conversation;
use crate::store::error::Result;
use crate::store::repository::labels;
use crate::store::snapshot;

/// The most changes that a query indexes by itself. If there are more it first waits for the index.
const TAIL: u64 = 768;

/// How often a query waits for the index. Then it says that something may be missing.
const STEPS: usize = 32;

/// What one search needs.
pub(super) struct Request<'r> {
    pub(super) query: &'r SearchQuery,
    pub(super) fields: &'static [Field],
    pub(super) filter: Filter,
    pub(super) conversations: ConversationScope<'r>,
    pub(super) is_scored: bool,
}

/// Which conversations are searched, besides those that the filter names.
#[derive(Default)]
pub(super) struct ConversationScope<'r> {
    /// Those with one of these labels.
    pub(super) labels: Option<&'r [Label]>,
    /// Not those in one of these states.
    pub(super) excluded_states: Vec<ConversationState>,
}

impl ConversationScope<'_> {
    /// Adds the conversations to a filter, as they are in the state of the database that is searched.
    async fn narrow(
        &self,
        filter: &mut Filter,
        connection: &impl ConnectionTrait,
        owner: &OwnerId,
    ) -> Result<()> {
        let bytes = |id: ConversationId| *id.0.as_bytes();
        if !self.excluded_states.is_empty() {
            let states = self.excluded_states.iter().map(|state| state.code());
            let excluded: Vec<ConversationId> = conversation::Entity::find()
                .select_only()
                .column(conversation::Column::Id)
                .filter(conversation::Column::OwnerId.eq(owner.clone()))
                .filter(conversation::Column::State.is_in(states))
                .into_tuple()
                .all(connection)
                .await?;
            filter.excluded_conversations = excluded.into_iter().map(bytes).collect();
        }
        if let Some(labels) = self.labels {
            let labelled: BTreeSet<[u8; 16]> =
                labels::having_one_of(connection, owner, labels).await?.into_iter().map(bytes).collect();
            filter.conversations = Some(match filter.conversations.take() {
                Some(wanted) => wanted.into_iter().filter(|id| labelled.contains(id)).collect(),
                None => labelled.into_iter().collect(),
            });
        }
        Ok(())
    }
}

/// What matches, in a state of the database that does not change any more.
pub(super) struct Found {
    transaction: DatabaseTransaction,
    owner: OwnerId,
    allowance: MemoryBudget,
    /// Those of the database first; `rows` are theirs.
    segments: Vec<Segment>,
    rows: Vec<SegmentRow>,
    matches: Vec<Vec<Match>>,
    filter: Filter,
    /// Whether something may be missing.
    pub(super) is_indexing: bool,
}

/// Finds what matches.
///
/// # Errors
/// `Invalid`: the query is too broad.
pub(super) async fn find(
    store: &Store,
    owner: &OwnerId,
    request: Request<'_>,
    allowance: &MemoryBudget,
) -> Result<Found> {
    for _ in 0..STEPS {
        let reads = snapshot::begin(store, owner).await?;
        let state = state::load(&reads, owner).await?.filter(|state| !state.is_outdated());
        let tail = match &state {
            Some(state) => tail::of_state(&reads, &state.row, TAIL).await?,
            None => tail::read(&reads, owner, 0, 0, TAIL).await?,
        };
        let is_filling = state.as_ref().is_some_and(|state| !state.row.is_complete);
        if !tail.has_more || tail.is_trimmed || is_filling {
            return find_in(store, reads, owner, state, tail, request, allowance).await;
        }
        reads.rollback().await?;
        store.index_step(owner).await?;
    }
    let reads = snapshot::begin(store, owner).await?;
    let state = state::load(&reads, owner).await?.filter(|state| !state.is_outdated());
    let after = state.as_ref().map_or(0, |state| state.row.revision);
    let tail = tail::read(&reads, owner, after, i64::MAX, TAIL).await?;
    find_in(store, reads, owner, state, tail, request, allowance).await
}

async fn find_in(
    store: &Store,
    reads: DatabaseTransaction,
    owner: &OwnerId,
    state: Option<State>,
    tail: Tail,
    request: Request<'_>,
    allowance: &MemoryBudget,
) -> Result<Found> {
    let is_complete = state.as_ref().is_none_or(|state| state.row.is_complete);
    let is_indexing = !is_complete || tail.has_more || tail.is_trimmed;
    if is_indexing {
        store.0.pending.want(owner);
    }
    let rows = state.map(|state| state.segments).unwrap_or_default();
    let TailDocuments { documents, stale } = tail.documents(&reads, owner, allowance).await?;
    let gone = match tail.is_stale() && !rows.is_empty() {
        true => removal::locate(&reads, owner, &rows, &stale, &tail.deleted).await?,
        false => BTreeMap::new(),
    };
    let Request { query, fields, mut filter, conversations, is_scored } = request;
    conversations.narrow(&mut filter, &reads, owner).await?;
    let query = query.clone();
    let plan = Plan { query: query.as_query(), fields, filter: &filter, is_scored };
    let mut segments = blocks::of_segments(&reads, owner, &rows, &plan.ranges(), Some(allowance)).await?;
    segments.extend(build(documents).await?);
    let gone: Vec<BTreeSet<u32>> =
        rows.iter().map(|row| gone.get(&row.id).cloned().unwrap_or_default()).collect();
    let (segments, filter, matches) = blocking(move || {
        let plan = Plan { query: query.as_query(), fields, filter: &filter, is_scored };
        let matches: std::result::Result<Vec<_>, Corrupt> =
            segments.iter().map(|segment| plan.matches(segment)).collect();
        let mut matches = matches?;
        for (matches, gone) in matches.iter_mut().zip(&gone) {
            matches.retain(|found| !gone.contains(&found.document));
        }
        Ok((segments, filter, matches))
    })
    .await?
    .map_err(corrupt)?;
    Ok(Found {
        transaction: reads,
        owner: owner.clone(),
        allowance: allowance.clone(),
        segments,
        rows,
        matches,
        filter,
        is_indexing,
    })
}

impl Found {
    /// A page of what matches.
    pub(super) async fn page(&mut self, order: Order, after: Option<Hit>, count: usize) -> Result<Vec<Hit>> {
        let request = PageRequest { order, after, count };
        let found: Vec<(&Summary, &[Match])> = self
            .segments
            .iter()
            .map(|segment| &segment.summary)
            .zip(self.matches.iter().map(Vec::as_slice))
            .collect();
        let candidates = candidates(&found, &self.filter, &request);
        let keys = candidates.iter().map(|candidate| (candidate.segment, candidate.places_key()));
        self.read_places(keys.collect()).await?;
        let segments: Vec<_> = self.segments.iter().collect();
        hits(&candidates, &segments, &self.filter, &request).map_err(corrupt)
    }

    /// The conversations of everything that matches.
    pub(super) async fn conversations(&mut self) -> Result<BTreeSet<ConversationId>> {
        let mut documents: Vec<Candidate> = Vec::new();
        for (segment, matches) in self.matches.iter().enumerate() {
            documents.extend(matches.iter().map(|found| Candidate { segment, found: *found }));
        }
        let block = |candidate: &Candidate| (candidate.segment, candidate.found.document / DOCUMENTS_A_BLOCK);
        let blocks: BTreeSet<_> = documents.iter().map(block).collect();
        let key = |(segment, number): &(usize, u32)| (*segment, places_key(number * DOCUMENTS_A_BLOCK));
        self.read_places(blocks.iter().map(key).collect()).await?;
        let mut found = BTreeSet::new();
        let mut read: Option<((usize, u32), Vec<_>)> = None;
        for candidate in documents {
            let block = block(&candidate);
            if read.as_ref().is_none_or(|(other, _)| *other != block) {
                let segment = self.segments.get(candidate.segment).ok_or(corrupt(Corrupt))?;
                read = Some((block, segment.places(candidate.found.document).map_err(corrupt)?));
            }
            let index = (candidate.found.document % DOCUMENTS_A_BLOCK) as usize;
            let place = read.as_ref().and_then(|(_, places)| places.get(index).copied().flatten());
            found.extend(place.map(|place| ConversationId(Uuid::from_bytes(place.conversation))));
        }
        Ok(found)
    }

    /// Reads blocks of places that are not here yet.
    async fn read_places(&mut self, keys: BTreeSet<(usize, Vec<u8>)>) -> Result<()> {
        let mut ranges = Vec::new();
        for (index, key) in keys {
            let row = self.rows.get(index);
            let is_here = self.segments.get(index).is_some_and(|segment| segment.block(&key).is_some());
            ranges.extend(row.filter(|_| !is_here).map(|row| (row.id, KeyRange::of_block(key))));
        }
        let mut read =
            blocks::in_ranges(&self.transaction, &self.owner, &ranges, Some(&self.allowance)).await?;
        for (segment, row) in self.segments.iter_mut().zip(&self.rows) {
            if let Some(blocks) = read.remove(&row.id) {
                blocks::add(segment, blocks);
            }
        }
        Ok(())
    }

    /// Lets the connection go.
    pub(super) async fn end(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }
}
