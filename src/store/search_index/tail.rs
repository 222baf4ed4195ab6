//! The tail: changes that the index does not have yet.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::documents::{self, OwnedDocument};
use crate::memory::MemoryBudget;
use crate::model::{ChangeKind, ConversationId, MessageId, OwnerId};
use crate::store::entity::{account, change, search_state};
use crate::store::error::{Error, Result};
use crate::store::row_budget::ROW_OVERHEAD;

/// Changes after a revision, by what they are about.
#[derive(Default)]
pub(super) struct Tail {
    /// The last of the changes.
    pub(super) revision: i64,
    /// How many changes there are.
    pub(super) changes: usize,
    /// Whether there are more changes after these.
    pub(super) has_more: bool,
    /// Whether changes before these are no longer kept.
    pub(super) is_trimmed: bool,
    /// Messages that were added, changed or deleted.
    pub(super) messages: BTreeSet<MessageId>,
    /// Of those, the ones that may be in the index as they were before.
    pub(super) stale_messages: BTreeSet<MessageId>,
    /// Conversations that were created or changed.
    pub(super) conversations: BTreeSet<ConversationId>,
    /// Of those, the ones whose title may be in the index as it was before.
    pub(super) stale_titles: BTreeSet<ConversationId>,
    /// Conversations that were deleted.
    pub(super) deleted: BTreeSet<ConversationId>,
}

/// What is to be indexed, and what of the index is no longer so.
#[derive(Default)]
pub(super) struct TailDocuments {
    pub(super) documents: Vec<OwnedDocument>,
    /// Conversations and positions; position 0 is the title.
    pub(super) stale: BTreeSet<(ConversationId, i64)>,
}

/// The revision of an owner's newest change.
pub(super) async fn revision(connection: &impl ConnectionTrait, owner: &OwnerId) -> Result<i64> {
    let row = account::Entity::find_by_id(owner.clone()).one(connection).await?;
    Ok(row.map_or(0, |row| row.revision))
}

/// Reads at most `limit` changes after a revision. Those up to `doubtful` may be about what the index has already.
pub(super) async fn read(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    after: i64,
    doubtful: i64,
    limit: u64,
) -> Result<Tail> {
    let mut rows = change::Entity::find()
        .filter(change::Column::OwnerId.eq(owner.clone()))
        .filter(change::Column::Revision.gt(after))
        .order_by_asc(change::Column::Revision)
        .limit(limit + 1)
        .all(connection)
        .await?;
    let has_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let is_trimmed = match rows.first() {
        Some(first) => first.revision != after + 1,
        None => revision(connection, owner).await? > after,
    };
    let last = rows.last().map_or(after, |row| row.revision);
    let mut tail = Tail { revision: last, changes: rows.len(), has_more, is_trimmed, ..Tail::default() };
    for row in &rows {
        tail.add(row, row.revision <= doubtful)?;
    }
    Ok(tail)
}

/// The changes that a state has not indexed.
pub(super) async fn of_state(
    connection: &impl ConnectionTrait,
    state: &search_state::Model,
    limit: u64,
) -> Result<Tail> {
    // While the index is filled, anything may be in it.
    let doubtful = if state.is_complete { state.backfill_revision } else { i64::MAX };
    read(connection, &state.owner_id, state.revision, doubtful, limit).await
}

impl Tail {
    fn add(&mut self, row: &change::Model, is_doubtful: bool) -> Result<()> {
        let kind = ChangeKind::from_code(row.kind)
            .ok_or_else(|| Error::broken(format!("a change has the unknown kind {}", row.kind)))?;
        match kind {
            ChangeKind::ConversationCreated | ChangeKind::ConversationUpdated => {
                self.conversations.insert(row.conversation_id);
                if is_doubtful || kind == ChangeKind::ConversationUpdated {
                    self.stale_titles.insert(row.conversation_id);
                }
            }
            ChangeKind::ConversationDeleted => {
                self.deleted.insert(row.conversation_id);
            }
            ChangeKind::MessageAdded | ChangeKind::MessageUpdated | ChangeKind::MessageDeleted => {
                self.messages.extend(row.message_id);
                if is_doubtful || kind != ChangeKind::MessageAdded {
                    self.stale_messages.extend(row.message_id);
                }
            }
        }
        Ok(())
    }

    /// Whether something may be in the index that is not so any more.
    pub(super) fn is_stale(&self) -> bool {
        !(self.stale_messages.is_empty() && self.stale_titles.is_empty() && self.deleted.is_empty())
    }

    /// Reads what the changes are about, as it is now.
    pub(super) async fn documents(
        &self,
        connection: &impl ConnectionTrait,
        owner: &OwnerId,
        allowance: &MemoryBudget,
    ) -> Result<TailDocuments> {
        let mut found = TailDocuments::default();
        let messages: Vec<_> = self.messages.iter().copied().collect();
        documents::messages(connection, owner, &messages, |message| {
            if self.stale_messages.contains(&message.id) {
                found.stale.insert((message.conversation, message.position));
            }
            if let Some(document) = OwnedDocument::of_message(message) {
                allowance.try_grow(ROW_OVERHEAD + document.bytes())?;
                found.documents.push(document);
            }
            Ok(())
        })
        .await?;
        let conversations: Vec<_> = self.conversations.iter().copied().collect();
        documents::conversations(connection, owner, &conversations, |conversation| {
            found.documents.extend(OwnedDocument::of_title(conversation));
            Ok(())
        })
        .await?;
        found.stale.extend(self.stale_titles.iter().map(|conversation| (*conversation, 0)));
        Ok(found)
    }
}

/// Whether a place is one of those.
pub(super) fn has(stale: &BTreeSet<(ConversationId, i64)>, place: &search::index::Place) -> bool {
    stale.contains(&(ConversationId(uuid::Uuid::from_bytes(place.conversation)), place.position))
}
