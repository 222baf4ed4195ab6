//! Feedback on messages. It goes with its message and its conversation.
//!
//! A change of feedback is a change of the message for subscribers. It does not make the conversation more recent.

use std::collections::HashMap;

use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};
use serde_json::json;

use crate::model::{
    AuditAction, Change, ChangeKind, ConversationId, Feedback, FeedbackPatch, Message, MessageId, OwnerId,
    Rating,
};
use crate::store::entity::{message, message_feedback};
use crate::store::error::{Error, Result};
use crate::store::json_rows::{JsonRows, REQUESTED};
use crate::store::row_budget::{ROW_OVERHEAD, RowSize};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

impl RowSize for message_feedback::Model {
    fn size(&self) -> usize {
        ROW_OVERHEAD + self.tags.len() + self.comment.as_ref().map_or(0, String::len)
    }
}

impl Scoped {
    /// Changes the feedback on a message. A patch that changes nothing writes nothing.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: the message is deleted.
    pub async fn set_message_feedback(&self, id: MessageId, patch: FeedbackPatch) -> Result<Message> {
        // It locks the account, so nothing else changes or deletes the message meanwhile.
        let mut tx = Tx::begin(self, AuditAction::SetMessageFeedback, 1).await?;
        let row = self.own_messages().filter(message::Column::Id.eq(id)).one(tx.connection()).await?;
        let row = row.ok_or(Error::NotFound("message"))?;
        if row.deleted_at.is_some() {
            return Err(Error::State("deleted"));
        }
        let of_message = of_message(&row);
        let before = message_feedback::Entity::find().filter(of_message.clone()).one(tx.connection()).await?;
        let before = before.map(Feedback::try_from).transpose()?;
        let after = patch.apply(before.as_ref(), tx.now());
        if after == before {
            // The transaction is rolled back.
            return row.try_into();
        }
        match after {
            Some(feedback) => write(&tx, &row, feedback).await?,
            None => {
                message_feedback::Entity::delete_many().filter(of_message).exec(tx.connection()).await?;
            }
        }
        let conversation = row.conversation_id;
        tx.record(Change { kind: ChangeKind::MessageUpdated, conversation, message: Some(id) });
        tx.commit().await?;
        row.try_into()
    }

    /// The feedback on messages, each given with its conversation. Messages without feedback are left out, and so are
    /// unknown and foreign ones.
    pub async fn feedback(
        &self,
        messages: &[(ConversationId, MessageId)],
    ) -> Result<HashMap<(ConversationId, MessageId), Feedback>> {
        let ids = messages.iter().map(|(conversation, message)| {
            json!([conversation.0.simple().to_string(), message.0.simple().to_string()])
        });
        let requested = JsonRows::new(self.backend(), ids);
        let is_requested = Condition::all()
            .add(message_feedback::Column::ConversationId.into_expr().eq(requested.uuid(0)))
            .add(message_feedback::Column::MessageId.into_expr().eq(requested.uuid(1)))
            .add(message_feedback::Column::OwnerId.eq(self.owner.clone()));
        let mut select = message_feedback::Entity::find();
        QuerySelect::query(&mut select)
            .from_clear()
            .from_function(requested.table(), REQUESTED)
            .inner_join(message_feedback::Entity, is_requested);
        let read = || async { self.take(select.clone().all(&self.reader()).await?) };
        let rows = self.with_reservation(read).await?;
        rows.into_iter().map(|row| Ok(((row.conversation_id, row.message_id), row.try_into()?))).collect()
    }
}

async fn write(tx: &Tx, message: &message::Model, feedback: Feedback) -> Result<()> {
    let tags = serde_json::to_string(&feedback.tags).map_err(|error| Error::broken(error.to_string()))?;
    let row = message_feedback::Model {
        conversation_id: message.conversation_id,
        message_id: message.id,
        owner_id: message.owner_id.clone(),
        rating: feedback.rating.map(Rating::code),
        tags,
        comment: feedback.comment,
        updated_at: feedback.updated_at,
    };
    let key = [message_feedback::Column::ConversationId, message_feedback::Column::MessageId];
    let replace = OnConflict::columns(key)
        .update_columns([
            message_feedback::Column::Rating,
            message_feedback::Column::Tags,
            message_feedback::Column::Comment,
            message_feedback::Column::UpdatedAt,
        ])
        .to_owned();
    message_feedback::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}

/// The feedback on a message.
fn of_message(row: &message::Model) -> Condition {
    Condition::all()
        .add(message_feedback::Column::ConversationId.eq(row.conversation_id))
        .add(message_feedback::Column::MessageId.eq(row.id))
        .add(message_feedback::Column::OwnerId.eq(row.owner_id.clone()))
}

/// Deletes the feedback on a message that is deleted.
pub(super) async fn delete_feedback(tx: &Tx, row: &message::Model) -> Result<()> {
    message_feedback::Entity::delete_many().filter(of_message(row)).exec(tx.connection()).await?;
    Ok(())
}

/// Deletes the feedback in a conversation that is deleted.
pub(super) async fn delete_feedback_in(tx: &Tx, owner: &OwnerId, id: ConversationId) -> Result<()> {
    message_feedback::Entity::delete_many()
        .filter(message_feedback::Column::ConversationId.eq(id))
        .filter(message_feedback::Column::OwnerId.eq(owner.clone()))
        .exec(tx.connection())
        .await?;
    Ok(())
}
