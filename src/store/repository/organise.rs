//! Updates of conversations: titles and metadata, and what people do to keep order: pins, labels, the archive, the trash
//! and reading positions.
//!
//! Only a new title or new metadata is activity that moves a conversation in lists. What changes nothing writes nothing.

use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, IntoActiveModel, Iterable, PaginatorTrait,
    QueryFilter, QuerySelect, Select,
};

use crate::model::{
    AuditAction, Change, ChangeKind, Conversation, ConversationId, ConversationPatch, ConversationState,
    Invalid, Json, Labels, MetadataChange, Role, Timestamp, Title,
};
use crate::store::engine::slot;
use crate::store::entity::{conversation, message};
use crate::store::error::{Error, Result};
use crate::store::repository::labels;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

impl Scoped {
    /// Sets the fields that the patch has.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Invalid`: the conversation would have too many labels.
    pub async fn update_conversation(
        &self,
        id: ConversationId,
        patch: ConversationPatch,
    ) -> Result<Conversation> {
        self.update_conversation_if(id, AuditAction::UpdateConversation, patch, |_| true).await
    }

    /// Sets the metadata to what `change` makes of the present one, in one transaction.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Invalid`: that of `change`.
    pub async fn update_metadata(
        &self,
        id: ConversationId,
        change: impl FnOnce(&Json) -> std::result::Result<Json, Invalid>,
    ) -> Result<Conversation> {
        self.change(id, AuditAction::UpdateConversation, async |_, row, now| {
            let metadata = change(&row.metadata)?;
            if metadata == row.metadata {
                return Ok(row);
            }
            let metadata = Some(MetadataChange::Set(metadata));
            patched(row, ConversationPatch { metadata, ..ConversationPatch::default() }, now)
        })
        .await
    }

    /// Sets the fields that the patch has if a condition holds for the row.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner, or the condition does not hold.
    /// - `Invalid`: the conversation would have too many labels.
    pub(in crate::store) async fn update_conversation_if(
        &self,
        id: ConversationId,
        action: AuditAction,
        patch: ConversationPatch,
        condition: impl FnOnce(&conversation::Model) -> bool,
    ) -> Result<Conversation> {
        self.change(id, action, async |_, row, now| match condition(&row) {
            true => patched(row, patch, now),
            false => Err(Error::NotFound("conversation")),
        })
        .await
    }

    /// Moves a conversation to the trash.
    ///
    /// # Errors
    /// `NotFound`: no such conversation for this owner.
    pub async fn trash_conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.change(id, AuditAction::TrashConversation, async |_, mut row, now| {
            row.trashed_at = row.trashed_at.or(Some(now));
            Ok(row)
        })
        .await
    }

    /// Takes a conversation out of the trash.
    ///
    /// # Errors
    /// `NotFound`: no such conversation for this owner.
    pub async fn restore_conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.change(id, AuditAction::RestoreConversation, async |_, mut row, _| {
            row.trashed_at = None;
            Ok(row)
        })
        .await
    }

    /// Records that the user has read up to a position. A smaller one than before is ignored unless `backward` is set.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Invalid`: there is no such position.
    pub async fn mark_read(&self, id: ConversationId, position: i64, backward: bool) -> Result<Conversation> {
        // Most calls repeat what is known, so they need no transaction.
        let before = self.conversation(id).await?.ok_or(Error::NotFound("conversation"))?;
        check_position(position, before.last_position)?;
        let is_read = |read_position| position == read_position || (position < read_position && !backward);
        if is_read(before.read_position) {
            return Ok(before);
        }
        self.change(id, AuditAction::MarkRead, async |tx, mut row, _| {
            if !is_read(row.read_position) {
                row.read_position = position;
                row.unread_ignored = self.ignored_after(tx, &row).await?;
            }
            Ok(row)
        })
        .await
    }

    /// The number of the owner's conversations, without those in the trash.
    pub async fn conversation_count(&self) -> Result<i64> {
        let listed = [ConversationState::Active.code(), ConversationState::Archived.code()];
        self.count(self.own_conversations().filter(conversation::Column::State.is_in(listed))).await
    }

    /// The number of the owner's conversations with unread messages, without those in the archive and in the trash.
    pub async fn unread_conversation_count(&self) -> Result<i64> {
        let active = conversation::Column::State.eq(ConversationState::Active.code());
        self.count(self.own_conversations().filter(active).filter(conversation::is_unread())).await
    }

    async fn count(&self, select: Select<conversation::Entity>) -> Result<i64> {
        let counted = select
            .select_only()
            .column_as(conversation::Column::Id.count(), "conversations")
            .into_tuple::<i64>()
            .one(&self.reader())
            .await?;
        Ok(counted.unwrap_or(0))
    }

    /// The number of messages after the reading position that are deleted, or the user's own.
    async fn ignored_after(&self, tx: &Tx, row: &conversation::Model) -> Result<i64> {
        let (after, last) = (row.read_position, row.last_position);
        if after == last {
            return Ok(0);
        }
        let is_ignored =
            message::Column::Role.eq(Role::User.code()).or(message::Column::DeletedAt.is_not_null());
        let ignored = self
            .own_messages()
            .filter(message::Column::ConversationId.eq(row.id))
            .filter(message::Column::Position.gt(after))
            .filter(Condition::all().add_option(slot::among(tx.backend(), row.id, (after + 1, last))))
            .filter(is_ignored)
            .count(tx.connection())
            .await?;
        Ok(i64::try_from(ignored).unwrap_or(i64::MAX))
    }

    /// Changes a row of the owner's. If nothing changes, nothing is written.
    async fn change(
        &self,
        id: ConversationId,
        action: AuditAction,
        change: impl AsyncFnOnce(&Tx, conversation::Model, Timestamp) -> Result<conversation::Model>,
    ) -> Result<Conversation> {
        let mut tx = Tx::begin(self, action, 1).await?;
        let before = self.locked(&tx, id).await?;
        let mut after = change(&tx, before.clone(), tx.now()).await?;
        after.state = ConversationState::of(after.archived_at, after.trashed_at).code();
        if after == before {
            return Ok(before.into());
        }
        let texts = (&Labels::stored(before.labels.clone()), &Labels::stored(after.labels.clone()));
        if before.labels != after.labels || before.trashed_at.is_some() != after.trashed_at.is_some() {
            labels::replace(&tx, &self.owner, id, texts, after.trashed_at.is_some()).await?;
        }
        let row = changes(before, after).update(tx.connection()).await?;
        tx.record(Change { kind: ChangeKind::ConversationUpdated, conversation: id, message: None });
        tx.commit().await?;
        Ok(row.into())
    }
}

/// The row with the fields of the patch.
fn patched(
    mut row: conversation::Model,
    patch: ConversationPatch,
    now: Timestamp,
) -> Result<conversation::Model> {
    if patch.title.is_some() || patch.metadata.is_some() {
        row.updated_at = Ord::max(now, Timestamp(row.updated_at.0 + 1));
    }
    if let Some(title) = patch.title {
        row.title_folded = title.as_ref().map(Title::folded);
        row.title = title.map(Title::into_string);
    }
    if let Some(metadata) = patch.metadata {
        row.metadata = metadata.apply(&row.metadata)?;
    }
    // A time stays the same if it is set already.
    let time = |wanted: bool, before: Option<Timestamp>| wanted.then(|| before.unwrap_or(now));
    if let Some(pinned) = patch.pinned {
        row.pinned_at = time(pinned, row.pinned_at);
    }
    if let Some(archived) = patch.archived {
        row.archived_at = time(archived, row.archived_at);
    }
    if let Some(unarchive) = patch.unarchive_on_message {
        row.unarchive_on_message = unarchive;
    }
    if let Some(expires_at) = patch.expires_at.filter(|expires_at| *expires_at != row.expires_at) {
        check_expiry(expires_at, now)?;
        row.expires_at = expires_at;
    }
    if let Some(patch) = patch.labels {
        row.labels = patch.apply(&Labels::stored(row.labels.take()))?.to_json();
    }
    Ok(row)
}

/// The columns whose values differ.
fn changes(before: conversation::Model, after: conversation::Model) -> conversation::ActiveModel {
    let (mut changes, after) = (before.into_active_model(), after.into_active_model());
    for column in conversation::Column::iter() {
        if let (ActiveValue::Unchanged(old), ActiveValue::Unchanged(new)) =
            (changes.get(column), after.get(column))
            && old != new
        {
            changes.set(column, new);
        }
    }
    changes
}

/// Rejects an expiry in the past.
pub(super) fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    match expires_at {
        Some(expires_at) if expires_at <= now => {
            let rule = format!("must be in the future, got {expires_at}");
            Err(Invalid::new("input.expiresAt", rule).into())
        }
        _ => Ok(()),
    }
}

fn check_position(position: i64, last: i64) -> Result<()> {
    if (0..=last).contains(&position) {
        return Ok(());
    }
    let rule = format!("must be 0 to {last}, the position of the newest message, got {position}");
    Err(Invalid::new("input.position", rule).into())
}
