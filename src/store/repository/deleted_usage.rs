//! Keeps the token usage of deleted messages, because sums of usage still have it.
//!
//! The transaction that deletes a message, or a whole conversation, first adds its usage to `deleted_usage`. Nothing of
//! the message is kept but its time and its model.

use sea_orm::sea_query::{BinOper, Expr, ExprTrait, Func, OnConflict, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, Iterable};

use crate::model::{ConversationId, OwnerId};
use crate::store::engine::slot;
use crate::store::entity::{deleted_usage, message};
use crate::store::error::{Error, Result};
use crate::store::transaction::Tx;

/// The counts of a usage: the key in the JSON of `message.usage`, and the column of `deleted_usage`.
pub(super) const COUNTS: [(&str, deleted_usage::Column); 5] = [
    ("inputTokens", deleted_usage::Column::InputTokens),
    ("outputTokens", deleted_usage::Column::OutputTokens),
    ("totalTokens", deleted_usage::Column::TotalTokens),
    ("cachedInputTokens", deleted_usage::Column::CachedInputTokens),
    ("reasoningTokens", deleted_usage::Column::ReasoningTokens),
];

/// The usage of a message as a value for [`count`].
pub(super) fn usage_of_message(backend: DbBackend) -> Expr {
    let usage = message::Column::Usage.into_expr();
    match backend {
        DbBackend::Sqlite => usage,
        _ => usage.cast_as("jsonb"),
    }
}

/// A count of a usage. Null if the provider did not report it.
pub(super) fn count(usage: Expr, key: &'static str) -> Expr {
    usage.binary(BinOper::Custom("->>"), Expr::val(key)).cast_as("bigint")
}

/// The sum of a column or an expression. 0 if there is nothing to add.
pub(super) fn sum(of: Expr) -> Expr {
    // PostgreSQL's sum of bigint is numeric.
    Expr::from(Func::coalesce([Func::sum(of).into(), Expr::val(0_i64)])).cast_as("bigint")
}

/// Keeps the usage of a message. Call it before the usage is cleared.
pub(super) async fn keep_usage(tx: &Tx, row: &message::Model) -> Result<()> {
    if row.usage.is_none() {
        return Ok(());
    }
    add(tx, &row.owner_id, Condition::all().add(message::Column::Id.eq(row.id))).await
}

/// Keeps the usage of all messages of a conversation. Call it before they are deleted.
pub(super) async fn keep_usage_in(tx: &Tx, owner: &OwnerId, id: ConversationId) -> Result<()> {
    let messages = Condition::all().add(message::Column::ConversationId.eq(id)).add_option(slot::among(
        tx.backend(),
        id,
        (0, slot::LAST),
    ));
    add(tx, owner, messages).await
}

async fn add(tx: &Tx, owner: &OwnerId, messages: Condition) -> Result<()> {
    let key =
        [deleted_usage::Column::OwnerId, deleted_usage::Column::CreatedAt, deleted_usage::Column::Model];
    let mut add_to_row = OnConflict::columns(key);
    for column in deleted_usage::Column::iter().skip(key.len()) {
        add_to_row.value(column, column.into_expr().add(Expr::col(("excluded", column))));
    }
    let mut insert = Query::insert();
    insert
        .into_table(deleted_usage::Entity)
        .columns(deleted_usage::Column::iter())
        .on_conflict(add_to_row)
        .select_from(sums(tx.backend(), owner, messages))
        .map_err(|error| Error::broken(error.to_string()))?;
    tx.connection().execute(&insert).await?;
    Ok(())
}

/// Selects the rows of `deleted_usage` for some messages, in the order of the columns.
fn sums(backend: DbBackend, owner: &OwnerId, messages: Condition) -> SelectStatement {
    let model = Func::coalesce([message::Column::Model.into_expr(), Expr::val("")]);
    let mut select = Query::select();
    select
        .column((message::Entity, message::Column::OwnerId))
        .column((message::Entity, message::Column::CreatedAt))
        .expr_as(model, "kept_model")
        .expr(Func::count(message::Column::Id.into_expr()));
    for (key, _) in COUNTS {
        select.expr(sum(count(usage_of_message(backend), key)));
    }
    select
        .from(message::Entity)
        .and_where(message::Column::OwnerId.eq(owner.clone()))
        .and_where(message::Column::Usage.is_not_null())
        .cond_where(messages)
        .group_by_columns([
            (message::Entity, message::Column::OwnerId),
            (message::Entity, message::Column::CreatedAt),
        ])
        .group_by_col("kept_model")
        .take()
}
