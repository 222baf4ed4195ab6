//! Brings an owner's index up to date, a step at a time.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::documents::VERSION;
use super::state::{self, State};
use super::tail::{self, TailDocuments};
use super::{backfill, documents, merge, removal, write};
use crate::memory::MemoryBudget;
use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::engine::background::in_background;
use crate::store::entity::{account, search_state};
use crate::store::error::{Error, Result};
use crate::store::snapshot;

/// Changes that are indexed in one step.
const CHANGES: u64 = 1024;

/// Accounts that are looked at in one statement.
const ACCOUNTS: u64 = 500;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was indexed, and there may be more. The number of messages and titles.
    Indexed(usize),
    /// Everything is indexed.
    UpToDate,
}

impl Store {
    /// Waits until an owner has changes that are to be indexed. Changes that this process did not make are found with
    /// [`Store::owners_to_index`].
    pub async fn next_owner_to_index(&self) -> OwnerId {
        self.0.pending.next().await
    }

    /// The owners after one, in order, whose index lacks something; and the last owner that was looked at, `None` at
    /// the end.
    pub async fn owners_to_index(&self, after: &str) -> Result<(Vec<OwnerId>, Option<OwnerId>)> {
        in_background(self.accounts_to_index(after)).await
    }

    async fn accounts_to_index(&self, after: &str) -> Result<(Vec<OwnerId>, Option<OwnerId>)> {
        let accounts = self.accounts_after(after).await?;
        let states = search_state::Entity::find()
            .filter(search_state::Column::OwnerId.is_in(accounts.iter().map(|account| account.id.clone())))
            .all(&self.reader_of_all_owners())
            .await?;
        let states: BTreeMap<_, _> = states.iter().map(|state| (&state.owner_id, state)).collect();
        let lacks = |account: &account::Model| {
            states.get(&account.id).is_none_or(|state| {
                state.version != VERSION || !state.is_complete || state.revision < account.revision
            })
        };
        let last = accounts.last().map(|account| account.id.clone());
        Ok((accounts.into_iter().filter(lacks).map(|account| account.id).collect(), last))
    }

    /// The owners after one, in order.
    pub async fn owners_after(&self, after: &str) -> Result<Vec<OwnerId>> {
        Ok(self.accounts_after(after).await?.into_iter().map(|account| account.id).collect())
    }

    pub(in crate::store) async fn accounts_after(&self, after: &str) -> Result<Vec<account::Model>> {
        let accounts = account::Entity::find()
            .filter(account::Column::Id.gt(after))
            .order_by_asc(account::Column::Id)
            .limit(ACCOUNTS)
            .all(&self.reader_of_all_owners())
            .await?;
        Ok(accounts)
    }

    /// The owners that wait for their index, as far as this process knows, and the messages and titles that it has
    /// indexed.
    pub fn index_figures(&self) -> (usize, u64) {
        self.0.pending.figures()
    }

    /// Indexes all that an owner's index lacks. Gives the number of messages and titles.
    pub async fn index_owner(&self, owner: &OwnerId) -> Result<u64> {
        in_background(self.index_steps(owner)).await
    }

    async fn index_steps(&self, owner: &OwnerId) -> Result<u64> {
        let mut documents = 0;
        loop {
            match self.index_step(owner).await {
                Ok(Step::Indexed(count)) => {
                    self.0.pending.count(count);
                    documents += count as u64;
                }
                Ok(Step::UpToDate) | Err(Error::BeingErased) => return Ok(documents),
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes from the index what was deleted until now, before the process ends.
    pub async fn index_erasures(&self) -> Result<()> {
        for owner in self.0.pending.take_erased() {
            self.index_owner(&owner).await?;
        }
        Ok(())
    }

    /// Makes an owner's index anew: what it has is removed, and everything is indexed again. Queries say that they may
    /// miss something until [`Store::index_owner`] has ended.
    pub async fn reset_index(&self, owner: &OwnerId) -> Result<()> {
        let reads = snapshot::begin(self, owner).await?;
        let state = state::load(&reads, owner).await?;
        let revision = tail::revision(&reads, owner).await?;
        reads.rollback().await?;
        match self.begin_again(owner, state, revision).await {
            Ok(_) | Err(Error::BeingErased) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does a part of what there is to do. Steps of several processes do not get in each other's way: the one that is
    /// later does its own again.
    pub(super) async fn index_step(&self, owner: &OwnerId) -> Result<Step> {
        let reads = snapshot::begin(self, owner).await?;
        let state = state::load(&reads, owner).await?;
        let revision = tail::revision(&reads, owner).await?;
        let state = match state {
            Some(state) if !state.is_outdated() => state,
            outdated => {
                let first = tail::read(&reads, owner, 0, 0, 1).await?;
                reads.rollback().await?;
                return self.begin(owner, outdated, revision, first.is_trimmed).await;
            }
        };
        if !state.row.is_complete {
            let found = backfill::read(&reads, &state.row).await?;
            reads.rollback().await?;
            return self.index_backfill(state, found, revision).await;
        }
        let tail = tail::of_state(&reads, &state.row, CHANGES).await?;
        if tail.is_trimmed {
            reads.rollback().await?;
            return self.begin_again(owner, Some(state), revision).await;
        }
        if tail.changes == 0 {
            reads.rollback().await?;
            return self.tidy(owner, state).await;
        }
        let TailDocuments { documents, stale } =
            tail.documents(&reads, owner, &MemoryBudget::default()).await?;
        let mut change = write::IndexChange::default();
        if tail.is_stale() {
            let located = removal::locate(&reads, owner, &state.segments, &stale, &tail.deleted).await?;
            change.blocks = removal::changed_blocks(&reads, owner, &located).await?;
        }
        reads.rollback().await?;
        let erases = tail.is_stale();
        let count = documents.len();
        if let Some(segment) = documents::build(documents).await? {
            change.new = Some((self.new_segment(&state), segment));
        }
        let leftovers = state.leftovers;
        let row = search_state::Model { revision: tail.revision, ..state.row };
        if write::apply(self, row, change).await? && erases {
            // They may have what was just removed.
            write::remove_segments(self, owner, &leftovers).await?;
        }
        Ok(Step::Indexed(count))
    }

    /// The first step: with the feed, if it is whole, or else with all conversations.
    async fn begin(
        &self,
        owner: &OwnerId,
        outdated: Option<State>,
        revision: i64,
        is_trimmed: bool,
    ) -> Result<Step> {
        if revision == 0 {
            return Ok(Step::UpToDate);
        }
        if is_trimmed || outdated.is_some() {
            return self.begin_again(owner, outdated, revision).await;
        }
        let row = empty(owner);
        write::apply(self, row, write::IndexChange::default()).await?;
        Ok(Step::Indexed(0))
    }

    async fn begin_again(&self, owner: &OwnerId, state: Option<State>, revision: i64) -> Result<Step> {
        let (mut row, dropped, leftovers) = match state {
            Some(state) => {
                (state.row, state.segments.iter().map(|segment| segment.id).collect(), state.leftovers)
            }
            None => (empty(owner), Vec::new(), Vec::new()),
        };
        backfill::begin(&mut row, revision);
        let change = write::IndexChange { dropped: dropped.clone(), ..Default::default() };
        if write::apply(self, row, change).await? {
            write::remove_segments(self, owner, &dropped).await?;
            write::remove_segments(self, owner, &leftovers).await?;
        }
        Ok(Step::Indexed(0))
    }

    async fn index_backfill(&self, state: State, found: backfill::Backfill, revision: i64) -> Result<Step> {
        let count = found.documents.len();
        let segment = documents::build(found.documents).await?;
        let id = self.new_segment(&state);
        let mut row = state.row;
        match found.reached {
            Some((conversation, position)) => {
                row.backfill_conversation = Some(conversation);
                row.backfill_position = position;
            }
            None => {
                row.is_complete = true;
                row.backfill_conversation = None;
                row.backfill_position = 0;
                row.backfill_revision = revision;
            }
        }
        let change = write::IndexChange { new: segment.map(|segment| (id, segment)), ..Default::default() };
        write::apply(self, row, change).await?;
        Ok(Step::Indexed(count))
    }

    /// The id of a new segment: the time, or later where that was taken.
    pub(super) fn new_segment(&self, state: &State) -> i64 {
        let taken =
            state.segments.iter().map(|segment| segment.id).chain(state.leftovers.iter().copied()).max();
        self.0.clock.now().0.max(taken.map_or(0, |taken| taken + 1))
    }

    /// Merges segments, and removes what another process has left behind.
    async fn tidy(&self, owner: &OwnerId, state: State) -> Result<Step> {
        let abandoned = self.0.clock.now().0 - ABANDONED_AFTER;
        let leftovers: Vec<_> = state.leftovers.iter().copied().filter(|begun| *begun < abandoned).collect();
        write::remove_segments(self, owner, &leftovers).await?;
        Ok(if merge::merge(self, owner, state).await? { Step::Indexed(0) } else { Step::UpToDate })
    }
}

/// A segment that was begun so long ago, in microseconds, and is not whole is nobody's.
const ABANDONED_AFTER: i64 = 10 * 60 * 1_000_000;

fn empty(owner: &OwnerId) -> search_state::Model {
    search_state::Model {
        owner_id: owner.clone(),
        version: VERSION,
        generation: 0,
        revision: 0,
        is_complete: true,
        backfill_conversation: None,
        backfill_position: 0,
        backfill_revision: 0,
    }
}
