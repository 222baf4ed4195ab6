//! Removing counts with the text that was counted.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use crate::model::{ConversationId, OwnerId, Tokenizer};
use crate::store::entity::message;
use crate::store::entity::message_token_count::{self, TRUNK};
use crate::store::error::Result;
use crate::store::transaction::Tx;

/// The counts of a message.
fn of_message(row: &message::Model) -> Condition {
    Condition::all()
        .add(message_token_count::Column::ConversationId.eq(row.conversation_id))
        // All there are: the tokenizer comes before the branch in the key.
        .add(message_token_count::Column::Tokenizer.is_in(Tokenizer::ALL.map(Tokenizer::code)))
        .add(message_token_count::Column::Branch.eq(row.branch.unwrap_or(TRUNK)))
        .add(message_token_count::Column::Position.eq(row.position))
        .add(message_token_count::Column::OwnerId.eq(row.owner_id.clone()))
}

/// The counts of a conversation.
fn of_conversation(owner: &OwnerId, id: ConversationId) -> Condition {
    Condition::all()
        .add(message_token_count::Column::ConversationId.eq(id))
        .add(message_token_count::Column::OwnerId.eq(owner.clone()))
}

/// Removes the counts of a message whose text was replaced. The row of the message is locked by now.
pub(in crate::store::repository) async fn forget(tx: &Tx, row: &message::Model) -> Result<()> {
    message_token_count::Entity::delete_many().filter(of_message(row)).exec(tx.connection()).await?;
    Ok(())
}

/// The same for a message that was deleted.
pub(in crate::store::repository) async fn clear(tx: &Tx, row: &message::Model) -> Result<()> {
    clear_all(tx, of_message(row)).await
}

/// The same for all messages of a conversation.
pub(in crate::store::repository) async fn clear_conversation(
    tx: &Tx,
    owner: &OwnerId,
    id: ConversationId,
) -> Result<()> {
    clear_all(tx, of_conversation(owner, id)).await
}

async fn clear_all(tx: &Tx, counts: Condition) -> Result<()> {
    message_token_count::Entity::update_many()
        .col_expr(message_token_count::Column::Tokens, Expr::val(None::<i64>))
        .col_expr(message_token_count::Column::ToolCalls, Expr::val(None::<Vec<u8>>))
        .filter(counts)
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Removes the counts of a conversation whose messages were removed.
pub(in crate::store::repository) async fn forget_conversation(
    tx: &Tx,
    owner: &OwnerId,
    id: ConversationId,
) -> Result<()> {
    message_token_count::Entity::delete_many()
        .filter(of_conversation(owner, id))
        .exec(tx.connection())
        .await?;
    Ok(())
}
