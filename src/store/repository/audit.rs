//! The audit log: adding, reading and trimming entries.
//!
//! A write of a back end for a user has one entry, added by the transaction of the write. What operators did has one, too.
//! Text that is appended to a streaming message has none: the message has one from its beginning and one from its end.

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::model::{AuditAction, AuditActor, AuditEntry, AuditFilter, MessageId, OwnerId, Timestamp};
use crate::store::database::Store;
use crate::store::entity::audit_entry::{self, Column};
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;
use crate::store::signing_key;

/// The maximum number of entries in one step of trimming.
const TRIM_ENTRIES: u64 = 1000;

/// Adds an entry to the log.
pub(in crate::store) async fn add(connection: &impl ConnectionTrait, entry: AuditEntry) -> Result<()> {
    let row = audit_entry::ActiveModel::from(entry);
    audit_entry::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Rejects a write that creates the account of an owner who was erased a moment ago: it was on its way already.
///
/// # Errors
/// - `BeingErased`: the erasure ended less than `erasure.settle` ago.
pub(in crate::store) async fn refuse_if_just_erased(
    connection: &impl ConnectionTrait,
    store: &Store,
    owner: &OwnerId,
) -> Result<()> {
    let Some(key) = signing_key::find(connection).await? else { return Ok(()) };
    let settle = i64::try_from(store.0.erasure_settle.as_micros()).unwrap_or(i64::MAX);
    let since = Timestamp(store.0.clock.now().0.saturating_sub(settle));
    let erased = last_erasure(connection, &key.hash(owner)).await?;
    if erased.is_some_and(|row| row.created_at > since) { Err(Error::BeingErased) } else { Ok(()) }
}

/// The entry of the last erasure of an owner.
pub(in crate::store) async fn last_erasure(
    connection: &impl ConnectionTrait,
    owner_hash: &str,
) -> Result<Option<audit_entry::Model>> {
    let find = audit_entry::Entity::find()
        .filter(Column::OwnerHash.eq(owner_hash))
        .filter(Column::Action.eq(AuditAction::UserErased.code()))
        .order_by_desc(Column::Number);
    Ok(find.one(connection).await?)
}

impl Scoped {
    /// The actor of an action, if it is to be in the log.
    pub(in crate::store) fn audited_actor(&self, action: AuditAction) -> Option<AuditActor> {
        match &self.actor {
            Some(back_end) => Some(AuditActor::BackEnd(back_end.clone())),
            None if action.is_always_audited() => Some(self.store.0.performer.clone()),
            None => None,
        }
    }

    /// Adds the entry of a back end that asked a writer to stop.
    pub(super) async fn audit_stop(&self, connection: &impl ConnectionTrait, id: MessageId) -> Result<()> {
        let action = AuditAction::StopMessage;
        let Some(actor) = self.audited_actor(action) else { return Ok(()) };
        let entry = AuditEntry::new(self.store.0.clock.now(), actor, action).about(&self.owner);
        add(connection, AuditEntry { message: Some(id), ..entry }).await
    }

    /// Adds the entry of a back end that read data of all users.
    pub(super) async fn audit_read(&self, action: AuditAction) -> Result<()> {
        let entry = AuditEntry::new(self.store.0.clock.now(), self.back_end(), action);
        self.store.add_entry(entry).await
    }

    /// The back end of a request with a scope: one that acts for itself is the owner.
    pub(in crate::store) fn back_end(&self) -> AuditActor {
        AuditActor::BackEnd(self.actor.clone().unwrap_or_else(|| self.owner.clone()))
    }
}

impl Store {
    /// The entry of something that this process does by itself or for its operator.
    pub(in crate::store) fn operation(&self, action: AuditAction) -> AuditEntry {
        AuditEntry::new(self.0.clock.now(), self.0.performer.clone(), action)
    }

    /// Adds an entry about what an operator did with the data of a user. `count` is the number of conversations, if it is
    /// known.
    pub async fn audit(&self, action: AuditAction, owner: &OwnerId, count: Option<u64>) -> Result<()> {
        let count = count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.add_entry(AuditEntry { count, ..self.operation(action).about(owner) }).await
    }

    pub(super) async fn add_entry(&self, entry: AuditEntry) -> Result<()> {
        let _lock = self.0.write_lock.acquire().await?;
        add(&self.0.write, entry).await
    }

    /// The entries after a number that match a filter, oldest first, at most `limit`, each with its number.
    pub async fn audit_entries(
        &self,
        filter: &AuditFilter,
        after: i64,
        limit: u64,
    ) -> Result<Vec<(i64, AuditEntry)>> {
        let mut condition = Condition::all().add(Column::Number.gt(after));
        if let Some(owner) = &filter.owner {
            let hash = signing_key::find(&self.0.read).await?.map(|key| key.hash(owner));
            let is_owner = Condition::any()
                .add(Column::OwnerId.eq(owner.clone()))
                .add_option(hash.map(|hash| Column::OwnerHash.eq(hash)));
            condition = condition.add(is_owner);
        }
        let condition = condition
            .add_option(filter.actor.as_ref().map(|actor| Column::Actor.eq(actor)))
            .add_option(filter.action.map(|action| Column::Action.eq(action.code())))
            .add_option(filter.since.map(|since| Column::CreatedAt.gte(since)))
            .add_option(filter.until.map(|until| Column::CreatedAt.lt(until)));
        let rows = audit_entry::Entity::find()
            .filter(condition)
            .order_by_asc(Column::Number)
            .limit(limit)
            .all(&self.0.read)
            .await?;
        rows.into_iter().map(|row| Ok((row.number, row.try_into()?))).collect()
    }

    /// Removes entries older than a time, in small steps. Several replicas can run it at the same time. Returns the
    /// number of removed entries.
    pub async fn trim_audit(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let oldest = audit_entry::Entity::find()
                .order_by_asc(Column::Number)
                .limit(TRIM_ENTRIES)
                .all(&self.0.read)
                .await?;
            let Some(last) = oldest.iter().take_while(|row| row.created_at < before).last() else {
                return Ok(removed);
            };
            let lock = self.0.write_lock.acquire().await?;
            let trim = audit_entry::Entity::delete_many().filter(Column::Number.lte(last.number));
            removed += trim.exec(&self.0.write).await?.rows_affected;
            drop(lock);
            self.0.writer.erased();
        }
    }
}
