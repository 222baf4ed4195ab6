//! How far webhooks are in the changes of each owner.
//!
//! An owner has a row from the first look on. Until then the position is where the feed was when the webhook was
//! registered: so a registration writes one row, and nothing falls between the accounts that it would read one after another.

use sea_orm::sea_query::{
    Expr, ExprTrait, Func, IntoIden, LockType, OnConflict, Order, Query, SelectStatement, TableRef,
    UpdateStatement,
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult};
use serde_json::json;

use super::lease::WebhookLease;
use crate::model::{OwnerId, OwnerPattern, Timestamp, WebhookProgress};
use crate::store::database::Store;
use crate::store::engine::background::in_background;
use crate::store::engine::row_level_security::Reader;
use crate::store::entity::webhook_position::{Column, Entity, Model};
use crate::store::entity::{account, change};
use crate::store::error::{Error, Result};
use crate::store::json_rows::{JsonRows, REQUESTED};
use crate::store::transaction::PlainTx;

/// Accounts that one statement looks at.
const ACCOUNTS: u64 = 20_000;

/// Rows that one transaction writes. Other writes wait meanwhile on SQLite.
pub(super) const ROWS: usize = 256;

#[derive(FromQueryResult)]
struct Counts {
    behind: i64,
    stalled: i64,
}

impl Store {
    /// The position of an owner. `None`: there is no such owner, or the owner is being erased.
    pub async fn webhook_position(
        &self,
        lease: &WebhookLease,
        owner: &OwnerId,
    ) -> Result<Option<WebhookProgress>> {
        in_background(async {
            let find = || Entity::find_by_id((owner.clone(), lease.webhook.clone()));
            let reader = self.reader_of(std::iter::once(owner));
            let mut row = find().one(&reader).await?;
            if row.is_none() {
                self.insert_positions(lease, std::slice::from_ref(owner)).await?;
                row = find().one(&reader).await?;
            }
            Ok(row.map(WebhookProgress::from))
        })
        .await
    }

    /// The owners after one, in order, with changes to deliver now, at most `limit`; and the last owner that was looked at,
    /// `None` at the end. Those whose next attempt is after `now` are left out.
    pub async fn owners_behind(
        &self,
        lease: &WebhookLease,
        owners: &[OwnerPattern],
        after: &str,
        limit: u64,
        now: Timestamp,
    ) -> Result<(Vec<OwnerId>, Option<String>)> {
        in_background(async {
            let reader = self.reader_of_all_owners();
            let last = last_account(&reader, after).await?;
            let mut select = behind(&lease.webhook);
            select
                .and_where(
                    Column::NextAttemptAt
                        .into_expr()
                        .is_null()
                        .or(Column::NextAttemptAt.into_expr().lte(now)),
                )
                .cond_where(matching(owners));
            page(&reader, select, after, last, limit).await
        })
        .await
    }

    /// Gives positions to some accounts after an owner that have none. Returns the last owner that was looked at, `None` at
    /// the end.
    pub async fn add_webhook_positions(
        &self,
        lease: &WebhookLease,
        owners: &[OwnerPattern],
        after: &str,
    ) -> Result<Option<String>> {
        in_background(async {
            let reader = self.reader_of_all_owners();
            let last = last_account(&reader, after).await?;
            let mut lacking = Query::select();
            lacking
                .from(account::Entity)
                .left_join(Entity, of_account(&lease.webhook))
                .and_where(Expr::col((Entity, Column::Revision)).is_null())
                .cond_where(matching(owners));
            let (owners, next) = page(&reader, lacking, after, last, ROWS as u64).await?;
            self.insert_positions(lease, &owners).await?;
            Ok(next)
        })
        .await
    }

    /// Stores how far deliveries are. Returns whether the lease is still held; if not, nothing was written.
    pub async fn store_webhook_progress(
        &self,
        lease: &WebhookLease,
        progress: &[(OwnerId, WebhookProgress)],
    ) -> Result<bool> {
        in_background(async {
            for batch in progress.chunks(ROWS) {
                let tx = PlainTx::begin_for(self, batch.iter().map(|(owner, _)| owner)).await?;
                if !lease.lock(&tx).await? {
                    return Ok(false);
                }
                tx.connection().execute(&set_progress(self.backend(), &lease.webhook, batch)).await?;
                tx.commit(false).await?;
            }
            Ok(true)
        })
        .await
    }

    async fn insert_positions(&self, lease: &WebhookLease, owners: &[OwnerId]) -> Result<()> {
        if owners.is_empty() {
            return Ok(());
        }
        let tx = PlainTx::begin_for(self, owners.iter()).await?;
        let mut select = Query::select();
        select
            .column(account::Column::Id)
            .expr(Expr::val(lease.webhook.as_str()))
            .expr(revision_at(lease.registered_at))
            .expr(Expr::val(0_i64))
            .from(account::Entity)
            .and_where(account::Column::Id.is_in(owners.iter().cloned()))
            .and_where(account::Column::ErasingSince.is_null())
            .order_by(account::Column::Id, Order::Asc);
        // Makes erasures wait: a row that came after they removed the others would stay.
        if self.backend() == DbBackend::Postgres {
            select.lock(LockType::KeyShare);
        }
        let mut insert = Query::insert();
        insert
            .into_table(Entity)
            .columns([Column::OwnerId, Column::Webhook, Column::Revision, Column::Attempts])
            .on_conflict(OnConflict::columns([Column::OwnerId, Column::Webhook]).do_nothing().to_owned())
            .select_from(select)
            .map_err(|error| Error::broken(error.to_string()))?;
        tx.connection().execute(&insert).await?;
        tx.commit(false).await
    }

    /// The owners with changes to deliver, and those of them whose deliveries were given up.
    pub(super) async fn count_owners_behind(
        &self,
        webhook: &str,
        owners: &[OwnerPattern],
    ) -> Result<(u64, u64)> {
        let is_stalled = Column::NextAttemptAt.eq(Timestamp(i64::MAX));
        let mut select = behind(webhook);
        let stalled = Expr::case(is_stalled, 1_i64).finally(0_i64);
        select.cond_where(matching(owners)).expr_as(Func::count(Expr::val(1_i32)), "behind").expr_as(
            Func::coalesce([Expr::from(Func::sum(stalled)).cast_as("bigint"), Expr::val(0_i64)]),
            "stalled",
        );
        let row = self.reader_of_all_owners().query_one(&select).await?;
        let counts = row.map(|row| Counts::from_query_result(&row, "")).transpose()?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(counts.map_or((0, 0), |counts| (count(counts.behind), count(counts.stalled))))
    }
}

/// Sets the positions of owners. One who is erased has no row any more.
fn set_progress(
    backend: DbBackend,
    webhook: &str,
    progress: &[(OwnerId, WebhookProgress)],
) -> UpdateStatement {
    let micros = |time: Option<Timestamp>| time.map(|time| time.0);
    let row = |(owner, progress): &(OwnerId, WebhookProgress)| {
        let WebhookProgress { revision, attempts, failing_since, next_attempt_at } = progress;
        json!([owner.as_str(), revision, attempts, micros(*failing_since), micros(*next_attempt_at)])
    };
    let rows = JsonRows::new(backend, progress.iter().map(row));
    Query::update()
        .table(Entity)
        .from(TableRef::FunctionCall(rows.table(), REQUESTED.into_iden()))
        .value(Column::Revision, rows.number(1))
        .value(Column::Attempts, rows.number(2))
        .value(Column::FailingSince, rows.number(3))
        .value(Column::NextAttemptAt, rows.number(4))
        .and_where(Expr::col((Entity, Column::OwnerId)).eq(rows.text(0)))
        .and_where(Expr::col((Entity, Column::Webhook)).eq(webhook))
        .take()
}

/// The last of the next [`ACCOUNTS`] accounts, so that no statement reads all of many. `None`: there are fewer.
async fn last_account(reader: &Reader<'_>, after: &str) -> Result<Option<OwnerId>> {
    let mut last = Query::select();
    last.column(account::Column::Id)
        .from(account::Entity)
        .and_where(account::Column::Id.gt(after))
        .order_by(account::Column::Id, Order::Asc)
        .offset(ACCOUNTS - 1)
        .limit(1);
    Ok(reader.query_one(&last).await?.map(|row| row.try_get("", "id")).transpose()?)
}

/// At most `limit` of the selected accounts after one, up to `last`; and the last account that was looked at, `None` at the
/// end.
async fn page(
    reader: &Reader<'_>,
    mut select: SelectStatement,
    after: &str,
    last: Option<OwnerId>,
    limit: u64,
) -> Result<(Vec<OwnerId>, Option<String>)> {
    let id = || Expr::col((account::Entity, account::Column::Id));
    select
        .column((account::Entity, account::Column::Id))
        .and_where(id().gt(after))
        .and_where_option(last.clone().map(|last| id().lte(last)))
        .order_by((account::Entity, account::Column::Id), Order::Asc)
        .limit(limit);
    let rows = reader.query_all(&select).await?;
    let owners = rows.iter().map(|row| row.try_get("", "id"));
    let owners = owners.collect::<std::result::Result<Vec<OwnerId>, DbErr>>()?;
    let next = if owners.len() as u64 >= limit { owners.last().cloned() } else { last };
    Ok((owners, next.map(|owner| owner.as_str().to_owned())))
}

/// The accounts with changes after the position of a webhook.
fn behind(webhook: &str) -> SelectStatement {
    let delivered = Func::coalesce([Expr::col((Entity, Column::Revision)), Expr::val(0_i64)]);
    let revision = Expr::col((account::Entity, account::Column::Revision));
    Query::select()
        .from(account::Entity)
        .left_join(Entity, of_account(webhook))
        .and_where(account::Column::ErasingSince.into_expr().is_null())
        .and_where(revision.gt(delivered))
        .take()
}

fn of_account(webhook: &str) -> Condition {
    let account = Expr::col((account::Entity, account::Column::Id));
    Condition::all()
        .add(Expr::col((Entity, Column::OwnerId)).eq(account))
        .add(Expr::col((Entity, Column::Webhook)).eq(webhook))
}

/// The accounts of owners that match one of the patterns, or all if there is none.
fn matching(owners: &[OwnerPattern]) -> Condition {
    let id = || Expr::col((account::Entity, account::Column::Id));
    let matches = |pattern: &OwnerPattern| match pattern {
        OwnerPattern::Is(subject) => id().eq(subject.as_str()),
        // LIKE of SQLite ignores case.
        OwnerPattern::BeginsWith(prefix) => {
            let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
            let start = Func::cust("substr").args([id(), Expr::val(1_i32), Expr::val(length)]);
            Expr::from(start).eq(prefix.as_str())
        }
    };
    if owners.is_empty() {
        return Condition::all();
    }
    owners.iter().map(matches).fold(Condition::any(), Condition::add)
}

/// The revision of the feed of an account at a time, as far as changes are kept.
pub(super) fn revision_at(time: Timestamp) -> Expr {
    let of_account = || {
        let mut select = Query::select();
        select.from(change::Entity).and_where(
            Expr::col((change::Entity, change::Column::OwnerId))
                .eq(Expr::col((account::Entity, account::Column::Id))),
        );
        select
    };
    let before = of_account()
        .expr(Expr::col((change::Entity, change::Column::Revision)))
        .and_where(Expr::col((change::Entity, change::Column::ChangedAt)).lt(time))
        .order_by((change::Entity, change::Column::Revision), Order::Desc)
        .limit(1)
        .take();
    let oldest = of_account()
        .expr(Expr::from(Func::min(Expr::col((change::Entity, change::Column::Revision)))).sub(1_i64))
        .take();
    let subquery = |select: SelectStatement| Expr::SubQuery(None, Box::new(select.into()));
    let revision = Expr::col((account::Entity, account::Column::Revision));
    let kept = Func::coalesce([subquery(before), subquery(oldest), revision]);
    // An account that was made later has no change that is earlier, kept or not.
    let is_later = Expr::col((account::Entity, account::Column::CreatedAt)).gte(time);
    Expr::case(is_later, 0_i64).finally(kept).into()
}

impl From<Model> for WebhookProgress {
    fn from(row: Model) -> Self {
        Self {
            revision: row.revision,
            attempts: row.attempts,
            failing_since: row.failing_since,
            next_attempt_at: row.next_attempt_at,
        }
    }
}
