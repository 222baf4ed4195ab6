//! Lanes: tasks that each hold a connection to PostgreSQL and answer what waits in one queue.
//!
//! A lane takes all that waits when it is free, within bounds, and answers each kind of ask with one
//! statement. It never waits for more to come. What it takes is bounded in rows, so that the time that a quick
//! ask waits for a slow neighbour does not grow.
//!
//! A lane keeps its connection while there is work and gives it back to the pool otherwise, so that idle
//! lanes hold nothing. A kept connection may have been lost without a word: what fails for that is asked
//! once more over a fresh one, which is safe because these are reads.

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

/// How many rows one batch may ask for: several whole pages.
const MAX_BATCH_ROWS: usize = 512;

/// How long a lane keeps its connection without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The lanes, and what goes past them.
pub(super) struct ReadWorkers {
    pool: PgPool,
    work: Arc<ReadContext>,
    running: TaskTracker,
}

impl ReadWorkers {
    /// Starts lanes: few for each core, because a lane is busy with many asks at once, and never more than
    /// half of the connections, the rest being for all other statements.
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

    /// Answers one ask over a connection from the pool, as every other statement is.
    pub(super) async fn read_alone<Q: BatchRead>(&self, read: Q) -> Result<Q::Answer> {
        let mut connection = self.pool.acquire().await?;
        self.work.count_statement();
        let reads = std::slice::from_ref(&read);
        let answered = Q::read(&mut connection, self.work.row_level_security, reads).await?.pop();
        answered.unwrap_or_else(|| Err(Error::broken("an read was not answered".into())))
    }

    /// Waits until what was asked is answered, once no more is.
    pub(super) async fn wait(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

struct ReadWorker {
    pool: PgPool,
    connection: Option<PoolConnection<sqlx::Postgres>>,
    /// Not where the pool has nothing else to give.
    keeps_connection: bool,
    work: Arc<ReadContext>,
}

/// What one batch asks for, by kind.
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

    /// With what else waits, up to the bound.
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
            // A failure is everybody's.
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// What waited while the database could not be reached has waited for as long as one should: it does
    /// not wait for the next attempt behind what came before it.
    fn refuse_waiting(&self, error: &Error) {
        while let Ok(read) = self.work.queue.try_recv() {
            read.answer_error(error);
        }
    }

    /// Runs a statement, over a fresh connection if the kept one turns out to be lost.
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
