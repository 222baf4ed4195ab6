//! What the tables still have of a user.

use sea_orm::sea_query::{Expr, Func, Query};
use sea_orm::{ColumnTrait, ConnectionTrait};

use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::entity::{
    account, attachment, attachment_reference, audit_entry, blob, blob_chunk, branch, change, conversation,
    conversation_label, deleted_usage, message, message_feedback, message_text, message_token_count,
    search_block, search_segment, search_state, share, shared_message, stream, webhook_position,
};
use crate::store::error::Result;

/// The condition that selects the rows of a user.
type OfUser = fn(&OwnerId) -> Expr;

/// The tables that have rows of users.
pub(super) const TABLES: [(&str, OfUser); 22] = [
    ("account", |user| account::Column::Id.eq(user.clone())),
    ("attachment", |user| attachment::Column::OwnerId.eq(user.clone())),
    ("attachment_reference", |user| attachment_reference::Column::OwnerId.eq(user.clone())),
    ("audit_entry", |user| audit_entry::Column::OwnerId.eq(user.clone())),
    ("blob", |user| blob::Column::OwnerId.eq(user.clone())),
    ("blob_chunk", |user| blob_chunk::Column::OwnerId.eq(user.clone())),
    ("branch", |user| {
        let mut ids = Query::select();
        ids.column(conversation::Column::Id).from(conversation::Entity);
        let ids = ids.and_where(conversation::Column::OwnerId.eq(user.clone())).take();
        branch::Column::ConversationId.in_subquery(ids)
    }),
    ("change", |user| change::Column::OwnerId.eq(user.clone())),
    ("conversation", |user| conversation::Column::OwnerId.eq(user.clone())),
    ("conversation_label", |user| conversation_label::Column::OwnerId.eq(user.clone())),
    ("deleted_usage", |user| deleted_usage::Column::OwnerId.eq(user.clone())),
    ("message", |user| message::Column::OwnerId.eq(user.clone())),
    ("message_feedback", |user| message_feedback::Column::OwnerId.eq(user.clone())),
    ("message_text", |user| {
        let mut ids = Query::select();
        ids.column(message::Column::Id).from(message::Entity);
        let ids = ids.and_where(message::Column::OwnerId.eq(user.clone())).take();
        message_text::Column::MessageId.in_subquery(ids)
    }),
    ("message_token_count", |user| message_token_count::Column::OwnerId.eq(user.clone())),
    ("search_block", |user| search_block::Column::OwnerId.eq(user.clone())),
    ("search_segment", |user| search_segment::Column::OwnerId.eq(user.clone())),
    ("search_state", |user| search_state::Column::OwnerId.eq(user.clone())),
    ("share", |user| share::Column::OwnerId.eq(user.clone())),
    ("shared_message", |user| shared_message::Column::OwnerId.eq(user.clone())),
    ("stream", |user| stream::Column::OwnerId.eq(user.clone())),
    ("webhook_position", |user| webhook_position::Column::OwnerId.eq(user.clone())),
];

/// The numbers of rows of a user, of the tables that have some. Some tables have no index that begins with the owner, so
/// it reads them whole.
pub(super) async fn rows_of(store: &Store, user: &OwnerId) -> Result<Vec<(&'static str, u64)>> {
    let reader = store.reader_of(std::iter::once(user));
    let mut found = Vec::new();
    for (table, of_user) in TABLES {
        let mut count = Query::select();
        count.expr_as(Func::count(Expr::val(1_i32)), "rows").from(table).and_where(of_user(user));
        let row = reader.query_one(&count).await?;
        let rows: i64 = row.map(|row| row.try_get("", "rows")).transpose()?.unwrap_or(0);
        if rows > 0 {
            found.push((table, u64::try_from(rows).unwrap_or(0)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::entity::tables::columns;

    /// The key and the webhooks are of no user, and removals of objects name none. Revoked tokens stay revoked after an
    /// erasure: see docs/erasure.md.
    #[test]
    fn every_other_table_is_counted() {
        let tables: BTreeSet<String> = columns().into_iter().map(|column| column.table).collect();
        let counted = TABLES
            .map(|(name, _)| name)
            .into_iter()
            .chain(["object_removal", "revocation", "signing_key", "webhook"])
            .map(str::to_owned);
        assert_eq!(tables, counted.collect());
    }
}
