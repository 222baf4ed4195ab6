//! The statements that find the path to a message and the messages that follow one.

use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, Order, Query, SelectStatement, UnionType, WithClause,
};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use crate::model::{ConversationId, OwnerId};
use crate::store::engine::slot;
use crate::store::entity::{branch, message};
use crate::store::json_rows::{JsonRows, REQUESTED};
use crate::store::repository::bounded::ids_and_sizes;

/// The name of the recursive part of [`path`].
const PATH: &str = "path";

/// Selects the branches from one to the root, each with the last position of it that is on the path.
pub(super) fn path(conversation: ConversationId, branch: i64, position: i64) -> SelectStatement {
    let step = |column: &'static str| Expr::col((PATH, column));
    let mut steps = Query::select();
    steps
        .expr_as(Expr::val(branch).cast_as("bigint"), "branch")
        .expr_as(Expr::val(position).cast_as("bigint"), "upto")
        .expr_as(Expr::val(0_i64).cast_as("bigint"), "depth");
    let parents = Query::select()
        .expr(branch::Column::ParentBranch.into_expr())
        .expr(branch::Column::ForkPosition.into_expr())
        .expr(step("depth").add(1_i64))
        .from(PATH)
        .inner_join(
            branch::Entity,
            branch::Column::ConversationId
                .into_expr()
                .eq(conversation)
                .and(branch::Column::Branch.into_expr().eq(step("branch"))),
        )
        .take();
    let mut cte = CommonTableExpression::new();
    cte.table_name(PATH)
        .columns(["branch", "upto", "depth"])
        .query(steps.union(UnionType::All, parents).take());
    Query::select()
        .with_cte(WithClause::new().recursive(true).cte(cte).to_owned())
        .columns(["branch", "upto"])
        .from(PATH)
        .order_by("depth", Order::Asc)
        .take()
}

/// Selects the messages that follow some places: on the trunk the next one, elsewhere every message that has the
/// place as its parent.
pub(super) fn following(
    backend: DbBackend,
    owner: &OwnerId,
    places: &[(ConversationId, i64)],
) -> SelectStatement {
    let requested = JsonRows::places(backend, places);
    let next = requested.number(1).add(1_i64);
    let of_conversation = || {
        Condition::all()
            .add(message::Column::ConversationId.into_expr().eq(requested.uuid(0)))
            .add(message::Column::OwnerId.eq(owner.clone()))
    };
    let on_trunk = of_conversation()
        .add(message::Column::Position.into_expr().eq(next.clone()))
        .add(message::Column::Branch.is_null())
        .add_option(slot::at(backend, requested.uuid(0), next));
    let on_branches = of_conversation()
        .add(message::Column::ParentPosition.into_expr().eq(requested.number(1)))
        .add(message::Column::Branch.is_not_null());
    let [mut on_trunk, on_branches] = [on_trunk, on_branches].map(|condition| {
        ids_and_sizes()
            .from_function(requested.table(), REQUESTED)
            .inner_join(message::Entity, condition)
            .take()
    });
    on_trunk.union(UnionType::All, on_branches).take()
}
