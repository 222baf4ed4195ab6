//! Changing what a message says, and taking it away. Its place, its branch and its id stay.

use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, IntoActiveModel, QueryFilter};

use crate::model::{
    Change, ChangeKind, ConversationPatch, Json, Message, MessageId, MessagePatch, MessageStatus, Timestamp,
    TokenUsage,
};
use crate::store::entity::{conversation, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::repository::token_counts;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// A deleted message is not counted.
const COUNT_ONE_LESS: &str =
    "UPDATE conversation SET message_count = message_count - 1 WHERE id = $1 RETURNING *";

impl Scoped {
    /// Sets what the patch gives, and the time of the edit. A pin alone is not an edit: it sets no time, is possible
    /// while the message is being written, and changes nothing where it is so already.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: it is being written, or deleted.
    pub async fn update_message(&self, id: MessageId, patch: MessagePatch) -> Result<Message> {
        let mut tx = Tx::begin(self, 1).await?;
        let row = self.lock_message(&tx, id).await?;
        let is_edit = patch.is_edit();
        if is_edit {
            refuse(&row, MessageStatus::Streaming.code(), "being written")?;
        }
        if row.deleted_at.is_some() {
            return Err(Error::State("deleted"));
        }
        if !is_edit && patch.pinned == Some(row.pinned) {
            // It is so already: the transaction is rolled back.
            return row.try_into();
        }
        let conversation = row.conversation_id;
        let edited_at = row.edited_at;
        let has_new_text = patch.body.is_some();
        let mut row = row.into_active_model();
        if let Some(body) = patch.body {
            let (content, parts) = body.into_columns();
            row.content = ActiveValue::Set(content);
            row.parts = ActiveValue::Set(parts);
        }
        if let Some(usage) = patch.usage {
            row.usage = ActiveValue::Set(usage.map(TokenUsage::to_json));
        }
        if let Some(metadata) = patch.metadata {
            row.metadata = ActiveValue::Set(metadata);
        }
        if let Some(pinned) = patch.pinned {
            row.pinned = ActiveValue::Set(pinned);
        }
        if is_edit {
            // Later than the edit before, so that it identifies what was said until the next one.
            let after = edited_at.map_or(Timestamp(0), |Timestamp(time)| Timestamp(time + 1));
            row.edited_at = ActiveValue::Set(Some(tx.now().max(after)));
        }
        let row = row.update(tx.connection()).await?;
        if has_new_text {
            token_counts::forget(&tx, &row).await?;
        }
        tx.record(Change { kind: ChangeKind::MessageUpdated, conversation, message: Some(id) });
        tx.commit().await?;
        row.try_into()
    }

    /// Removes what a message says. A repeat changes nothing.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    pub async fn delete_message(&self, id: MessageId) -> Result<Message> {
        let mut tx = Tx::begin(self, 1).await?;
        let row = self.lock_message(&tx, id).await?;
        if row.deleted_at.is_some() {
            return row.try_into();
        }
        let conversation = row.conversation_id;
        crate::store::repository::streams::forget(&tx, id).await?;
        let mut row = row.into_active_model();
        row.content = ActiveValue::Set(String::new());
        row.parts = ActiveValue::Set(None);
        row.metadata = ActiveValue::Set(Json::empty_object());
        row.usage = ActiveValue::Set(None);
        row.pinned = ActiveValue::Set(false);
        if row.status == ActiveValue::Unchanged(MessageStatus::Streaming.code()) {
            row.status = ActiveValue::Set(MessageStatus::Interrupted.code());
        }
        row.deleted_at = ActiveValue::Set(Some(tx.now()));
        let row = row.update(tx.connection()).await?;
        token_counts::clear(&tx, &row).await?;
        let _: Option<conversation::Model> = tx.one(COUNT_ONE_LESS, [conversation.into()]).await?;
        tx.record(Change { kind: ChangeKind::MessageDeleted, conversation, message: Some(id) });
        tx.commit().await?;
        row.try_into()
    }

    /// A message as it is while its conversation is locked.
    pub(in crate::store) async fn lock_message(&self, tx: &Tx, id: MessageId) -> Result<message::Model> {
        let find = || self.own_messages().filter(message::Column::Id.eq(id)).one(tx.connection());
        let row = find().await?.ok_or(Error::NotFound("message"))?;
        self.touch(tx, row.conversation_id, ConversationPatch::default()).await?;
        find().await?.ok_or(Error::NotFound("message"))
    }
}

fn refuse(row: &message::Model, status: i16, state: &'static str) -> Result<()> {
    if row.status == status { Err(Error::State(state)) } else { Ok(()) }
}
