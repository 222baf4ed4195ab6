//! Which process delivers for a webhook: the one that holds its lease.
//!
//! The holder renews the lease while it lives. When it dies, the lease runs out and another process takes over. What the
//! holder writes is conditional on the lease, so a process that was replaced without noticing writes nothing. Commands take
//! the lease too, to change positions.
//!
//! One lease for all owners of a webhook costs the same however many owners there are, and bounds what all replicas
//! together send to the receiver. Leases run by the clock of the database, so clocks of servers may differ.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict, Query, UpdateStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QuerySelect,
};
use tokio::sync::broadcast;

use crate::model::{DeliveryFault, OwnerId, Timestamp, WebhookState};
use crate::store::database::Store;
use crate::store::engine::background::in_background;
use crate::store::entity::webhook::{Column, Entity, Model};
use crate::store::error::Result;
use crate::store::transaction::PlainTx;

/// The first word of holders that are servers. Others are commands.
const SERVER: &str = "server ";
const COMMAND: &str = "command ";

/// How long a command may take for a step.
const COMMAND_LEASE: Duration = Duration::from_secs(30);

/// The right to deliver for a webhook.
#[derive(Debug, Clone)]
pub struct WebhookLease {
    pub(super) webhook: String,
    pub(super) registered_at: Timestamp,
    holder: String,
}

impl Store {
    /// From now on, commits of this process are signalled to [`Store::changed_owners`] and to other replicas.
    pub fn follow_all_owners(&self) {
        self.0.changed_owners.follow();
    }

    /// The owners whose data this process changes from now on, if [`Store::follow_all_owners`] was called.
    pub fn changed_owners(&self) -> broadcast::Receiver<OwnerId> {
        self.0.changed_owners.subscribe()
    }

    /// Registers a webhook, unless it is registered. It delivers changes from now on.
    pub async fn register_webhook(&self, name: &str) -> Result<()> {
        let row = Model {
            name: name.to_owned(),
            registered_at: self.0.clock.now(),
            lease_holder: None,
            lease_until: 0,
            failing_since: None,
            paused_since: None,
            last_fault: None,
        };
        let keep = OnConflict::column(Column::Name).do_nothing().to_owned();
        let insert = Entity::insert(row.into_active_model()).on_conflict(keep).try_insert();
        let _lock = self.0.write_lock.acquire().await?;
        in_background(insert.exec_without_returning(&self.0.write)).await?;
        Ok(())
    }

    /// Takes the lease of a webhook for a server with this id, if no other process holds it.
    pub async fn acquire_webhook_lease(
        &self,
        name: &str,
        server: &str,
        lease: Duration,
    ) -> Result<Option<(WebhookLease, WebhookState)>> {
        let mut is_free = self.is_free();
        // SQLite has one server, so another one that is in the row has died. A command may still run.
        if self.backend() == DbBackend::Sqlite {
            is_free = is_free.add(Column::LeaseHolder.starts_with(SERVER));
        }
        self.take_lease(name, format!("{SERVER}{server}"), lease, is_free).await
    }

    /// Takes the lease for a command. A server that holds it notices when it renews the lease.
    pub(super) async fn interrupt_webhook(&self, name: &str) -> Result<Option<WebhookLease>> {
        let is_free = self.is_free().add(Column::LeaseHolder.starts_with(SERVER));
        let holder = format!("{COMMAND}{}", self.0.clock.new_id());
        Ok(self.take_lease(name, holder, COMMAND_LEASE, is_free).await?.map(|(lease, _)| lease))
    }

    async fn take_lease(
        &self,
        name: &str,
        holder: String,
        lease: Duration,
        is_free: Condition,
    ) -> Result<Option<(WebhookLease, WebhookState)>> {
        let mut update = self.lease_until(lease);
        update
            .value(Column::LeaseHolder, holder.as_str())
            .and_where(Column::Name.eq(name))
            .cond_where(is_free)
            .returning_all();
        let lock = self.0.write_lock.acquire().await?;
        let taken = in_background(self.0.write.query_one(&update)).await?;
        drop(lock);
        let Some(row) = taken else { return Ok(None) };
        let row = Model::from_query_result(&row, "")?;
        let state = WebhookState { failing_since: row.failing_since, paused_since: row.paused_since };
        Ok(Some((WebhookLease { webhook: row.name, registered_at: row.registered_at, holder }, state)))
    }

    /// Renews a lease of a server. Returns whether it is still held.
    pub async fn renew_webhook_lease(&self, held: &WebhookLease, lease: Duration) -> Result<bool> {
        // SQLite has one server: nobody takes a lease over because it ran out, and reading costs no commit.
        if self.backend() == DbBackend::Sqlite {
            let find = Entity::find().filter(held.condition());
            return Ok(in_background(find.one(&self.0.read)).await?.is_some());
        }
        self.extend(held, lease).await
    }

    /// Renews a lease of a command. Returns whether it is still held.
    pub(super) async fn extend_lease(&self, held: &WebhookLease) -> Result<bool> {
        self.extend(held, COMMAND_LEASE).await
    }

    async fn extend(&self, held: &WebhookLease, lease: Duration) -> Result<bool> {
        let mut update = self.lease_until(lease);
        update.cond_where(held.condition());
        Ok(self.write_webhook(&update).await? > 0)
    }

    /// Gives a lease back, so that another process can take it at once.
    pub async fn release_webhook_lease(&self, held: &WebhookLease) -> Result<()> {
        let mut update = Query::update();
        update
            .table(Entity)
            .value(Column::LeaseHolder, Expr::val(None::<String>))
            .cond_where(held.condition());
        self.write_webhook(&update).await.map(drop)
    }

    /// Stores whether deliveries fail, and why. Returns whether the lease is still held.
    pub async fn set_webhook_state(
        &self,
        held: &WebhookLease,
        state: WebhookState,
        fault: Option<DeliveryFault>,
    ) -> Result<bool> {
        let mut update = Query::update();
        update
            .table(Entity)
            .value(Column::FailingSince, Expr::val(state.failing_since))
            .value(Column::PausedSince, Expr::val(state.paused_since))
            .value(Column::LastFault, Expr::val(fault.map(|fault| fault.to_string())))
            .cond_where(held.condition());
        Ok(self.write_webhook(&update).await? > 0)
    }

    async fn write_webhook(&self, update: &UpdateStatement) -> Result<u64> {
        let _lock = self.0.write_lock.acquire().await?;
        Ok(in_background(self.0.write.execute(update)).await?.rows_affected())
    }

    fn is_free(&self) -> Condition {
        Condition::any()
            .add(Column::LeaseHolder.is_null())
            .add(Column::LeaseUntil.into_expr().lt(self.database_time()))
    }

    fn lease_until(&self, lease: Duration) -> UpdateStatement {
        let micros = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
        Query::update().table(Entity).value(Column::LeaseUntil, self.database_time().add(micros)).take()
    }

    /// Microseconds since 1970, by the clock of the database.
    fn database_time(&self) -> Expr {
        // SeaORM has no function for it that both engines know.
        Expr::cust(match self.backend() {
            DbBackend::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            _ => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        })
    }
}

impl WebhookLease {
    fn condition(&self) -> Condition {
        Condition::all()
            .add(Column::Name.eq(self.webhook.as_str()))
            .add(Column::LeaseHolder.eq(self.holder.as_str()))
    }

    /// Makes others that want the lease wait until the transaction ends. Returns whether it is still held.
    pub(super) async fn lock(&self, tx: &PlainTx) -> Result<bool> {
        let mut find = Entity::find().filter(self.condition());
        // SQLite has one writer at a time.
        if tx.connection().get_database_backend() == DbBackend::Postgres {
            find = find.lock(LockType::Share);
        }
        Ok(find.one(tx.connection()).await?.is_some())
    }
}
