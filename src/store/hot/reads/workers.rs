//! Workers for reads on PostgreSQL: tasks with a connection each that share one queue.
//!
//! A free worker takes all reads that wait, up to a number of rows, and answers each kind with one statement. It does
//! not wait for more reads. The limit bounds the time that a small read waits for large ones in its batch. Shared
//! statements save round trips under load (`cargo bench --bench load -- history list`).
//!
//! A worker keeps its connection while there is work, and gives it back to the pool when it is idle. A kept
//! connection can be lost without notice. A read that fails because of this runs again on a new connection, which is
//! safe because it is a read.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::postgres::BatchRead;
use super::request::{
    ConversationPage, ListConversations, ListedConversation, MessageRanges, PendingRead, ReadContext,
    ReadConversation, ReadRequest,
};
use crate::model::Message;
use crate::store::error::{Error, Result};

/// The maximum number of rows of a batch: several full pages.
const MAX_BATCH_ROWS: usize = 512;

/// How long an idle worker keeps its connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The workers, and reads that do not go through them.
pub(super) struct ReadWorkers {
    pool: PgPool,
    work: Arc<ReadContext>,
    running: TaskTracker,
}

impl ReadWorkers {
    /// Starts two workers for each core, because a worker answers many reads at once, but uses at most half of the
    /// connections. The others are for all other statements.
    pub(super) fn start(pool: &PgPool, work: &Arc<ReadContext>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let limit = pool.options().get_max_connections() as usize;
        let workers = (2 * cores).min(limit / 2).max(1);
        let running = TaskTracker::new();
        for _ in 0..workers {
            let worker = ReadWorker {
                pool: pool.clone(),
                connection: None,
                keeps_connection: limit > 1,
                work: work.clone(),
            };
            running.spawn(worker.run());
        }
        Self { pool: pool.clone(), work: work.clone(), running }
    }

    /// Runs one read on a connection of the pool.
    pub(super) async fn read_alone<Q: BatchRead>(&self, read: Q) -> Result<Q::Answer> {
        let mut connection = self.pool.acquire().await?;
        self.work.count_statement();
        let reads = std::slice::from_ref(&read);
        let answered = Q::read(&mut connection, self.work.row_level_security, reads).await?.pop();
        answered.unwrap_or_else(|| Err(Error::broken("a read was not answered".into())))
    }

    /// Waits until the workers have ended. Close the queue first.
    pub(super) async fn wait(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

struct ReadWorker {
    pool: PgPool,
    connection: Option<PoolConnection<sqlx::Postgres>>,
    /// False if the pool has only one connection.
    keeps_connection: bool,
    work: Arc<ReadContext>,
}

/// The reads of a batch, by kind.
#[derive(Default)]
struct Batch {
    conversations: Vec<PendingRead<ReadConversation, Option<ConversationPage>>>,
    ranges: Vec<PendingRead<MessageRanges, Vec<Vec<Message>>>>,
    lists: Vec<PendingRead<ListConversations, Vec<ListedConversation>>>,
}

impl ReadWorker {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            let batch = self.take(first);
            self.answer(batch).await;
            if !self.keeps_connection {
                self.connection = None;
            }
        }
    }

    async fn next(&mut self) -> Option<ReadRequest> {
        if self.connection.is_some() {
            if let Ok(next) = timeout(IDLE_TIMEOUT, self.work.queue.recv()).await {
                return next.ok();
            }
            self.connection = None;
        }
        self.work.queue.recv().await.ok()
    }

    /// Adds the other reads that wait, up to the limit.
    fn take(&self, first: ReadRequest) -> Batch {
        let mut batch = Batch::default();
        let mut rows = first.rows();
        batch.add(first);
        while rows < MAX_BATCH_ROWS
            && let Ok(next) = self.work.queue.try_recv()
        {
            rows += next.rows();
            batch.add(next);
        }
        batch
    }

    async fn answer(&mut self, batch: Batch) {
        let Batch { conversations, ranges, lists } = batch;
        self.answer_all(conversations).await;
        self.answer_all(ranges).await;
        self.answer_all(lists).await;
    }

    async fn answer_all<Q: BatchRead>(&mut self, waiting: Vec<PendingRead<Q, Q::Answer>>) {
        if waiting.is_empty() {
            return;
        }
        let (reads, replies): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|PendingRead { read, reply }| (read, reply)).unzip();
        match self.read(&reads).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
            }
            // The statement failed for all reads.
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Rejects the reads that waited while the database could not be reached: they have waited long enough, and would
    /// wait again for the next attempt.
    fn refuse_waiting(&self, error: &Error) {
        while let Ok(read) = self.work.queue.try_recv() {
            read.answer_error(error);
        }
    }

    /// Runs a statement, on a new connection if the kept one is lost.
    async fn read<Q: BatchRead>(&mut self, reads: &[Q]) -> Result<Vec<Result<Q::Answer>>> {
        if let Some(mut connection) = self.connection.take() {
            self.work.count_statement();
            match Q::read(&mut connection, self.work.row_level_security, reads).await {
                Err(Error::Unavailable(error)) => {
                    tracing::debug!(%error, "a worker's connection was lost");
                    drop(connection.detach());
                }
                answered => {
                    self.connection = Some(connection);
                    return answered;
                }
            }
        }
        let mut connection = match self.pool.acquire().await {
            Ok(connection) => connection,
            Err(error) => {
                let error = error.into();
                self.refuse_waiting(&error);
                return Err(error);
            }
        };
        self.work.count_statement();
        let answered = Q::read(&mut connection, self.work.row_level_security, reads).await;
        if !matches!(answered, Err(Error::Unavailable(_))) {
            self.connection = Some(connection);
        }
        answered
    }
}

impl Batch {
    fn add(&mut self, read: ReadRequest) {
        if !read.is_awaited() {
            return;
        }
        match read {
            ReadRequest::Conversation(waiting) => self.conversations.push(waiting),
            ReadRequest::MessageRanges(waiting) => self.ranges.push(waiting),
            ReadRequest::List(waiting) => self.lists.push(waiting),
        }
    }
}
