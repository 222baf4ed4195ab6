//! One state of the data of all users, for a backup, and what a restore writes besides exports.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::model::{AuditAction, BackedUpAccount, BackedUpKey, Invalid, OwnerId, Timestamp};
use crate::store::database::Store;
use crate::store::engine::row_level_security;
use crate::store::entity::{account, signing_key};
use crate::store::error::Result;
use crate::store::repository::export::{ExportSnapshot, LET_READERS_BE_SLOW};
use crate::store::snapshot;
use crate::store::transaction::PlainTx;

/// Accounts that are read at once.
const ACCOUNTS: u64 = 500;

/// One state of the data of all users. It holds a connection to the database.
pub struct BackupSnapshot {
    store: Store,
    reads: Arc<DatabaseTransaction>,
    taken_at: Timestamp,
}

impl Store {
    /// Begins to read one state of the database.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn backup_snapshot(&self) -> Result<BackupSnapshot> {
        let reads = snapshot::begin_for_owners(self, &[]).await?;
        if self.backend() == DbBackend::Postgres {
            reads.execute_unprepared(LET_READERS_BE_SLOW).await?;
            if self.0.row_level_security.is_active() {
                row_level_security::set_upkeep(&reads).await?;
            }
        }
        // The first statement decides which state it is.
        account::Entity::find().limit(1).all(&reads).await?;
        Ok(BackupSnapshot { store: self.clone(), reads: Arc::new(reads), taken_at: self.0.clock.now() })
    }

    /// Adds a backup to the audit log.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn audit_backup(&self) -> Result<()> {
        self.add_entry(self.operation(AuditAction::Backup)).await
    }

    /// Whether there is no user.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn has_no_users(&self) -> Result<bool> {
        Ok(self.accounts_after("").await?.is_empty())
    }

    /// Writes the key of the database, unless there is one.
    ///
    /// # Errors
    /// - `Invalid`: it is not Base64.
    pub async fn restore_signing_key(&self, key: &BackedUpKey) -> Result<()> {
        let bytes = STANDARD.decode(&key.pkcs8);
        let pkcs8 = bytes.map_err(|_| Invalid::new("signingKey.pkcs8", "must be Base64"))?;
        let row = signing_key::Model { id: 1, pkcs8, created_at: key.created_at };
        let _lock = self.0.write_lock.acquire().await?;
        if signing_key::Entity::find().count(&self.0.write).await? == 0 {
            signing_key::Entity::insert(row.into_active_model())
                .exec_without_returning(&self.0.write)
                .await?;
        }
        Ok(())
    }

    /// Makes the account of a user with its rule of retention, unless it is there.
    ///
    /// # Errors
    /// - `Invalid`: the user cannot own anything.
    pub async fn restore_account(&self, account: &BackedUpAccount) -> Result<OwnerId> {
        let owner = OwnerId::new(account.user.as_str())?;
        let tx = PlainTx::begin(self, &owner).await?;
        let is_new = account::Entity::find_by_id(owner.clone()).one(tx.connection()).await?.is_none();
        if is_new {
            let row = account::ActiveModel {
                retention_after: ActiveValue::Set(account.retention_after),
                retention_action: ActiveValue::Set(account.retention_action),
                ..account::ActiveModel::of(&owner, account.created_at)
            };
            account::Entity::insert(row).exec_without_returning(tx.connection()).await?;
        }
        tx.commit(false).await?;
        Ok(owner)
    }
}

impl BackupSnapshot {
    /// When it was read.
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// The users after one, in order, without those who are being erased; and the last user that was looked at, `None` at
    /// the end.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn accounts_after(&self, after: &str) -> Result<(Vec<BackedUpAccount>, Option<String>)> {
        let accounts = account::Entity::find()
            .filter(account::Column::Id.gt(after))
            .order_by_asc(account::Column::Id)
            .limit(ACCOUNTS)
            .all(&*self.reads)
            .await?;
        let last = accounts.last().map(|account| account.id.as_str().to_owned());
        let account = |row: account::Model| BackedUpAccount {
            user: row.id.as_str().to_owned(),
            created_at: row.created_at,
            retention_after: row.retention_after,
            retention_action: row.retention_action,
        };
        let kept = accounts.into_iter().filter(|account| account.erasing_since.is_none());
        Ok((kept.map(account).collect(), last))
    }

    /// The key of the database, if there is one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn signing_key(&self) -> Result<Option<BackedUpKey>> {
        let row = signing_key::Entity::find().one(&*self.reads).await?;
        Ok(row.map(|row| BackedUpKey { pkcs8: STANDARD.encode(&row.pkcs8), created_at: row.created_at }))
    }

    /// The data of a user.
    ///
    /// # Errors
    /// The database cannot be read, or the user cannot own anything.
    pub async fn export(&self, user: &str) -> Result<ExportSnapshot> {
        let owner = OwnerId::new(user)?;
        if self.store.0.row_level_security.is_active() {
            row_level_security::set_owner(&self.reads, &owner).await?;
        }
        self.store.owned_by(owner).export_of(self.reads.clone(), None).await
    }

    /// Gives the connection back.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn close(self) -> Result<()> {
        match Arc::into_inner(self.reads) {
            Some(reads) => Ok(reads.rollback().await?),
            None => Ok(()),
        }
    }
}
