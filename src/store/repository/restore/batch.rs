//! Writes many conversations in one transaction: a commit for each takes most of the time of an import.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::conversation_rows::ConversationRows;
use super::pending::PendingRows;
use crate::model::{
    AuditAction, Change, ChangeKind, ConversationId, ExportedConversation, ExportedMessage, Labels, OwnerId,
};
use crate::store::entity::conversation;
use crate::store::error::{Error, Result};
use crate::store::repository::labels;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// Conversations in a statement.
const ROWS: usize = 64;

/// A conversation with all its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedWhole {
    /// The conversation.
    pub conversation: ExportedConversation,
    /// Its messages, in the order of their positions.
    pub messages: Vec<ExportedMessage>,
}

impl Scoped {
    /// Writes those of the conversations that the owner does not have, all or none. Returns which were written.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: an id belongs to something else.
    pub async fn restore_all(&self, all: Vec<ExportedWhole>) -> Result<Vec<bool>> {
        let ids: Vec<_> = all.iter().map(|whole| whole.conversation.id).collect();
        let known = self.known_conversations(&ids).await?;
        let (mut rows, mut changes) = (Vec::with_capacity(all.len()), Vec::new());
        let mut written = Vec::with_capacity(all.len());
        for ExportedWhole { conversation, messages } in all {
            let id = conversation.id;
            match known.get(&id) {
                Some(owner) if *owner == self.owner => {
                    written.push(false);
                    continue;
                }
                Some(_) => return Err(Error::Conflict),
                None => written.push(true),
            }
            let mut built = ConversationRows::new(&self.owner, conversation)?;
            changes.push(Change { kind: ChangeKind::ConversationCreated, conversation: id, message: None });
            for message in messages {
                changes.push(built.add(message)?);
            }
            rows.push((built.finished()?, built.labels, built.pending));
        }
        if !rows.is_empty() {
            self.write_all(rows, changes).await?;
        }
        Ok(written)
    }

    async fn write_all(
        &self,
        rows: Vec<(conversation::Model, Labels, PendingRows)>,
        changes: Vec<Change>,
    ) -> Result<()> {
        let mut tx = Tx::begin(self, AuditAction::CreateConversation, changes.len()).await?;
        for some in rows.chunks(ROWS) {
            let some = some.iter().map(|(row, ..)| row.clone().into_active_model());
            conversation::Entity::insert_many(some).exec_without_returning(tx.connection()).await?;
        }
        let mut pending = PendingRows::default();
        for (row, labels, more) in rows {
            let texts = (&Labels::default(), &labels);
            labels::replace(&tx, &self.owner, row.id, texts, row.trashed_at.is_some()).await?;
            pending.append(more);
        }
        pending.write(&tx).await?;
        changes.into_iter().for_each(|change| tx.record(change));
        tx.commit().await
    }

    /// Those of the conversations that exist, with their owners.
    async fn known_conversations(&self, ids: &[ConversationId]) -> Result<HashMap<ConversationId, OwnerId>> {
        let find = conversation::Entity::find()
            .select_only()
            .columns([conversation::Column::Id, conversation::Column::OwnerId])
            .filter(conversation::Column::Id.is_in(ids.iter().copied()));
        let found: Vec<(ConversationId, OwnerId)> = find.into_tuple().all(&self.reader()).await?;
        Ok(found.into_iter().collect())
    }
}
