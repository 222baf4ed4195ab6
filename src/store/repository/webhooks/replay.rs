//! Moves the positions of a webhook: back to deliver again, and out of the wait after failures.

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::lease::WebhookLease;
use super::positions::{ROWS, revision_at};
use crate::model::{OwnerId, Timestamp, parse_change_cursor};
use crate::store::database::Store;
use crate::store::entity::account;
use crate::store::entity::webhook_position::{Column, Entity};
use crate::store::error::{Error, Result};
use crate::store::transaction::PlainTx;

/// Where to deliver from again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayStart {
    /// All owners, from this time on.
    Time(Timestamp),
    /// One owner, after this revision.
    Owner(OwnerId, i64),
}

impl Store {
    /// The owner of a cursor of a change, and its revision. `None`: it is of no owner of this database.
    pub async fn owner_of_cursor(&self, cursor: &str) -> Result<Option<(OwnerId, i64)>> {
        let mut after = String::new();
        loop {
            let page = self.accounts_after(&after).await?;
            let Some(last) = page.last() else { return Ok(None) };
            last.id.as_str().clone_into(&mut after);
            for account in page {
                if let Some(revision) = parse_change_cursor(&account.id, cursor) {
                    return Ok(Some((account.id, revision)));
                }
            }
        }
    }

    /// Moves positions to an earlier change.
    pub(super) async fn move_positions_back(&self, lease: &WebhookLease, start: &ReplayStart) -> Result<()> {
        match start {
            ReplayStart::Time(time) => {
                let mut feed = Query::select();
                feed.expr(revision_at(*time)).from(account::Entity).and_where(
                    Expr::col((account::Entity, account::Column::Id))
                        .eq(Expr::col((Entity, Column::OwnerId))),
                );
                let revision = Expr::SubQuery(None, Box::new(feed.into()));
                self.change_positions(lease, &move_back(&revision)).await
            }
            ReplayStart::Owner(owner, revision) => {
                let update = move_back(&Expr::val(*revision));
                self.change_page(lease, std::slice::from_ref(owner), &update).await
            }
        }
    }

    /// Makes the deliveries of all owners due.
    pub(super) async fn clear_failures(&self, lease: &WebhookLease) -> Result<()> {
        let mut update = Query::update();
        update
            .table(Entity)
            .value(Column::Attempts, 0_i64)
            .value(Column::FailingSince, Expr::val(None::<i64>))
            .value(Column::NextAttemptAt, Expr::val(None::<i64>))
            .and_where(Column::Attempts.gt(0_i64));
        self.change_positions(lease, &update).await
    }

    /// Runs a statement for all positions of a webhook, in small transactions.
    async fn change_positions(&self, lease: &WebhookLease, update: &UpdateStatement) -> Result<()> {
        let mut after = String::new();
        loop {
            let page: Vec<OwnerId> = Entity::find()
                .select_only()
                .column(Column::OwnerId)
                .filter(Column::Webhook.eq(lease.webhook.as_str()))
                .filter(Column::OwnerId.gt(after.as_str()))
                .order_by_asc(Column::OwnerId)
                .limit(ROWS as u64)
                .into_tuple()
                .all(&self.reader_of_all_owners())
                .await?;
            let Some(last) = page.last() else { return Ok(()) };
            last.as_str().clone_into(&mut after);
            self.change_page(lease, &page, update).await?;
        }
    }

    async fn change_page(
        &self,
        lease: &WebhookLease,
        owners: &[OwnerId],
        update: &UpdateStatement,
    ) -> Result<()> {
        let lost = || Error::unavailable("another command changes this webhook");
        if !self.extend_lease(lease).await? {
            return Err(lost());
        }
        let tx = PlainTx::begin_for(self, owners.iter()).await?;
        if !lease.lock(&tx).await? {
            return Err(lost());
        }
        let mut update = update.clone();
        update
            .and_where(Column::Webhook.eq(lease.webhook.as_str()))
            .and_where(Column::OwnerId.is_in(owners.iter().cloned()));
        tx.connection().execute(&update).await?;
        tx.commit(false).await
    }
}

/// Sets positions to a revision, if they are after it.
fn move_back(revision: &Expr) -> UpdateStatement {
    Query::update()
        .table(Entity)
        .value(Column::Revision, revision.clone())
        .and_where(Column::Revision.into_expr().gt(revision.clone()))
        .take()
}
