//! Which followers are behind the database: one statement for all of them.
//!
//! Signals can be lost. So a poll checks for all followers whether the database has newer data than they have seen.
//! Each request names its owner. A conversation that does not exist for its owner is reported too: the read that
//! follows then returns the error.

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr};
use serde_json::json;

use crate::model::{ConversationId, OwnerId};
use crate::store::database::Store;
use crate::store::entity::{account, conversation};
use crate::store::error::Result;
use crate::store::json_rows::{JsonRows, REQUESTED};

impl Store {
    /// The indices of the conversations that have messages after a position, or do not exist for their owner.
    pub async fn conversations_beyond(
        &self,
        places: &[((OwnerId, ConversationId), i64)],
    ) -> Result<Vec<usize>> {
        let owners = places.iter().map(|((owner, _), _)| owner);
        let requested = JsonRows::new(
            self.backend(),
            (0..).zip(places).map(|(index, ((owner, id), position)): (usize, _)| {
                json!([index, position, id.0.simple().to_string(), owner.as_str()])
            }),
        );
        let last_position = Query::select()
            .column(conversation::Column::LastPosition)
            .from(conversation::Entity)
            .and_where(conversation::Column::Id.into_expr().eq(requested.uuid(2)))
            .and_where(conversation::Column::OwnerId.into_expr().eq(requested.text(3)))
            .take();
        let is_beyond = Expr::SubQuery(None, Box::new(last_position.into())).gt(requested.number(1));
        let condition = Func::coalesce([is_beyond, Expr::val(true)]).into();
        self.indices(owners, &requested, condition).await
    }

    /// The indices of the owners that have changes after a revision, or whose feed has ended because they are erased.
    pub async fn accounts_beyond(&self, places: &[(OwnerId, i64)]) -> Result<Vec<usize>> {
        let owners = places.iter().map(|(owner, _)| owner);
        let requested = JsonRows::new(
            self.backend(),
            (0..)
                .zip(places)
                .map(|(index, (owner, revision)): (usize, _)| json!([index, revision, owner.as_str()])),
        );
        let is_erasing = account::Column::ErasingSince.into_expr().is_not_null();
        let revision = Expr::case(is_erasing, i64::MAX).finally(Expr::col(account::Column::Revision));
        let revision = Query::select()
            .expr(revision)
            .from(account::Entity)
            .and_where(account::Column::Id.into_expr().eq(requested.text(2)))
            .take();
        let is_beyond = Expr::SubQuery(None, Box::new(revision.into())).gt(requested.number(1));
        let is_erased = requested.number(1).gt(0_i64);
        let condition = Func::coalesce([is_beyond, is_erased]).into();
        self.indices(owners, &requested, condition).await
    }

    /// The first columns of the rows for which a condition is true.
    async fn indices<'o>(
        &self,
        owners: impl Iterator<Item = &'o OwnerId>,
        requested: &JsonRows,
        condition: Expr,
    ) -> Result<Vec<usize>> {
        let select = Query::select()
            .expr_as(requested.number(0), "index")
            .from_function(requested.table(), REQUESTED)
            .and_where(condition)
            .take();
        let rows = self.reader_of(owners).query_all(&select).await?;
        let indices = rows.iter().map(|row| row.try_get::<i64>("", "index"));
        let indices = indices.collect::<std::result::Result<Vec<_>, DbErr>>()?;
        Ok(indices.into_iter().filter_map(|index| usize::try_from(index).ok()).collect())
    }
}
