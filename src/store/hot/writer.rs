//! The writer: appends that arrive at the same time share one commit.
//!
//! An append is answered once it is durable, so under load many wait at the same time. A worker takes everything that
//! waits ([`batch`]), writes it in one transaction and answers each append. It does not wait for more: one append alone is
//! written at once. SQLite has one worker, a thread with its own connection ([`sqlite`]). PostgreSQL has several
//! ([`postgres`]). Each owner belongs to one worker, so that appends of one owner share a batch instead of waiting for a
//! row lock. Text of streaming messages has a worker of its own, because it may wait for a lock.
//!
//! A worker handles the common case only: messages after the head of a conversation that never forked, and text at
//! the end of a stream. Everything else is [`Outcome::NotBatchable`]: the batch does not write it, and the operation that
//! asked for it writes it in a transaction of its own. So the rules of the rare cases stand once, in
//! `repository::append` and `repository::streams`, and a faulty append cannot fail the others of its batch.
//!
//! - If a batch cannot be committed, all of it fails as unavailable. Ids make a retry safe.
//! - If the database refuses a batch, each part is tried again alone, and is not batchable if it is refused again.
//! - The queue is bounded ([`write_queue`]), in total and for each owner. Beyond that, appends are refused at once.
//! - A client that stops waiting changes nothing: the write goes on.
//!
//! `cargo bench --bench load -- append` measures what this is good for.

mod batch;
mod checkpoint;
mod postgres;
pub mod probe;
pub(in crate::store) mod request;
mod sqlite;
mod write_queue;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::store::engine::write_lock::WriteLock;
use crate::store::error::{Error, Result};
use batch::BatchReceiver;
use checkpoint::{Checkpoints, Erasures};
use postgres::Waiting;
use request::{GrowResult, Job, NewMessages, NewTextChunk, Outcome, WorkerContext, WriteRequest};
use write_queue::WriteQueue;

pub(in crate::store) use postgres::LOCK_TIMEOUT;
pub(in crate::store) use sqlite::STATEMENTS;
pub use write_queue::Bounds;

/// Where appends are written.
pub(in crate::store) enum Target {
    /// With a connection more, for checkpoints.
    Sqlite {
        writer: Box<rusqlite::Connection>,
        checkpoints: Box<rusqlite::Connection>,
        write_lock: WriteLock,
    },
    /// The workers' connections, and those for appends that wait for a lock.
    Postgres { lanes: PgPool, waiting: PgPool },
}

/// Takes what is to be appended to the workers.
pub(in crate::store) struct Writer {
    /// None once it is closed.
    workers: RwLock<Vec<mpsc::UnboundedSender<Job>>>,
    queue: Arc<WriteQueue>,
    running: TaskTracker,
    /// On SQLite, until it is closed.
    erasures: Mutex<Option<Erasures>>,
}

impl Writer {
    /// Starts the workers.
    pub(in crate::store) fn start(
        target: Target,
        bounds: Bounds,
        context: WorkerContext,
    ) -> std::io::Result<Self> {
        let running = TaskTracker::new();
        let (mut workers, mut erasures) = (Vec::new(), None);
        match target {
            Target::Sqlite { writer, checkpoints, write_lock } => {
                let (worker, batches) = BatchReceiver::new();
                workers.push(worker);
                let (committed, erased, requests) = Checkpoints::of(&writer);
                erasures = Some(erased);
                let shared = write_lock.clone();
                thread(&running, "sqlite-log", move || checkpoint::serve(&requests, &checkpoints, &shared))?;
                thread(&running, "sqlite-writer", move || {
                    sqlite::serve(batches, &writer, &write_lock, &committed, &context);
                })?;
            }
            Target::Postgres { lanes: pool, waiting: others } => {
                for _ in 0..=bounds.lanes {
                    let (worker, batches) = BatchReceiver::new();
                    workers.push(worker);
                    let waiting = Waiting::new(others.clone(), context.clone(), running.clone());
                    running.spawn(postgres::serve(batches, pool.clone(), waiting, context.clone()));
                }
            }
        }
        let queue = Arc::new(WriteQueue::new(bounds));
        Ok(Self { workers: RwLock::new(workers), queue, running, erasures: Mutex::new(erasures) })
    }

    /// To be called after every commit that overwrote or removed content: SQLite's log still holds it.
    pub(in crate::store) fn erased(&self) {
        if let Some(erasures) = &*self.erasures.lock().unwrap_or_else(PoisonError::into_inner) {
            erasures.committed();
        }
    }

    /// Appends messages, unless they are not the ordinary case.
    ///
    /// # Errors
    /// - `Busy`: too much waits already.
    /// - `Unavailable`: it could not be committed, or nobody knows whether it was.
    pub(in crate::store) async fn append(&self, messages: NewMessages) -> Result<(NewMessages, Outcome)> {
        let permit = self.queue.enter(&messages.owner, messages.bytes())?;
        let mut hash = DefaultHasher::new();
        messages.owner.hash(&mut hash);
        let (answer, answered) = oneshot::channel();
        self.hand_in(Some(hash.finish()), Job::Append(WriteRequest { work: messages, permit, answer }))?;
        let (messages, outcome) = answered.await.map_err(|_| closed())?;
        Ok((messages, outcome?))
    }

    /// Adds text to a stream, if that ends where the piece begins.
    ///
    /// # Errors
    /// As for [`Writer::append`].
    pub(in crate::store) async fn grow(&self, piece: NewTextChunk) -> Result<(NewTextChunk, GrowResult)> {
        let permit = self.queue.enter(&piece.owner, piece.text.len())?;
        let (answer, answered) = oneshot::channel();
        self.hand_in(None, Job::Grow(WriteRequest { work: piece, permit, answer }))?;
        let (piece, grown) = answered.await.map_err(|_| closed())?;
        Ok((piece, grown?))
    }

    /// The last worker is for pieces, the others are each for some owners; SQLite's is both.
    fn hand_in(&self, owner: Option<u64>, job: Job) -> Result<()> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        let last = workers.len().checked_sub(1).ok_or_else(closed)?;
        let worker = owner.map_or(last, |owner| (owner % last.max(1) as u64) as usize);
        workers[worker].send(job).map_err(|_| closed())
    }

    /// Refuses what comes from now on, and waits until what came before is answered.
    pub(in crate::store) async fn close(&self) {
        self.workers.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.erasures.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.running.close();
        self.running.wait().await;
    }
}

/// A thread that closing waits for.
fn thread(running: &TaskTracker, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let token = running.token();
    let work = move || {
        work();
        drop(token);
    };
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn closed() -> Error {
    Error::Unavailable(sea_orm::DbErr::Custom("the writer is closed".into()))
}
