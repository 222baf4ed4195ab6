//! Edits and deletions of messages. A message keeps its position, its branch and its id.

use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::model::{
    AuditAction, Change, ChangeKind, DeletionId, Json, Message, MessageId, MessagePatch, MessageStatus, Role,
    Timestamp, TokenUsage,
};
use crate::store::entity::{conversation, deletion, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::repository::attachment_references::{Referrer, referred_in};
use crate::store::repository::{attachment_references, deleted_usage, feedback, token_counts};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

impl Scoped {
    /// Sets the fields that the patch has, and the time of the edit. A patch that only pins is not an edit: it sets no
    /// time, is allowed while the message is streaming, and does nothing if the message has that state already.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: the message is being written, or deleted.
    pub async fn update_message(&self, id: MessageId, patch: MessagePatch) -> Result<Message> {
        self.update_message_if(id, patch, |_| true).await
    }

    /// The same if the time of the last edit is still this one.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: the message is being written, deleted, or was edited in the meantime.
    pub async fn update_unless_edited(
        &self,
        id: MessageId,
        edited_at: Option<Timestamp>,
        patch: MessagePatch,
    ) -> Result<Message> {
        self.update_message_if(id, patch, |row| row.edited_at == edited_at).await
    }

    async fn update_message_if(
        &self,
        id: MessageId,
        patch: MessagePatch,
        condition: impl FnOnce(&message::Model) -> bool,
    ) -> Result<Message> {
        let body = match patch.body {
            Some(body) => Some(self.attach(body).await?),
            None => None,
        };
        let patch = MessagePatch { body, ..patch };
        let mut tx = Tx::begin(self, AuditAction::UpdateMessage, 1).await?;
        let row = self.lock_message(&tx, id).await?;
        let is_edit = patch.is_edit();
        if is_edit {
            refuse(&row, MessageStatus::Streaming.code(), "being written")?;
        }
        if row.deleted_at.is_some() {
            return Err(Error::State("deleted"));
        }
        if !condition(&row) {
            return Err(Error::State("edited in the meantime"));
        }
        if !is_edit && patch.pinned == Some(row.pinned) {
            // It is so already: the transaction is rolled back.
            return row.try_into();
        }
        let conversation = row.conversation_id;
        let edited_at = row.edited_at;
        let has_new_text = patch.body.is_some();
        let referred_before = referred_in(row.parts.as_deref())?;
        let metadata_before = row.metadata.clone();
        let mut row = row.into_active_model();
        if let Some(body) = patch.body {
            let (content, parts) = body.into_columns();
            row.content = Set(content);
            row.parts = Set(parts);
        }
        if let Some(usage) = patch.usage {
            row.usage = Set(usage.map(TokenUsage::to_json));
        }
        if let Some(metadata) = patch.metadata {
            row.metadata = Set(metadata.apply(&metadata_before)?);
        }
        if let Some(pinned) = patch.pinned {
            row.pinned = Set(pinned);
        }
        if is_edit {
            // Later than the edit before, so that it identifies what was said until the next one.
            let after = edited_at.map_or(Timestamp(0), |Timestamp(time)| Timestamp(time + 1));
            row.edited_at = Set(Some(Ord::max(tx.now(), after)));
        }
        let row = row.update(tx.connection()).await?;
        if has_new_text {
            let referred = referred_in(row.parts.as_deref())?;
            attachment_references::replace(&tx, Referrer::message(&row), &referred_before, &referred).await?;
            token_counts::forget(&tx, &row).await?;
        }
        tx.record(Change { kind: ChangeKind::MessageUpdated, conversation, message: Some(id) });
        tx.commit().await?;
        row.try_into()
    }

    /// Removes the content of a message. Returns it, and whether another deletion did so before: then nothing changes. A
    /// repetition with the same id of the deletion is not another one.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    pub async fn delete_message(
        &self,
        id: MessageId,
        deletion: Option<DeletionId>,
    ) -> Result<(Message, bool)> {
        let mut tx = Tx::begin(self, AuditAction::DeleteMessage, 1).await?;
        let row = self.lock_message(&tx, id).await?;
        if row.deleted_at.is_some() {
            let found = deletion::Entity::find_by_id(id).one(tx.connection()).await?;
            let is_same = deletion.is_some() && found.is_some_and(|row| row.deletion_id == deletion);
            return Ok((row.try_into()?, !is_same));
        }
        let conversation = row.conversation_id;
        let (position, is_users) = (row.position, row.role == Role::User.code());
        crate::store::repository::streams::delete_stream(&tx, id).await?;
        deleted_usage::keep_usage(&tx, &row).await?;
        feedback::delete_feedback(&tx, &row).await?;
        attachment_references::release(&tx, Referrer::message(&row)).await?;
        let mut row = row.into_active_model();
        row.content = Set(String::new());
        row.parts = Set(None);
        row.metadata = Set(Json::empty_object());
        row.usage = Set(None);
        row.pinned = Set(false);
        if row.status == Unchanged(MessageStatus::Streaming.code()) {
            row.status = Set(MessageStatus::Interrupted.code());
        }
        row.deleted_at = Set(Some(tx.now()));
        let row = row.update(tx.connection()).await?;
        if deletion.is_some() {
            deletion::ActiveModel { id: Unchanged(id), deletion_id: Set(deletion) }
                .update(tx.connection())
                .await?;
        }
        token_counts::clear(&tx, &row).await?;
        let count = Expr::col(conversation::Column::MessageCount);
        // A message that was unread is unread no longer. Those of the user never were.
        let was_unread = Expr::col(conversation::Column::ReadPosition).lt(position).and(Expr::val(!is_users));
        let ignored = Expr::col(conversation::Column::UnreadIgnored);
        let ignored = Expr::case(was_unread, ignored.clone().add(1_i64)).finally(ignored);
        conversation::Entity::update_many()
            .col_expr(conversation::Column::MessageCount, count.sub(1_i64))
            .col_expr(conversation::Column::UnreadIgnored, ignored.into())
            .filter(conversation::Column::Id.eq(conversation))
            .exec(tx.connection())
            .await?;
        tx.record(Change { kind: ChangeKind::MessageDeleted, conversation, message: Some(id) });
        tx.commit().await?;
        Ok((row.try_into()?, false))
    }

    /// Locks the conversation of a message, and returns the message.
    pub(in crate::store) async fn lock_message(&self, tx: &Tx, id: MessageId) -> Result<message::Model> {
        let find = || self.own_messages().filter(message::Column::Id.eq(id)).one(tx.connection());
        let row = find().await?.ok_or(Error::NotFound("message"))?;
        self.touch(tx, row.conversation_id).await?;
        find().await?.ok_or(Error::NotFound("message"))
    }
}

fn refuse(row: &message::Model, status: i16, state: &'static str) -> Result<()> {
    if row.status == status { Err(Error::State(state)) } else { Ok(()) }
}
