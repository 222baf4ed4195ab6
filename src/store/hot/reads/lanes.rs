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
    ConversationPage, ListConversations, ListedConversation, MessageRanges, PendingRead, ReadConversation,
    ReadRequest, Work,
};
use crate::model::Message;
use crate::store::error::{Error, Result};

/// How many rows one batch may ask for: several whole pages.
const MOST_ROWS: usize = 512;

/// How long a lane keeps its connection without work.
const KEEP: Duration = Duration::from_secs(1);

/// The lanes, and what goes past them.
pub(super) struct Lanes {
    pool: PgPool,
    work: Arc<Work>,
    running: TaskTracker,
}

impl Lanes {
    /// Starts lanes: few for each core, because a lane is busy with many asks at once, and never more than
    /// half of the connections, the rest being for all other statements.
    pub(super) fn open(pool: &PgPool, work: &Arc<Work>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let most = pool.options().get_max_connections() as usize;
        let lanes = (2 * cores).min(most / 2).max(1);
        let running = TaskTracker::new();
        for _ in 0..lanes {
            let lane = Lane { pool: pool.clone(), kept: None, keeps: most > 1, work: work.clone() };
            running.spawn(lane.run());
        }
        Self { pool: pool.clone(), work: work.clone(), running }
    }

    /// Answers one ask over a connection from the pool, as every other statement is.
    pub(super) async fn read_beside<Q: BatchRead>(&self, ask: Q) -> Result<Q::Answer> {
        let mut connection = self.pool.acquire().await?;
        self.work.count_statement();
        let asks = std::slice::from_ref(&ask);
        let answered = Q::read(&mut connection, self.work.row_level_security, asks).await?.pop();
        answered.unwrap_or_else(|| Err(Error::broken("an ask was not answered".into())))
    }

    /// Waits until what was asked is answered, once no more is.
    pub(super) async fn closed(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

struct Lane {
    pool: PgPool,
    kept: Option<PoolConnection<sqlx::Postgres>>,
    /// Not where the pool has nothing else to give.
    keeps: bool,
    work: Arc<Work>,
}

/// What one batch asks for, by kind.
#[derive(Default)]
struct Batch {
    openings: Vec<PendingRead<ReadConversation, Option<ConversationPage>>>,
    ranges: Vec<PendingRead<MessageRanges, Vec<Vec<Message>>>>,
    listings: Vec<PendingRead<ListConversations, Vec<ListedConversation>>>,
}

impl Lane {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            let batch = self.take(first);
            self.answer(batch).await;
            if !self.keeps {
                self.kept = None;
            }
        }
    }

    async fn next(&mut self) -> Option<ReadRequest> {
        if self.kept.is_some() {
            if let Ok(next) = timeout(KEEP, self.work.queue.recv()).await {
                return next.ok();
            }
            self.kept = None;
        }
        self.work.queue.recv().await.ok()
    }

    /// With what else waits, up to the bound.
    fn take(&self, first: ReadRequest) -> Batch {
        let mut batch = Batch::default();
        let mut rows = first.rows();
        batch.add(first);
        while rows < MOST_ROWS
            && let Ok(next) = self.work.queue.try_recv()
        {
            rows += next.rows();
            batch.add(next);
        }
        batch
    }

    async fn answer(&mut self, batch: Batch) {
        let Batch { openings, ranges, listings } = batch;
        self.answer_kind(openings).await;
        self.answer_kind(ranges).await;
        self.answer_kind(listings).await;
    }

    async fn answer_kind<Q: BatchRead>(&mut self, waiting: Vec<PendingRead<Q, Q::Answer>>) {
        if waiting.is_empty() {
            return;
        }
        let (asks, replies): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|PendingRead { ask, reply }| (ask, reply)).unzip();
        match self.read(&asks).await {
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
        while let Ok(ask) = self.work.queue.try_recv() {
            ask.refuse(error);
        }
    }

    /// Runs a statement, over a fresh connection if the kept one turns out to be lost.
    async fn read<Q: BatchRead>(&mut self, asks: &[Q]) -> Result<Vec<Result<Q::Answer>>> {
        if let Some(mut connection) = self.kept.take() {
            self.work.count_statement();
            match Q::read(&mut connection, self.work.row_level_security, asks).await {
                Err(Error::Unavailable(error)) => {
                    tracing::debug!(%error, "a lane's connection was lost");
                    drop(connection.detach());
                }
                answered => {
                    self.kept = Some(connection);
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
        let answered = Q::read(&mut connection, self.work.row_level_security, asks).await;
        if !matches!(answered, Err(Error::Unavailable(_))) {
            self.kept = Some(connection);
        }
        answered
    }
}

impl Batch {
    fn add(&mut self, ask: ReadRequest) {
        if !ask.is_awaited() {
            return;
        }
        match ask {
            ReadRequest::Open(waiting) => self.openings.push(waiting),
            ReadRequest::MessageRanges(waiting) => self.ranges.push(waiting),
            ReadRequest::List(waiting) => self.listings.push(waiting),
        }
    }
}
