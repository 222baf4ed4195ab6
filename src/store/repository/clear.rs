//! Deleting all messages of a conversation, which stays.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::model::{
    AuditAction, Change, ChangeKind, Conversation, ConversationId, Json, MessageId, MessageStatus,
};
use crate::store::engine::slot;
use crate::store::entity::{conversation, message};
use crate::store::error::Result;
use crate::store::repository::{attachment_references, deleted_usage, feedback, streams, token_counts};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

impl Scoped {
    /// Deletes the content of every message of a conversation, on all branches, in one transaction. The conversation
    /// keeps its id and its fields, and positions go on, so cursors stay valid. A repeat changes nothing.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn clear_conversation(&self, id: ConversationId) -> Result<Conversation> {
        let mut tx = Tx::begin(self, AuditAction::ClearConversation, 1).await?;
        let row = self.locked(&tx, id).await?;
        let live = Condition::all()
            .add(message::Column::ConversationId.eq(id))
            .add(message::Column::OwnerId.eq(self.owner.clone()))
            .add(message::Column::DeletedAt.is_null())
            .add_option(slot::among(self.backend(), id, (0, slot::LAST)));
        let messages: Vec<MessageId> = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(live.clone())
            .order_by_asc(message::Column::Position)
            .into_tuple()
            .all(tx.connection())
            .await?;
        if messages.is_empty() {
            // It is so already: the transaction is rolled back.
            return Ok(row.into());
        }
        tx.reserve(messages.len() - 1).await?;
        streams::delete_streams(&tx, id).await?;
        deleted_usage::keep_usage_in(&tx, &self.owner, id).await?;
        feedback::delete_feedback_in(&tx, &self.owner, id).await?;
        attachment_references::release_messages(&tx, &self.owner, id).await?;
        let status = message::Column::Status;
        let ended = Expr::case(
            status.eq(MessageStatus::Streaming.code()),
            Expr::val(MessageStatus::Interrupted.code()),
        )
        .finally(Expr::col(status));
        message::Entity::update_many()
            .col_expr(message::Column::Content, Expr::val(String::new()))
            .col_expr(message::Column::Parts, Expr::val(None::<String>))
            .col_expr(message::Column::Metadata, Expr::val(Json::empty_object()))
            .col_expr(message::Column::Usage, Expr::val(None::<String>))
            .col_expr(message::Column::Pinned, Expr::val(false))
            .col_expr(status, ended.into())
            .col_expr(message::Column::DeletedAt, Expr::val(Some(tx.now())))
            .filter(live)
            .exec(tx.connection())
            .await?;
        token_counts::clear_conversation(&tx, &self.owner, id).await?;
        let cleared = conversation::Entity::update_many()
            .col_expr(conversation::Column::UpdatedAt, conversation::next_updated_at(tx.now()))
            .col_expr(conversation::Column::MessageCount, Expr::val(0_i64))
            .col_expr(conversation::Column::ReadPosition, Expr::val(row.last_position))
            .col_expr(conversation::Column::UnreadIgnored, Expr::val(0_i64))
            .filter(conversation::Column::Id.eq(id))
            .filter(conversation::Column::OwnerId.eq(self.owner.clone()))
            .exec_with_returning(tx.connection())
            .await?
            .pop();
        for message in messages {
            let kind = ChangeKind::MessageDeleted;
            tx.record(Change { kind, conversation: id, message: Some(message) });
        }
        tx.commit().await?;
        Ok(cleared.unwrap_or(row).into())
    }
}
