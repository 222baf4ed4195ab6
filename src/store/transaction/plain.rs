//! Writes that are not in the feed.

use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait};

use super::{TransactionGuard, begin};
use crate::model::{OwnerId, Timestamp};
use crate::store::database::Store;
use crate::store::engine::row_level_security;
use crate::store::entity::account;
use crate::store::error::{Error, Result};

/// A write to rows that are not in the feed, such as an index.
pub(in crate::store) struct PlainTx {
    tx: DatabaseTransaction,
    guard: TransactionGuard,
}

impl PlainTx {
    /// Begins a write to rows of one owner.
    pub(in crate::store) async fn begin(store: &Store, owner: &OwnerId) -> Result<Self> {
        let (tx, guard) = Self::begin_unnamed(store).await?;
        if store.0.row_level_security.is_active() {
            row_level_security::set_owner(&tx, owner).await?;
        }
        Ok(Self { tx, guard })
    }

    /// Begins a write to rows that are not those of owners.
    pub(in crate::store) async fn begin_for_nobody(store: &Store) -> Result<Self> {
        let (tx, guard) = Self::begin_unnamed(store).await?;
        Ok(Self { tx, guard })
    }

    async fn begin_unnamed(store: &Store) -> Result<(DatabaseTransaction, TransactionGuard)> {
        let guard = TransactionGuard {
            lock: Some(store.0.write_lock.acquire().await?),
            store: store.clone(),
            erases_content: false,
        };
        Ok((begin(&store.0.write).await?, guard))
    }

    /// Begins a write to rows of these owners.
    pub(in crate::store) async fn begin_for<'o>(
        store: &Store,
        owners: impl Iterator<Item = &'o OwnerId>,
    ) -> Result<Self> {
        let (tx, guard) = Self::begin_unnamed(store).await?;
        if store.0.row_level_security.is_active() {
            row_level_security::set_owners_of(&tx, owners).await?;
        }
        Ok(Self { tx, guard })
    }

    /// Makes the account of the owner, unless it is there.
    pub(in crate::store) async fn make_account(&self, owner: &OwnerId, now: Timestamp) -> Result<()> {
        let row = account::ActiveModel::of(owner, now);
        let keep = OnConflict::column(account::Column::Id).do_nothing().to_owned();
        account::Entity::insert(row).on_conflict(keep).try_insert().exec_without_returning(&self.tx).await?;
        Ok(())
    }

    /// Makes an erasure of the owner wait until this transaction has ended.
    ///
    /// # Errors
    /// - `BeingErased`: an erasure has begun, or has ended.
    pub(in crate::store) async fn lock_account(&self, owner: &OwnerId) -> Result<()> {
        self.lock(owner, LockType::KeyShare).await
    }

    /// Makes every other write of the owner wait until this transaction has ended.
    ///
    /// # Errors
    /// - `BeingErased`: an erasure has begun, or has ended.
    pub(in crate::store) async fn lock_account_alone(&self, owner: &OwnerId) -> Result<()> {
        self.lock(owner, LockType::NoKeyUpdate).await
    }

    async fn lock(&self, owner: &OwnerId, lock: LockType) -> Result<()> {
        let mut find = Query::select();
        find.expr(Expr::val(1_i32))
            .from(account::Entity)
            .and_where(account::Column::Id.into_expr().eq(owner.clone()))
            .and_where(account::Column::ErasingSince.into_expr().is_null());
        // SQLite has one writer at a time.
        if self.tx.get_database_backend() == DbBackend::Postgres {
            find.lock(lock);
        }
        match self.tx.query_one(&find).await? {
            Some(_) => Ok(()),
            None => Err(Error::BeingErased),
        }
    }

    /// Where to run statements.
    pub(in crate::store) fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// Commits. `erases` says whether the transaction overwrote or removed content.
    pub(in crate::store) async fn commit(mut self, erases: bool) -> Result<()> {
        self.guard.erases_content = erases;
        self.tx.commit().await?;
        drop(self.guard.lock.take());
        if erases {
            self.guard.store.erased();
        }
        Ok(())
    }
}
