//! Erasure of a user: every row, in small steps, while the server runs.
//!
//! 1. `account.erasing_since` is set under the lock of the account, when the writes that were under way have ended. From
//!    then on no write of the user succeeds: each takes that lock first, or needs a row that the erasure removes before
//!    those that the write could add.
//! 2. Each step removes at most [`steps::ROWS`] rows in a transaction of its own, and adds their number to the account. So
//!    a server that is killed leaves a user who is being erased, and any server goes on.
//! 3. The last step removes the account, and adds the signed receipt to the audit log.
//!
//! Subscriptions of the user end, because what they follow is gone. The audit log keeps its entries about the user, with a
//! hash instead of the name.

mod receipt;
mod steps;
mod tables;

use std::time::Duration;

use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::model::{
    AuditAction, AuditActor, AuditEntry, AuditedOwner, ErasedRows, ErasureFault, ErasureReceipt, OwnerId,
    Scope, Timestamp,
};
use crate::signals::Topic;
use crate::store::database::Store;
use crate::store::engine::background::in_background;
use crate::store::entity::account;
use crate::store::error::{Error, Result};
use crate::store::repository::audit;
use crate::store::scope::Scoped;
use crate::store::signing_key::{self, SigningKey};
use crate::store::transaction::PlainTx;

/// How long a request waits for the end of an erasure.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accounts that one call of [`Store::unfinished_erasures`] finds.
const UNFINISHED: u64 = 100;

impl Scoped {
    /// Erases a user, for a back end. `None`: the erasure goes on in the background; another call gives the receipt once
    /// it has ended.
    ///
    /// # Errors
    /// - `ScopeRequired`: the credentials lack [`Scope::Erase`].
    pub async fn erase_user(&self, user: &OwnerId) -> Result<Option<ErasureReceipt>> {
        self.require(Scope::Erase)?;
        let begun = self.store.begin_erasure(user, self.back_end()).await?;
        if let Some(receipt) = begun {
            return Ok(Some(receipt));
        }
        // It goes on if the client disconnects.
        let (store, user) = (self.store.clone(), user.clone());
        let erasing = tokio::spawn(async move { store.go_on_erasing(&user).await });
        match tokio::time::timeout(PATIENCE, erasing).await {
            Ok(Ok(erased)) => erased.map(Some),
            Ok(Err(error)) => Err(Error::broken(format!("an erasure failed: {error}"))),
            Err(_) => Ok(None),
        }
    }
}

impl Store {
    /// Erases a user, for an operator. If the user was erased before and wrote nothing since, it is the receipt of that
    /// erasure.
    pub async fn erase(&self, user: &OwnerId) -> Result<ErasureReceipt> {
        match self.begin_erasure(user, self.0.performer.clone()).await? {
            Some(receipt) => Ok(receipt),
            None => self.go_on_erasing(user).await,
        }
    }

    /// Users whose erasure began and has not ended.
    pub async fn unfinished_erasures(&self) -> Result<Vec<OwnerId>> {
        let accounts = account::Entity::find()
            .filter(account::Column::ErasingSince.is_not_null())
            .order_by_asc(account::Column::Id)
            .limit(UNFINISHED)
            .all(&self.reader_of_all_owners())
            .await?;
        Ok(accounts.into_iter().map(|account| account.id).collect())
    }

    /// Removes what is left of a user whose erasure has begun. Several servers may do so at the same time.
    pub async fn go_on_erasing(&self, user: &OwnerId) -> Result<ErasureReceipt> {
        in_background(async {
            let key = self.signing_key().await?;
            loop {
                // The receipt comes when the files of the step before are gone, too.
                self.remove_objects().await?;
                if let Some(receipt) = self.erase_some(user, &key).await? {
                    return Ok(receipt);
                }
            }
        })
        .await
    }

    /// Why a receipt about a user is not confirmed. Nothing: it is genuine, and the database has no row of the user.
    pub async fn erasure_faults(
        &self,
        receipt: &ErasureReceipt,
        user: &OwnerId,
    ) -> Result<Vec<ErasureFault>> {
        let key = signing_key::find(&self.0.read).await?;
        let mut faults = receipt::faults(receipt, user, key.as_ref());
        let account =
            account::Entity::find_by_id(user.clone()).one(&self.reader_of(std::iter::once(user))).await?;
        let erased_at = receipt.erased_at();
        let is_new = account.is_some_and(|account| erased_at.is_some_and(|at| account.created_at > at));
        for (table, rows) in tables::rows_of(self, user).await? {
            faults.push(ErasureFault::Rows { table, rows, is_new });
        }
        Ok(faults)
    }

    /// The public key of receipts, in Base64. Makes the key if there is none.
    pub async fn receipt_key(&self) -> Result<String> {
        Ok(receipt::base64(self.signing_key().await?.public_key()))
    }

    /// The key of the database, made if there is none.
    async fn signing_key(&self) -> Result<SigningKey> {
        let _lock = self.0.write_lock.acquire().await?;
        signing_key::find_or_make(&self.0.write, self.0.clock.now()).await
    }

    /// On PostgreSQL, removes dead rows from the tables, and what was erased from the statistics of the planner. On SQLite,
    /// rewrites the database: unused space of its pages can have copies of rows.
    pub async fn vacuum(&self) -> Result<()> {
        // SeaORM has no VACUUM.
        if self.backend() == DbBackend::Sqlite {
            let _lock = self.0.write_lock.acquire().await?;
            self.0.write.execute_unprepared("VACUUM").await?;
            self.erased();
            return Ok(());
        }
        for (table, _) in tables::TABLES {
            self.0.write.execute_unprepared(&format!("VACUUM (ANALYZE) {table}")).await?;
        }
        Ok(())
    }

    /// Marks the account. Returns the receipt of an earlier erasure if there is nothing to erase.
    async fn begin_erasure(&self, user: &OwnerId, actor: AuditActor) -> Result<Option<ErasureReceipt>> {
        let now = self.0.clock.now();
        let tx = PlainTx::begin(self, user).await?;
        let key = signing_key::find_or_make(tx.connection(), now).await?;
        let account = locked(&tx, user).await?;
        if account.is_none()
            && let Some(row) = audit::last_erasure(tx.connection(), &key.hash(user)).await?
        {
            return Ok(Some(receipt::stored(row.detail.as_deref())?));
        }
        if account.as_ref().is_some_and(|account| account.erasing_since.is_some()) {
            return Ok(None);
        }
        let rows = match account {
            Some(_) => ErasedRows::from([("account".to_owned(), 1)]),
            None => ErasedRows::new(),
        };
        mark(&tx, user, now, &rows).await?;
        let entry = AuditEntry::new(now, actor, AuditAction::EraseUser).about(user);
        audit::add(tx.connection(), entry).await?;
        tx.commit(false).await?;
        // Subscriptions to changes end.
        self.0.signals.signal(&Topic::Account(user.clone()));
        Ok(None)
    }

    /// Does a step. Returns the receipt if nothing was left.
    async fn erase_some(&self, user: &OwnerId, key: &SigningKey) -> Result<Option<ErasureReceipt>> {
        let tx = PlainTx::begin(self, user).await?;
        let hash = key.hash(user);
        let Some(account) = locked(&tx, user).await? else {
            // Another server was faster.
            let row = audit::last_erasure(tx.connection(), &hash).await?;
            let receipt = row.ok_or_else(|| Error::broken("an erased user has no receipt".into()))?;
            return Ok(Some(receipt::stored(receipt.detail.as_deref())?));
        };
        let Some(since) = account.erasing_since else {
            return Err(Error::broken("a user is erased whose erasure has not begun".into()));
        };
        let mut rows: ErasedRows = serde_json::from_str(account.erased_rows.as_deref().unwrap_or("{}"))
            .map_err(|error| {
                Error::broken(format!("an account has unreadable numbers of erased rows: {error}"))
            })?;
        let step = steps::remove_some(tx.connection(), user, (&hash, self.0.clock.now()), &mut rows).await?;
        let receipt = if step.is_last {
            let receipt = receipt::sign(key, hash.clone(), (since, self.0.clock.now()), rows);
            self.finish(&tx, user, hash, &receipt).await?;
            Some(receipt)
        } else {
            mark(&tx, user, since, &rows).await?;
            None
        };
        tx.commit(true).await?;
        // Their subscriptions end.
        for topic in step.topics {
            self.0.signals.signal(&topic);
        }
        Ok(receipt)
    }

    /// Removes the account, and adds the receipt to the audit log.
    async fn finish(
        &self,
        tx: &PlainTx,
        user: &OwnerId,
        hash: String,
        receipt: &ErasureReceipt,
    ) -> Result<()> {
        account::Entity::delete_by_id(user.clone()).exec(tx.connection()).await?;
        let count = Some(i64::try_from(receipt.row_count()).unwrap_or(i64::MAX));
        let (owner, detail) = (Some(AuditedOwner::Erased(hash)), Some(receipt.to_json()));
        let entry = AuditEntry { owner, count, detail, ..self.operation(AuditAction::UserErased) };
        audit::add(tx.connection(), entry).await
    }
}

/// The account, locked so that no other write of the user runs.
async fn locked(tx: &PlainTx, user: &OwnerId) -> Result<Option<account::Model>> {
    let mut find = account::Entity::find_by_id(user.clone());
    // SQLite has one writer at a time.
    if tx.connection().get_database_backend() == DbBackend::Postgres {
        find = find.lock(LockType::Update);
    }
    Ok(find.one(tx.connection()).await?)
}

/// Writes that the user is being erased, and what was removed so far.
async fn mark(tx: &PlainTx, user: &OwnerId, since: Timestamp, rows: &ErasedRows) -> Result<()> {
    let rows = serde_json::to_string(rows).map_err(|error| Error::broken(error.to_string()))?;
    let row = account::ActiveModel {
        erasing_since: ActiveValue::Set(Some(since)),
        erased_rows: ActiveValue::Set(Some(rows)),
        ..account::ActiveModel::of(user, since)
    };
    let columns = [account::Column::ErasingSince, account::Column::ErasedRows];
    account::Entity::insert(row)
        .on_conflict(OnConflict::column(account::Column::Id).update_columns(columns).to_owned())
        .exec_without_returning(tx.connection())
        .await?;
    Ok(())
}
