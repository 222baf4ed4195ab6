//! Transactions: begun here, recorded here, committed here.
//!
//! A transaction first takes the owner's row in `account`, which gives it the revisions of the
//! changes it will make and makes the owner's writes wait for each other, so that the feed has no
//! holes and commits in order. Only then does it touch conversations: locks are taken in one order
//! everywhere. A transaction that is dropped is rolled back. The only way to finish one is
//! [`Tx::commit`], which writes the feed and, after the commit, signals.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};

use super::entity::change;
use super::{Error, Result, Scoped};
use crate::model::{Change, OwnerId, Timestamp};
use crate::signals::{Signals, Topic};

/// A write in progress for one owner.
pub(super) struct Tx {
    tx: DatabaseTransaction,
    signals: Signals,
    owner: OwnerId,
    actor: Option<OwnerId>,
    now: Timestamp,
    next_revision: i64,
    last_revision: i64,
    changes: Vec<Change>,
}

#[derive(FromQueryResult)]
struct Revision {
    revision: i64,
}

/// Makes the account on its owner's first write; else moves its clock on.
const TAKE_REVISIONS: &str = "INSERT INTO account (id, revision, created_at) VALUES ($1, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET revision = account.revision + $2 RETURNING revision";

impl Tx {
    /// Begins a write of exactly `changes` changes.
    pub(super) async fn begin(scope: &Scoped, changes: usize) -> Result<Self> {
        let Scoped { store, owner, actor } = scope;
        let tx = begin(&store.0.write).await?;
        let now = store.0.clock.now();
        let count = i64::try_from(changes).unwrap_or(i64::MAX);
        let values = [owner.clone().into(), count.into(), now.into()];
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), TAKE_REVISIONS, values);
        let revision = Revision::find_by_statement(statement)
            .one(&tx)
            .await?
            .ok_or_else(|| Error::broken("an account gave no revision".into()))?
            .revision;
        Ok(Self {
            tx,
            signals: store.0.signals.clone(),
            owner: owner.clone(),
            actor: actor.clone(),
            now,
            next_revision: revision - count + 1,
            last_revision: revision,
            changes: Vec::with_capacity(changes),
        })
    }

    /// The time of this write.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Where to run statements.
    pub(super) fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// Runs a statement whose text is constant and gives the one row it returns, if any.
    pub(super) async fn one<T: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<T>> {
        let statement = Statement::from_sql_and_values(self.tx.get_database_backend(), sql, values);
        Ok(T::find_by_statement(statement).one(&self.tx).await?)
    }

    /// Notes a change, to be written to the feed with the commit.
    pub(super) fn record(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Writes the feed, commits, and then wakes who waits for news.
    pub(super) async fn commit(mut self) -> Result<()> {
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
            return Err(Error::broken("a write recorded another number of changes than it announced".into()));
        }
        change::Entity::insert_many(rows).exec_without_returning(&self.tx).await?;
        self.tx.commit().await?;
        for change in self.changes {
            self.signals.signal(&Topic::Conversation(change.conversation));
        }
        self.signals.signal(&Topic::Account(self.owner));
        Ok(())
    }
}

/// SQLite takes its write lock at once: a transaction that reads first and locks later would fail.
#[expect(clippy::disallowed_methods, reason = "the one place that begins transactions")]
pub(super) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(connection.begin_with_options(options).await?)
}
