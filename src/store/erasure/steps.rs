//! The steps of an erasure: each removes some rows, until none is left.
//!
//! Rows that depend on others go first: row-level security hides them as soon as the row they depend on is gone.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoSimpleExpr, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use crate::model::{ConversationId, ErasedRows, OwnerId, ShareId, Timestamp};
use crate::signals::Topic;
use crate::store::engine::slot;
use crate::store::entity::{
    attachment, attachment_reference, audit_entry, blob, blob_chunk, branch, change, conversation,
    conversation_label, deleted_usage, message, message_feedback, message_text, message_token_count,
    search_block, search_segment, search_state, share, shared_message, stream, webhook_position,
};
use crate::store::error::Result;
use crate::store::repository::blobs;

/// The rows that a step removes, about: other writes of the server wait meanwhile on SQLite.
pub(super) const ROWS: u64 = 256;

/// The conversations and streams of a step.
const CONVERSATIONS: u64 = 32;

/// What a step did.
#[derive(Default)]
pub(super) struct Step {
    /// Nothing was left.
    pub(super) is_last: bool,
    /// The subscriptions that end.
    pub(super) topics: Vec<Topic>,
}

/// Removes some rows of a user, and counts them.
pub(super) async fn remove_some(
    tx: &DatabaseTransaction,
    user: &OwnerId,
    (hash, now): (&str, Timestamp),
    rows: &mut ErasedRows,
) -> Result<Step> {
    let streams = remove_streams(tx, user, rows).await?;
    if !streams.is_empty() {
        return Ok(Step { topics: streams, ..Step::default() });
    }
    let (found, topics) = remove_conversations(tx, user, rows).await?;
    if found {
        return Ok(Step { topics, ..Step::default() });
    }
    let of_owner = [
        // Before its segments and blocks: writes to the index hold a lock on it, or find it gone.
        remove::<search_state::Entity>(tx, search_state::Column::OwnerId.eq(user.clone()))
            .await?
            .count("search_state", rows),
        remove::<change::Entity>(tx, change::Column::OwnerId.eq(user.clone())).await?.count("change", rows),
        remove::<search_block::Entity>(tx, search_block::Column::OwnerId.eq(user.clone()))
            .await?
            .count("search_block", rows),
        remove::<search_segment::Entity>(tx, search_segment::Column::OwnerId.eq(user.clone()))
            .await?
            .count("search_segment", rows),
        remove::<deleted_usage::Entity>(tx, deleted_usage::Column::OwnerId.eq(user.clone()))
            .await?
            .count("deleted_usage", rows),
        remove::<conversation_label::Entity>(tx, conversation_label::Column::OwnerId.eq(user.clone()))
            .await?
            .count("conversation_label", rows),
        remove::<attachment_reference::Entity>(tx, attachment_reference::Column::OwnerId.eq(user.clone()))
            .await?
            .count("attachment_reference", rows),
        remove::<attachment::Entity>(tx, attachment::Column::OwnerId.eq(user.clone()))
            .await?
            .count("attachment", rows),
        remove_chunks(tx, user, now).await?.count("blob_chunk", rows),
        remove::<blob::Entity>(tx, blob::Column::OwnerId.eq(user.clone())).await?.count("blob", rows),
        remove::<webhook_position::Entity>(tx, webhook_position::Column::OwnerId.eq(user.clone()))
            .await?
            .count("webhook_position", rows),
        hash_audit_entries(tx, user, hash).await?,
    ];
    Ok(Step { is_last: of_owner.iter().all(|removed| *removed == 0), topics: Vec::new() })
}

/// A number of removed rows.
struct Removed(u64);

impl Removed {
    fn count(self, table: &str, rows: &mut ErasedRows) -> u64 {
        if self.0 > 0 {
            *rows.entry(table.to_owned()).or_default() += self.0;
        }
        self.0
    }
}

/// Removes at most [`ROWS`] rows that a condition selects.
async fn remove<E: EntityTrait>(
    tx: &DatabaseTransaction,
    condition: impl Into<Condition>,
) -> Result<Removed> {
    let key = || E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let mut find = E::find().select_only().filter(condition.into()).limit(ROWS);
    for column in key() {
        find = find.column(column);
    }
    let key = Expr::tuple(key().map(IntoSimpleExpr::into_simple_expr));
    let delete = E::delete_many().filter(key.in_subquery(find.into_query()));
    Ok(Removed(delete.exec(tx).await?.rows_affected))
}

/// Removes some streams with their text.
async fn remove_streams(
    tx: &DatabaseTransaction,
    user: &OwnerId,
    rows: &mut ErasedRows,
) -> Result<Vec<Topic>> {
    let streams = stream::Entity::find()
        .filter(stream::Column::OwnerId.eq(user.clone()))
        .limit(CONVERSATIONS)
        .all(tx)
        .await?;
    let ids: Vec<_> = streams.iter().map(|stream| stream.message_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // The streams first: a writer that adds text at the same moment ends before, or finds no stream.
    remove::<stream::Entity>(tx, stream::Column::MessageId.is_in(ids.clone())).await?.count("stream", rows);
    while remove::<message_text::Entity>(tx, message_text::Column::MessageId.is_in(ids.clone()))
        .await?
        .count("message_text", rows)
        > 0
    {}
    Ok(ids.into_iter().map(Topic::Message).collect())
}

/// Removes rows of some conversations, and the conversations that have none left. Returns whether there were any.
async fn remove_conversations(
    tx: &DatabaseTransaction,
    user: &OwnerId,
    rows: &mut ErasedRows,
) -> Result<(bool, Vec<Topic>)> {
    let found: Vec<ConversationId> = conversation::Entity::find()
        .select_only()
        .column(conversation::Column::Id)
        .filter(conversation::Column::OwnerId.eq(user.clone()))
        .order_by_asc(conversation::Column::Id)
        .limit(CONVERSATIONS)
        .into_tuple()
        .all(tx)
        .await?;
    let (mut removed, mut empty) = (0, Vec::new());
    for id in found.iter().copied() {
        removed += remove_from(tx, user, id, rows).await?;
        if removed >= ROWS {
            break;
        }
        empty.push(id);
    }
    let of_empty = conversation::Column::Id.is_in(empty.iter().copied());
    remove::<conversation::Entity>(tx, of_empty).await?.count("conversation", rows);
    Ok((!found.is_empty(), empty.into_iter().map(Topic::Conversation).collect()))
}

/// Removes rows of a conversation: all, if it returns fewer than [`ROWS`].
async fn remove_from(
    tx: &DatabaseTransaction,
    user: &OwnerId,
    id: ConversationId,
    rows: &mut ErasedRows,
) -> Result<u64> {
    let messages = Condition::all()
        .add(message::Column::ConversationId.eq(id))
        .add(message::Column::OwnerId.eq(user.clone()))
        .add_option(slot::among(tx.get_database_backend(), id, (0, slot::LAST)));
    let mut removed =
        remove::<branch::Entity>(tx, branch::Column::ConversationId.eq(id)).await?.count("branch", rows);
    if removed < ROWS {
        removed += remove::<message::Entity>(tx, messages).await?.count("message", rows);
    }
    // After the messages: a count is only written for a message that is there.
    if removed < ROWS {
        let of_conversation = message_token_count::Column::ConversationId.eq(id);
        removed += remove::<message_token_count::Entity>(tx, of_conversation)
            .await?
            .count("message_token_count", rows);
    }
    if removed < ROWS {
        let of_conversation = message_feedback::Column::ConversationId.eq(id);
        removed +=
            remove::<message_feedback::Entity>(tx, of_conversation).await?.count("message_feedback", rows);
    }
    if removed < ROWS {
        removed += remove_shares(tx, user, id, rows).await?;
    }
    Ok(removed)
}

/// Removes some messages of the shares of a conversation, and the shares once they have none.
async fn remove_shares(
    tx: &DatabaseTransaction,
    user: &OwnerId,
    id: ConversationId,
    rows: &mut ErasedRows,
) -> Result<u64> {
    let of_conversation =
        || share::Column::OwnerId.eq(user.clone()).and(share::Column::ConversationId.eq(id));
    let ids: Vec<ShareId> = share::Entity::find()
        .select_only()
        .column(share::Column::Id)
        .filter(of_conversation())
        .into_tuple()
        .all(tx)
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let messages = shared_message::Column::ShareId.is_in(ids);
    let removed = remove::<shared_message::Entity>(tx, messages).await?.count("shared_message", rows);
    if removed >= ROWS {
        return Ok(removed);
    }
    Ok(removed + remove::<share::Entity>(tx, of_conversation()).await?.count("share", rows))
}

/// Removes some chunks of files. Their objects are removed after the commit.
async fn remove_chunks(tx: &DatabaseTransaction, user: &OwnerId, now: Timestamp) -> Result<Removed> {
    let ids: Vec<Uuid> = blob_chunk::Entity::find()
        .select_only()
        .column(blob_chunk::Column::Id)
        .filter(blob_chunk::Column::OwnerId.eq(user.clone()))
        .limit(ROWS)
        .into_tuple()
        .all(tx)
        .await?;
    blobs::insert_removals(tx, &ids, now).await?;
    remove::<blob_chunk::Entity>(tx, blob_chunk::Column::Id.is_in(ids)).await
}

/// Puts the hash instead of the user into entries of the audit log.
async fn hash_audit_entries(tx: &DatabaseTransaction, user: &OwnerId, hash: &str) -> Result<u64> {
    let some = audit_entry::Entity::find()
        .select_only()
        .column(audit_entry::Column::Number)
        .filter(audit_entry::Column::OwnerId.eq(user.clone()))
        .limit(ROWS);
    let update = audit_entry::Entity::update_many()
        .col_expr(audit_entry::Column::OwnerId, Expr::val(None::<String>))
        .col_expr(audit_entry::Column::OwnerHash, Expr::val(hash))
        .filter(audit_entry::Column::Number.in_subquery(some.into_query()));
    Ok(update.exec(tx).await?.rows_affected)
}
