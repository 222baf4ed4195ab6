//! A write worker on PostgreSQL: a batch is one statement, so one round trip and one commit (`cargo bench --bench
//! load -- append`).
//!
//! The statement checks which appends are possible, locks, counts, inserts and returns the results. It sees the
//! database as of its start, but the locked rows as of the lock. Conditions that it checked before it had the locks
//! are checked again by the `UPDATE` that takes positions. If one is no longer true, the statement inserts a message
//! without a position, which violates a constraint and undoes the whole statement.
//!
//! The lock on an owner's row of `account` covers all conversations of the owner, because every write takes it first.
//! A worker never waits for this lock. If another transaction has it (a conversation is being deleted, another
//! replica writes), a separate worker takes over the appends of the owner while it has to wait ([`blocked_owners`]).
//! So workers of several replicas cannot deadlock, and a long write of one owner does not delay others.
//!
//! Rows are joined on the id **and** the owner. With the id alone, an append of another owner could be included.
//!
//! A single append has a statement of its own, which costs a third of the other.
//!
//! With row-level security, the transaction names its owners in a statement before this one.

mod blocked_owners;
mod statements;

use std::collections::HashMap;
use std::time::Instant;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use super::batch::BatchReceiver;
use super::figures::BatchTimes;
use super::request::{
    AppendOutcome, AppendTextResult, Batch, BatchResults, Follows, NewMessages, NewTextChunk, PendingWrite,
    WorkerContext,
};
use crate::model::{ChangeKind, OwnerId, StreamProgress, Timestamp};
use crate::store::engine::row_level_security;
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
pub(super) use blocked_owners::BlockedOwners;
use statements::{APPEND_TEXT, LockingStatements, SKIPPING_LOCKED};

/// The maximum wait for a lock, in milliseconds. A worker waits for an id that another transaction inserts, because
/// that transaction may roll back, and for the row of a stream. Other requests of the worker wait with it.
pub(in crate::store) const LOCK_TIMEOUT: &str = "250";

/// Writes batches until the queue is closed.
pub(super) async fn serve(
    mut batches: BatchReceiver,
    pool: PgPool,
    mut blocked_owners: BlockedOwners,
    context: WorkerContext,
) {
    while let Some(batch) = batches.next().await {
        for request in write(batch, &pool, &SKIPPING_LOCKED, &context).await {
            blocked_owners.add(request);
        }
    }
}

/// Writes a batch and answers it. Returns the appends whose owners are locked.
async fn write(
    batch: Batch,
    pool: &PgPool,
    appends: &LockingStatements,
    context: &WorkerContext,
) -> Vec<PendingWrite<NewMessages, AppendOutcome>> {
    let connection = pool.acquire().await;
    let started = Instant::now();
    let written = match connection {
        Ok(mut connection) => {
            WriteWorker { connection: &mut connection, appends, context }.write(&batch).await
        }
        Err(error) => BatchResults::failed(&batch, &error.into()),
    };
    // A statement commits by itself.
    let times = BatchTimes { started, committing: None, ended: Instant::now() };
    batch.answer(written, times, context)
}

struct WriteWorker<'a> {
    connection: &'a mut PgConnection,
    appends: &'a LockingStatements,
    context: &'a WorkerContext,
}

impl WriteWorker<'_> {
    async fn write(&mut self, batch: &Batch) -> BatchResults {
        let appends: Vec<&NewMessages> = batch.appends.iter().map(|request| &request.work).collect();
        let chunks: Vec<&NewTextChunk> = batch.chunks.iter().map(|request| &request.work).collect();
        BatchResults { appends: self.append(&appends).await, chunks: self.append_text(&chunks).await }
    }

    async fn append(&mut self, appends: &[&NewMessages]) -> Vec<Result<AppendOutcome>> {
        let batch_error = match appends {
            [] => return Vec::new(),
            [_] => None,
            appends => match self.append_many(appends).await {
                Ok(outcomes) => return outcomes.into_iter().map(Ok).collect(),
                Err(error) => Some(error),
            },
        };
        if let Some(error) = batch_error
            && !is_refused(&error)
        {
            let error = Error::from(error);
            return appends.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(appends.len());
        let mut is_locked = false;
        for messages in appends {
            // The next append would wait as long. In transactions of their own they can wait at the same time.
            if is_locked {
                results.push(Ok(AppendOutcome::NotBatchable));
                continue;
            }
            let alone = match &messages.rows[..] {
                [row] => self.append_one(messages, row).await,
                _ => self.append_many(&[messages]).await.map(|outcomes| outcomes[0]),
            };
            is_locked = alone.as_ref().is_err_and(is_lock_timeout);
            results.push(if_refused(alone, AppendOutcome::NotBatchable));
        }
        results
    }

    async fn append_one(
        &mut self,
        messages: &NewMessages,
        row: &message::Model,
    ) -> sqlx::Result<AppendOutcome> {
        let append = sqlx::query(self.appends.of(&[messages]).one)
            .bind(messages.conversation.0)
            .bind(messages.owner.as_str())
            .bind(row.id.0)
            .bind(self.now())
            .bind(row.role)
            .bind(&row.content)
            .bind(row.metadata.as_str())
            .bind(row.fingerprint.as_deref())
            .bind(row.parts.as_deref())
            .bind(row.status)
            .bind(row.model.as_deref())
            .bind(row.usage.as_deref())
            .bind(ChangeKind::MessageAdded.code())
            .bind(messages.follows.message().map(|head| head.0))
            .bind(messages.actor.as_ref().map(OwnerId::as_str))
            .bind(messages.follows == Follows::Nothing);
        let found = self.run(append, &[&messages.owner]).await?;
        found.first().map_or(Ok(AppendOutcome::NotFound), |found| outcome(found, 0))
    }

    async fn append_many(&mut self, appends: &[&NewMessages]) -> sqlx::Result<Vec<AppendOutcome>> {
        let rows = || {
            let numbered = (0_i64..).zip(appends);
            numbered
                .flat_map(|(append, messages)| messages.rows.iter().map(move |row| (append, messages, row)))
        };
        let append = sqlx::query(self.appends.of(appends).many)
            .bind(rows().map(|(append, ..)| append).collect::<Vec<_>>())
            .bind(rows().map(|(_, messages, _)| messages.conversation.0).collect::<Vec<_>>())
            .bind(rows().map(|(_, messages, _)| messages.owner.as_str()).collect::<Vec<_>>())
            .bind(
                rows()
                    .map(|(_, messages, _)| messages.follows.message().map(|head| head.0))
                    .collect::<Vec<_>>(),
            )
            .bind(rows().map(|(.., row)| row.id.0).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.role).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.content.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.metadata.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.fingerprint.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.parts.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.status).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.model.as_deref()).collect::<Vec<_>>())
            .bind(rows().map(|(.., row)| row.usage.as_deref()).collect::<Vec<_>>())
            .bind(self.now())
            .bind(ChangeKind::MessageAdded.code())
            .bind(
                rows()
                    .map(|(_, messages, _)| messages.actor.as_ref().map(OwnerId::as_str))
                    .collect::<Vec<_>>(),
            )
            .bind(rows().map(|(_, messages, _)| messages.follows == Follows::Nothing).collect::<Vec<_>>());
        let owners: Vec<&OwnerId> = appends.iter().map(|messages| &messages.owner).collect();
        let found = self.run(append, &owners).await?;
        let mut outcomes = vec![AppendOutcome::NotFound; appends.len()];
        // The first message of an append has its position, so it comes last here.
        for row in found.iter().rev() {
            let append: i64 = row.try_get(0)?;
            outcomes[append as usize] = outcome(row, 1)?;
        }
        Ok(outcomes)
    }

    async fn append_text(&mut self, chunks: &[&NewTextChunk]) -> Vec<Result<AppendTextResult>> {
        if chunks.is_empty() {
            return Vec::new();
        }
        let batch_error = match self.append_text_many(chunks).await {
            Ok(appended) => return appended.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if !is_refused(&batch_error) {
            let error = Error::from(batch_error);
            return chunks.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let alone = self.append_text_many(&[chunk]).await;
            results.push(alone.map(|appended| appended[0]).map_err(Error::from));
        }
        results
    }

    async fn append_text_many(&mut self, chunks: &[&NewTextChunk]) -> sqlx::Result<Vec<AppendTextResult>> {
        let append_text = sqlx::query(APPEND_TEXT)
            .bind(chunks.iter().map(|chunk| chunk.message.0).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| chunk.owner.as_str()).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| chunk.start).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>())
            .bind(chunks.iter().map(|chunk| chunk.code_points).collect::<Vec<_>>())
            .bind(self.now());
        let owners: Vec<&OwnerId> = chunks.iter().map(|chunk| &chunk.owner).collect();
        let found = self.run(append_text, &owners).await?;
        let mut appended = vec![None; chunks.len()];
        let nth: HashMap<_, _> =
            (0..).zip(chunks).map(|(nth, chunk)| ((chunk.message.0, chunk.owner.as_str()), nth)).collect();
        for row in found {
            let key: (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(nth) = nth.get(&key) {
                appended[*nth] =
                    Some(StreamProgress { length: row.try_get(2)?, stop_requested: row.try_get(3)? });
            }
        }
        Ok(appended)
    }

    /// Runs a statement. With row-level security, it names the owners first.
    async fn run(
        &mut self,
        batch: Query<'_, Postgres, PgArguments>,
        owners: &[&OwnerId],
    ) -> sqlx::Result<Vec<PgRow>> {
        if !self.context.row_level_security.is_active() {
            return batch.fetch_all(&mut *self.connection).await;
        }
        let mut owners: Vec<&str> = owners.iter().map(|owner| owner.as_str()).collect();
        owners.sort_unstable();
        owners.dedup();
        self.context.count(1);
        let mut tx = self.connection.begin().await?;
        row_level_security::set_owners(&mut tx, &owners).await?;
        let found = batch.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(found)
    }

    fn now(&self) -> i64 {
        self.context.count(1);
        self.context.clock.now().0
    }
}

/// Decodes five columns: whether an id is known, whether the append is batchable, and the position, time and branch of
/// the message, if it was inserted.
fn outcome(row: &PgRow, column: usize) -> sqlx::Result<AppendOutcome> {
    let place = (row.try_get(column + 2)?, row.try_get(column + 3)?);
    Ok(match (row.try_get(column)?, row.try_get(column + 1)?, place) {
        (_, _, (Some(first), Some(created_at))) => {
            let branch = row.try_get(column + 4)?;
            AppendOutcome::Appended { first, branch, created_at: Timestamp(created_at) }
        }
        (true, ..) => AppendOutcome::Known,
        (false, true, _) => AppendOutcome::Busy,
        (false, false, _) => AppendOutcome::NotBatchable,
    })
}

/// Whether PostgreSQL refused the statement because of its values or because of concurrent transactions: values (22),
/// constraints (23), deadlocks (40), limits (54), lock timeouts (55).
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "40", "54", "55"].iter().any(|class| code.starts_with(class)))
}

/// Whether the statement timed out waiting for a lock.
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == "55P03")
}

/// If a request is refused even alone, the operation that made it handles it.
fn if_refused<T>(alone: sqlx::Result<T>, not_batchable: T) -> Result<T> {
    alone.or_else(|error| if is_refused(&error) { Ok(not_batchable) } else { Err(error.into()) })
}
