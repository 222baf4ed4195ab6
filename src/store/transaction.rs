//! Transactions: the only place that begins, records and commits them.
//!
//! A transaction first locks the owner's row in `account`. This gives it the revisions of its changes. It also makes
//! the writes of one owner wait for each other, so the feed has no holes and commits in order. Only then does the
//! transaction touch conversations: all transactions take locks in this order.
//!
//! A transaction that is dropped is rolled back. [`Tx::commit`] writes the feed, commits, and then sends the signals.
//! The workers of `store::hot::writer` follow the same rules for the batches that they write.

mod plain;

use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, OnConflict, Query};
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    EntityTrait, FromQueryResult, IntoActiveModel, IsolationLevel, SqliteTransactionMode, Statement,
    StatementBuilder, TransactionOptions, TransactionTrait,
};
use tokio::runtime::Handle;

use crate::model::{AuditAction, AuditEntry, Change, ChangeKind, OwnerId, Timestamp};
use crate::signals::Topic;
use crate::store::database::Store;
use crate::store::engine::row_level_security::{self, RowLevelSecurity};
use crate::store::engine::write_lock::WriteLockGuard;
use crate::store::entity::{account, change};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::repository::audit;
use crate::store::scope::Scoped;
use crate::traces::{Part, PartTimer, Trace};
pub(in crate::store) use plain::PlainTx;

/// Changes in a statement.
const CHANGES: usize = 500;

/// A write in progress for one owner.
pub(in crate::store) struct Tx {
    tx: DatabaseTransaction,
    guard: TransactionGuard,
    owner: OwnerId,
    actor: Option<OwnerId>,
    /// The entry of the audit log, if there is to be one.
    entry: Option<AuditEntry>,
    now: Timestamp,
    next_revision: i64,
    last_revision: i64,
    changes: Vec<Change>,
    trace: Trace,
    /// Times the statements.
    timer: Option<PartTimer>,
}

#[derive(FromQueryResult)]
struct Revision {
    revision: i64,
}

/// Creates the account with the owner's first write, and afterwards adds `count` to its revision. Returns no row if the
/// owner is being erased.
fn take_revisions(
    row_level_security: RowLevelSecurity,
    owner: &OwnerId,
    count: i64,
    now: Timestamp,
) -> Result<InsertStatement> {
    let row = [Expr::val(owner.clone()), Expr::val(count), Expr::val(now)];
    let revision = account::Column::Revision.into_expr();
    let mut insert = Query::insert();
    insert
        .into_table(account::Entity)
        .columns([account::Column::Id, account::Column::Revision, account::Column::CreatedAt])
        .on_conflict(
            OnConflict::column(account::Column::Id)
                .value(account::Column::Revision, revision.add(count))
                .action_and_where(account::Column::ErasingSince.into_expr().is_null())
                .to_owned(),
        )
        .returning_col(account::Column::Revision);
    let complete = if row_level_security.is_active() {
        insert.select_from(row_level_security::with_owner(row, owner))
    } else {
        insert.values(row)
    };
    complete.map_err(|error| Error::broken(error.to_string()))?;
    Ok(insert)
}

impl Tx {
    /// Begins a write of exactly `changes` changes.
    ///
    /// # Errors
    /// - `BeingErased`: the owner is being erased, or was a moment ago.
    pub(in crate::store) async fn begin(scope: &Scoped, action: AuditAction, changes: usize) -> Result<Self> {
        let Scoped { store, owner, actor, .. } = scope;
        let now = store.0.clock.now();
        let waiting = scope.trace.time(Part::QueueWait);
        let lock = Some(store.0.write_lock.acquire().await?);
        let guard = TransactionGuard { lock, store: store.clone(), erases_content: false };
        let begun = begin(&store.0.write).await?;
        drop(waiting);
        let mut tx = Self {
            tx: begun,
            trace: scope.trace.clone(),
            timer: Some(scope.trace.time(Part::Write)),
            guard,
            owner: owner.clone(),
            actor: actor.clone(),
            entry: scope.audited_actor(action).map(|actor| AuditEntry::new(now, actor, action)),
            now,
            next_revision: 0,
            last_revision: 0,
            changes: Vec::with_capacity(changes),
        };
        let count = i64::try_from(changes).unwrap_or(i64::MAX);
        let take = take_revisions(store.0.row_level_security, owner, count, tx.now)?;
        let account: Option<Revision> = tx.one(&take).await?;
        let account = account.ok_or(Error::BeingErased)?;
        // The account is new.
        if account.revision == count {
            audit::refuse_if_just_erased(&tx.tx, store, owner).await?;
        }
        tx.next_revision = account.revision - count + 1;
        tx.last_revision = account.revision;
        Ok(tx)
    }

    /// Makes room for more changes than the transaction began with.
    pub(in crate::store) async fn reserve(&mut self, changes: usize) -> Result<()> {
        let count = i64::try_from(changes).unwrap_or(i64::MAX);
        let take = take_revisions(self.guard.store.0.row_level_security, &self.owner, count, self.now)?;
        let account: Option<Revision> = self.one(&take).await?;
        self.last_revision = account.ok_or(Error::BeingErased)?.revision;
        Ok(())
    }

    /// The time of this write.
    pub(in crate::store) fn now(&self) -> Timestamp {
        self.now
    }

    /// The database that runs the statements.
    pub(in crate::store) fn backend(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    pub(in crate::store) fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// Runs a statement that returns at most one row.
    pub(in crate::store) async fn one<T: FromQueryResult>(
        &self,
        statement: &impl StatementBuilder,
    ) -> Result<Option<T>> {
        let row = self.tx.query_one(statement).await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// Says that the transaction removes content, whatever its changes are.
    pub(in crate::store) fn erases(&mut self) {
        self.guard.erases_content = true;
    }

    /// Records a change. The commit writes it to the feed.
    pub(in crate::store) fn record(&mut self, change: Change) {
        self.guard.erases_content |= erases_content(change.kind);
        self.changes.push(change);
    }

    /// Writes the feed, commits, and then signals the subscribers.
    pub(in crate::store) async fn commit(mut self) -> Result<()> {
        let mut rows = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            rows.push(
                change::Model {
                    owner_id: self.owner.clone(),
                    revision: self.next_revision,
                    kind: change.kind.code(),
                    conversation_id: change.conversation,
                    message_id: change.message,
                    changed_at: self.now,
                    actor: self.actor.clone(),
                }
                .into_active_model(),
            );
            self.next_revision += 1;
        }
        if self.next_revision != self.last_revision + 1 {
            return Err(Error::broken(
                "a write recorded a different number of changes than it reserved".into(),
            ));
        }
        for some in rows.chunks(CHANGES) {
            change::Entity::insert_many(some.to_vec()).exec_without_returning(&self.tx).await?;
        }
        if let Some(entry) = self.entry {
            audit::add(&self.tx, entry.of_changes(&self.owner, &self.changes)).await?;
        }
        drop(self.timer.take());
        let timer = self.trace.time(Part::Commit);
        self.tx.commit().await?;
        drop(timer);
        drop(self.guard.lock.take());
        let store = &self.guard.store;
        if self.guard.erases_content {
            store.erased();
        }
        for change in self.changes {
            store.0.pending.add(&self.owner, 1, erases_content(change.kind));
            store.0.signals.signal(&Topic::Conversation(change.conversation));
        }
        store.0.changed_owners.add(&self.owner);
        store.0.signals.signal(&Topic::Account(self.owner));
        Ok(())
    }
}

/// Whether a change can overwrite or remove content.
fn erases_content(kind: ChangeKind) -> bool {
    match kind {
        ChangeKind::ConversationCreated | ChangeKind::MessageAdded => false,
        ChangeKind::ConversationUpdated
        | ChangeKind::ConversationDeleted
        | ChangeKind::MessageUpdated
        | ChangeKind::MessageDeleted => true,
    }
}

/// Runs a statement that writes, without recording a change. Returns the number of rows it wrote.
pub(in crate::store) async fn run_without_change(
    store: &Store,
    owner: &OwnerId,
    statement: Statement,
) -> Result<u64> {
    let _lock = store.0.write_lock.acquire().await?;
    let write = &store.0.write;
    if !store.0.row_level_security.is_active() {
        return Ok(write.execute_raw(statement).await?.rows_affected());
    }
    let tx = begin(write).await?;
    row_level_security::set_owner(&tx, owner).await?;
    let written = tx.execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(written)
}

/// The write lock of a transaction. After a rollback the lock is released when the connection can be used again: sqlx
/// rolls back some time later, on the connection that it gives back to the pool.
struct TransactionGuard {
    lock: Option<WriteLockGuard>,
    store: Store,
    /// Whether the transaction overwrites or removes content.
    erases_content: bool,
}

impl Drop for TransactionGuard {
    fn drop(&mut self) {
        if let Some(guard) = self.lock.take().filter(WriteLockGuard::is_exclusive)
            && let Ok(runtime) = Handle::try_current()
        {
            let (store, erases) = (self.store.clone(), self.erases_content);
            runtime.spawn(async move {
                if let Err(error) = store.0.write.ping().await {
                    tracing::warn!(%error, "cannot check that a transaction was rolled back");
                }
                drop(guard);
                // If the caller was dropped during the commit, the transaction was committed.
                if erases {
                    store.erased();
                }
            });
        }
    }
}

/// SQLite takes its write lock at once: a transaction that reads first and locks later would fail.
///
/// On PostgreSQL a separate task begins the transaction, because an operation is dropped when its client disconnects.
/// If sqlx 0.9.0 is dropped while it waits for the answer to `BEGIN`, it forgets that it has sent it. The pool then
/// gets back a connection inside a transaction, and later writes on it are acknowledged and never committed.
/// <https://github.com/transact-rs/sqlx/issues/4393>
pub(in crate::store) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    begin_with(connection, options).await
}

/// Begins a transaction that only reads: all its reads see the same state.
pub(in crate::store) async fn begin_reading(connection: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = match connection.get_database_backend() {
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            ..TransactionOptions::default()
        },
        _ => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
    };
    begin_with(connection, options).await
}

async fn begin_with(
    connection: &DatabaseConnection,
    options: TransactionOptions,
) -> Result<DatabaseTransaction> {
    if connection.get_database_backend() == DbBackend::Sqlite {
        return begin_uninterrupted(connection, options).await;
    }
    let connection = connection.clone();
    let begun = tokio::spawn(async move { begin_uninterrupted(&connection, options).await });
    begun.await.unwrap_or_else(|error| Err(Error::broken(format!("cannot begin a transaction: {error}"))))
}

#[expect(clippy::disallowed_methods, reason = "the one place that begins transactions")]
async fn begin_uninterrupted(
    connection: &DatabaseConnection,
    options: TransactionOptions,
) -> Result<DatabaseTransaction> {
    Ok(connection.begin_with_options(options).await?)
}
