//! The write worker on SQLite: a thread with its own connection and prepared statements (`cargo bench --bench load --
//! append`).
//!
//! A batch is one transaction, from `BEGIN IMMEDIATE` to a commit that is synced to disk. Its appends run one after
//! the other, and each sees the ones before. There are no savepoints: an append is checked before any of it is
//! written. If the database refuses one nevertheless, the whole batch is rolled back, and each append runs in a
//! transaction of its own.
//!
//! No statement has `RETURNING`: SQLite would keep a copy of each page that it changes until the statement has ended, and
//! free the copies. A `SELECT` before it costs less. Nobody else writes in between: a transaction has the lock from its
//! beginning.

use std::cell::Cell;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::BatchReceiver;
use super::checkpoint::CheckpointNotifier;
use super::figures::BatchTimes;
use super::request::{
    AppendOutcome, AppendTextResult, Batch, BatchResults, Follows, NewMessages, NewTextChunk, WorkerContext,
};
use crate::model::{AuditAction, AuditActor, ChangeKind, OwnerId, StreamProgress, Timestamp};
use crate::store::engine::write_lock::WriteLock;
use crate::store::entity::message::last_of_user;
use crate::store::error::Error;
use crate::store::error::Result;

const CONVERSATION: &str = "SELECT number << 32, last_position, updated_at, state = 0 AND head_position = last_position, \
     CASE WHEN branches > 0 THEN branch END FROM conversation WHERE id = ?1 AND owner_id = ?2";
const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)";
const IS_AT: &str = "SELECT EXISTS (SELECT 1 FROM message \
     WHERE slot = ?1 AND conversation_id = ?2 AND position = ?3 AND id = ?4)";
const REVISION: &str = "SELECT revision FROM account WHERE id = ?1 AND erasing_since IS NULL";
const TAKE_REVISIONS: &str = "UPDATE account SET revision = revision + ?2 WHERE id = ?1";
const TAKE_POSITIONS: &str = "UPDATE conversation SET last_position = ?3, head_position = ?3, \
     message_count = message_count + ?4, updated_at = ?5, read_position = coalesce(?6, read_position), \
     unread_ignored = CASE WHEN ?6 IS NULL THEN unread_ignored ELSE 0 END WHERE id = ?1 AND owner_id = ?2";
const ADD_MESSAGE: &str = "INSERT INTO message (slot, conversation_id, position, id, owner_id, role, content, \
     metadata, created_at, fingerprint, parts, status, model, usage, branch, parent_position) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const ADD_CHANGE: &str = "INSERT INTO change (owner_id, revision, kind, conversation_id, message_id, changed_at, actor) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const ADD_AUDIT_ENTRY: &str = "INSERT INTO audit_entry \
     (created_at, actor_kind, actor, action, owner_id, conversation_id, message_id, count) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const STREAM: &str =
    "SELECT stop_requested FROM stream WHERE message_id = ?1 AND owner_id = ?2 AND length = ?3";
const EXTEND_STREAM: &str =
    "UPDATE stream SET length = ?3, written_at = ?4 WHERE message_id = ?1 AND owner_id = ?2";
const ADD_TEXT_CHUNK: &str = "INSERT INTO message_text (message_id, start, text) VALUES (?1, ?2, ?3)";

/// The capacity of the statement cache: the statements above, and those of transactions.
pub(in crate::store) const STATEMENTS: usize = 16;

type Found<T> = std::result::Result<T, rusqlite::Error>;

/// Writes batches until the queue is closed.
pub(super) fn serve(
    mut batches: BatchReceiver,
    connection: &Connection,
    write_lock: &WriteLock,
    checkpoints: &CheckpointNotifier,
    context: &WorkerContext,
) {
    let worker = WriteWorker { connection, context, committing: Cell::new(None) };
    while let Some(batch) = batches.blocking_next() {
        let guard = write_lock.blocking_acquire();
        let started = Instant::now();
        worker.committing.set(None);
        let written = worker.write(&batch);
        let times = BatchTimes { started, committing: worker.committing.get(), ended: Instant::now() };
        drop(guard);
        // No append is busy on SQLite: the write lock is held.
        drop(batch.answer(written, times, context));
        checkpoints.committed();
    }
}

struct WriteWorker<'a> {
    connection: &'a Connection,
    context: &'a WorkerContext,
    /// When the last commit of the batch began.
    committing: Cell<Option<Instant>>,
}

impl WriteWorker<'_> {
    fn write(&self, batch: &Batch) -> BatchResults {
        let everything = self.transaction(|| {
            let appends = batch.appends.iter().map(|request| self.append(&request.work));
            let appends = appends.collect::<Found<Vec<_>>>()?;
            let chunks = batch.chunks.iter().map(|request| self.append_text(&request.work));
            Ok((appends, chunks.collect::<Found<Vec<_>>>()?))
        });
        match everything {
            Ok((appends, chunks)) => BatchResults {
                appends: appends.into_iter().map(Ok).collect(),
                chunks: chunks.into_iter().map(Ok).collect(),
            },
            Err(error @ Error::Unavailable(_)) => BatchResults::failed(batch, &error),
            Err(error) => {
                tracing::warn!(%error, "the database refused a batch: its requests run one by one");
                let append = |messages| {
                    self.transaction(|| self.append(messages))
                        .or_else(if_refused(AppendOutcome::NotBatchable))
                };
                let append_text =
                    |chunk| self.transaction(|| self.append_text(chunk)).or_else(if_refused(None));
                BatchResults {
                    appends: batch.appends.iter().map(|request| append(&request.work)).collect(),
                    chunks: batch.chunks.iter().map(|request| append_text(&request.work)).collect(),
                }
            }
        }
    }

    /// Runs `work` and commits. After an error nothing is written. If the result of the commit is unknown, the error
    /// is `Unavailable`.
    fn transaction<T>(&self, work: impl FnOnce() -> Found<T>) -> Result<T> {
        self.run("BEGIN IMMEDIATE")?;
        let worked = work();
        if let Ok(done) = worked {
            self.committing.set(Some(Instant::now()));
            match self.run("COMMIT") {
                Ok(()) => return Ok(done),
                Err(error) => {
                    self.roll_back();
                    return Err(Error::Unavailable(sea_orm::DbErr::Custom(error.to_string())));
                }
            }
        }
        self.roll_back();
        Ok(worked?)
    }

    fn run(&self, sql: &str) -> Found<()> {
        self.count();
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Some errors roll back by themselves.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "cannot roll back");
        }
    }

    fn append(&self, messages: &NewMessages) -> Found<AppendOutcome> {
        let (owner, conversation) = (messages.owner.as_str(), messages.conversation.0);
        let actor = messages.actor.as_ref().map(OwnerId::as_str);
        let found: Option<(i64, i64, i64, bool, Option<i64>)> =
            self.one(CONVERSATION, params![conversation, owner], |row| row.try_into())?;
        let Some((slots, last, updated_at, is_batchable, branch)) = found else {
            return Ok(AppendOutcome::NotFound);
        };
        for row in messages.rows.iter().filter(|row| row.fingerprint.is_some()) {
            if self.is(IS_KNOWN, params![row.id.0])? {
                return Ok(AppendOutcome::Known);
            }
        }
        let follows = match messages.follows {
            Follows::Head => true,
            Follows::Message(head) => self.is(IS_AT, params![slots + last, conversation, last, head.0])?,
            Follows::Nothing => last == 0,
        };
        if !is_batchable || !follows {
            return Ok(AppendOutcome::NotBatchable);
        }
        let count = messages.rows.len() as i64;
        let now = self.context.clock.now();
        let revision: Option<i64> = self.one(REVISION, params![owner], |row| row.get(0))?;
        let Some(revision) = revision else { return Ok(AppendOutcome::NotBatchable) };
        self.execute(TAKE_REVISIONS, params![owner, count])?;
        let created_at = now.max(Timestamp(updated_at + 1));
        let read = last_of_user(&messages.rows).map(|nth| last + nth);
        self.execute(TAKE_POSITIONS, params![conversation, owner, last + count, count, created_at.0, read])?;
        for (nth, row) in (1..).zip(&messages.rows) {
            self.execute(
                ADD_MESSAGE,
                params![
                    slots + last + nth,
                    conversation,
                    last + nth,
                    row.id.0,
                    owner,
                    row.role,
                    row.content,
                    row.metadata.as_str(),
                    created_at.0,
                    row.fingerprint,
                    row.parts,
                    row.status,
                    row.model,
                    row.usage,
                    branch,
                    branch.map(|_| last + nth - 1),
                ],
            )?;
            let kind = ChangeKind::MessageAdded.code();
            self.execute(
                ADD_CHANGE,
                params![owner, revision + nth, kind, conversation, row.id.0, now.0, actor],
            )?;
        }
        if let (Some(actor), Some(first)) = (&messages.actor, messages.rows.first()) {
            let (kind, actor) = (AuditActor::BACK_END, actor.as_str());
            let action = AuditAction::AppendMessages.code();
            let values = params![now.0, kind, actor, action, owner, conversation, first.id.0, count];
            self.execute(ADD_AUDIT_ENTRY, values)?;
        }
        Ok(AppendOutcome::Appended { first: last + 1, branch, created_at })
    }

    fn append_text(&self, chunk: &NewTextChunk) -> Found<AppendTextResult> {
        let (message, owner) = (chunk.message.0, chunk.owner.as_str());
        let found = self.one(STREAM, params![message, owner, chunk.start], |row| row.get(0))?;
        let Some(stop_requested) = found else { return Ok(None) };
        let length = chunk.start + chunk.code_points;
        self.execute(EXTEND_STREAM, params![message, owner, length, self.context.clock.now().0])?;
        if !chunk.text.is_empty() {
            self.execute(ADD_TEXT_CHUNK, params![message, chunk.start, chunk.text])?;
        }
        Ok(Some(StreamProgress { length, stop_requested }))
    }

    fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
        read: impl FnOnce(&Row<'_>) -> Found<T>,
    ) -> Found<Option<T>> {
        self.count();
        self.connection.prepare_cached(sql)?.query_row(values, read).optional()
    }

    fn is(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Found<bool> {
        Ok(self.one(sql, values, |row| row.get(0))?.unwrap_or(false))
    }

    fn execute(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Found<()> {
        self.count();
        self.connection.prepare_cached(sql)?.execute(values).map(drop)
    }

    fn count(&self) {
        self.context.count(1);
    }
}

/// If a request is refused even alone, the operation that made it handles it, unless the database is unavailable.
fn if_refused<T>(not_batchable: T) -> impl FnOnce(Error) -> Result<T> {
    |error| if matches!(error, Error::Unavailable(_)) { Err(error) } else { Ok(not_batchable) }
}
