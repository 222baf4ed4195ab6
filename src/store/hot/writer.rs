//! The write workers: appends that arrive at the same time share one commit.
//!
//! An append is answered once it is durable, so under load many appends wait at the same time. A worker takes all
//! that wait ([`batch`]), writes them in one transaction and answers each. It does not wait for more: one append
//! alone is written at once. SQLite has one worker, a thread with its own connection ([`sqlite`]). PostgreSQL has
//! several ([`postgres`]): the queue chooses one for each append ([`write_queue`]). Text of streaming messages has a
//! worker of its own, because it may wait for a lock.
//!
//! A worker handles the common case only: messages after a head that is the newest message of its conversation, and text
//! at the end of a stream. Everything else is [`AppendOutcome::NotBatchable`]: the batch does not write it, and the
//! operation that requested it writes it in a transaction of its own. So the rules of the rare cases are in one
//! place, in `repository::append` and `repository::streams`, and a faulty append cannot fail the others of its batch.
//!
//! - If a batch cannot be committed, all of it fails as unavailable. Ids make a retry safe.
//! - If the database refuses a batch, each part is tried again alone, and is not batchable if it is refused again.
//! - The queue is bounded ([`write_queue`]), in total and for each owner. Beyond that, appends are rejected at once.
//! - If a client stops waiting, the write goes on.
//!
//! `cargo bench --bench load -- append` measures the effect.

mod batch;
mod checkpoint;
mod figures;
mod postgres;
pub mod probe;
pub(in crate::store) mod request;
mod sqlite;
mod write_queue;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::store::engine::write_lock::WriteLock;
use crate::store::error::{Error, Result};
use crate::traces::Trace;
use batch::BatchReceiver;
use checkpoint::{CheckpointNotifier, ErasureNotifier};
use postgres::BlockedOwners;
use request::{
    AppendOutcome, AppendTextResult, NewMessages, NewTextChunk, PendingWrite, WorkerContext, WriteRequest,
};
use write_queue::WriteQueue;

pub use figures::WriterFigures;
pub(in crate::store) use postgres::LOCK_TIMEOUT;
pub(in crate::store) use sqlite::STATEMENTS;
pub use write_queue::Bounds;

/// The connections of the workers.
pub(in crate::store) enum WriterConnections {
    /// `checkpoints` is a second connection, for checkpoints.
    Sqlite {
        writer: Box<rusqlite::Connection>,
        checkpoints: Box<rusqlite::Connection>,
        write_lock: WriteLock,
    },
    /// The connections of the workers, and those for owners whose row is locked.
    Postgres { workers: PgPool, blocked_owners: PgPool },
}

/// The queue and the workers.
pub(in crate::store) struct Writer {
    /// Empty once the writer is closed.
    workers: RwLock<Vec<mpsc::UnboundedSender<WriteRequest>>>,
    queue: Arc<WriteQueue>,
    running: TaskTracker,
    /// Only on SQLite. `None` once the writer is closed.
    erasure_notifier: Mutex<Option<ErasureNotifier>>,
}

impl Writer {
    /// Starts the workers.
    pub(in crate::store) fn start(
        target: WriterConnections,
        bounds: Bounds,
        context: WorkerContext,
    ) -> std::io::Result<Self> {
        let running = TaskTracker::new();
        let (mut workers, mut erasure_notifier) = (Vec::new(), None);
        match target {
            WriterConnections::Sqlite { writer, checkpoints, write_lock } => {
                let (worker, batches) = BatchReceiver::new();
                workers.push(worker);
                let (checkpoint_notifier, new_erasure_notifier, requests) = CheckpointNotifier::new(&writer);
                erasure_notifier = Some(new_erasure_notifier);
                let shared = write_lock.clone();
                let figures = context.figures.clone();
                thread(&running, "sqlite-log", move || {
                    checkpoint::serve(&requests, &checkpoints, &shared, &figures);
                })?;
                thread(&running, "sqlite-writer", move || {
                    sqlite::serve(batches, &writer, &write_lock, &checkpoint_notifier, &context);
                })?;
            }
            WriterConnections::Postgres { workers: worker_pool, blocked_owners: blocked_pool } => {
                for _ in 0..=bounds.workers {
                    let (worker, batches) = BatchReceiver::new();
                    workers.push(worker);
                    let blocked_owners =
                        BlockedOwners::new(blocked_pool.clone(), context.clone(), running.clone());
                    running.spawn(postgres::serve(
                        batches,
                        worker_pool.clone(),
                        blocked_owners,
                        context.clone(),
                    ));
                }
            }
        }
        let queue = Arc::new(WriteQueue::new(bounds));
        Ok(Self {
            workers: RwLock::new(workers),
            queue,
            running,
            erasure_notifier: Mutex::new(erasure_notifier),
        })
    }

    /// The number of writes that wait or are being written, and their bytes.
    pub(in crate::store) fn queued(&self) -> (usize, usize) {
        self.queue.depth()
    }

    /// Call this after every commit that overwrote or removed content: SQLite's log still has the content.
    pub(in crate::store) fn erased(&self) {
        if let Some(erasure_notifier) = &*self.erasure_notifier.lock().unwrap_or_else(PoisonError::into_inner)
        {
            erasure_notifier.committed();
        }
    }

    /// Appends messages, if they are the common case.
    ///
    /// # Errors
    /// - `Busy`: the queue is full.
    /// - `Unavailable`: the commit failed, or its result is unknown.
    pub(in crate::store) async fn append(
        &self,
        messages: NewMessages,
        trace: &Trace,
    ) -> Result<(NewMessages, AppendOutcome)> {
        let permit = self.queue.acquire_append(&messages.owner, messages.bytes())?;
        let worker = permit.worker();
        let (reply, receiver) = oneshot::channel();
        self.send_to_worker(worker, WriteRequest::Append(PendingWrite::new(messages, permit, reply, trace)))?;
        let (messages, outcome) = receiver.await.map_err(|_| closed())?;
        Ok((messages, outcome?))
    }

    /// Adds text to a stream, if the stream ends where the text begins.
    ///
    /// # Errors
    /// As for [`Writer::append`].
    pub(in crate::store) async fn append_text(
        &self,
        chunk: NewTextChunk,
        trace: &Trace,
    ) -> Result<(NewTextChunk, AppendTextResult)> {
        let permit = self.queue.acquire(&chunk.owner, chunk.text.len())?;
        let (reply, receiver) = oneshot::channel();
        let request = PendingWrite::new(chunk, permit, reply, trace);
        self.send_to_worker(None, WriteRequest::AppendText(request))?;
        let (chunk, appended) = receiver.await.map_err(|_| closed())?;
        Ok((chunk, appended?))
    }

    /// Without a worker it is the last one, which is for streamed text. SQLite has one worker for everything.
    fn send_to_worker(&self, worker: Option<usize>, request: WriteRequest) -> Result<()> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        let last = workers.len().checked_sub(1).ok_or_else(closed)?;
        workers[worker.unwrap_or(last).min(last)].send(request).map_err(|_| closed())
    }

    /// Rejects new writes, and waits until the queued ones are answered.
    pub(in crate::store) async fn close(&self) {
        self.workers.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.erasure_notifier.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.running.close();
        self.running.wait().await;
    }
}

/// Starts a thread that [`Writer::close`] waits for.
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
