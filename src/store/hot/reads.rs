//! The hot reads: a conversation with a page of its messages, a range of positions, and the most recently active
//! conversations.
//!
//! Most requests are one of these. They have their own statements with constant texts, decode columns by index, and
//! have their own queue. Both databases implement [`ReadConversation`], [`MessageRanges`] and [`ListConversations`],
//! and nothing else reads the same data:
//!
//! - On PostgreSQL ([`postgres`]) a few workers, each with a connection, answer many reads with one statement. A
//!   worker takes all reads that wait, so batches form under load, and one read alone runs alone. A read that can be
//!   large uses a connection of its own, so that others do not wait for it.
//! - On SQLite ([`sqlite`]) a few threads, each with a connection, answer one read after the other, without a task
//!   switch for every row.
//!
//! Each read has the allowance of its operation and takes its rows from it one by one. A read that exceeds its
//! allowance is rejected while it runs, and does not affect the other reads of its batch.
//!
//! Each read has its own owner. The owner is in the condition of every row: a batch can have reads of different
//! owners.
//!
//! `cargo bench --bench load -- history list` measures these reads.

mod postgres;
pub(in crate::store) mod request;
mod siblings;
mod sqlite;
mod workers;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_channel::TrySendError;
use tokio::sync::oneshot;

use crate::memory::MemoryBudget;
use crate::model::Message;
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::error::{Error, Result};
use crate::traces::{Part, Trace};
use request::{
    ConversationPage, ListConversations, ListedConversation, MessageRanges, PendingRead, ReadContext,
    ReadConversation, ReadRequest,
};

/// The maximum number of reads in the queue. More are rejected at once.
const QUEUE: usize = 4096;

/// The statements that find branches and siblings on PostgreSQL and on SQLite, for tests of their plans.
#[doc(hidden)]
pub fn branch_statements() -> (Vec<&'static str>, Vec<&'static str>) {
    (postgres::branch_statements(), sqlite::branch_statements())
}

/// The queue of reads and the workers that answer them.
pub(in crate::store) struct Reads {
    queue: async_channel::Sender<ReadRequest>,
    workers: Workers,
}

enum Workers {
    Tasks(workers::ReadWorkers),
    Threads(sqlite::ReadThreads),
}

impl Reads {
    /// Reads through a connection pool of PostgreSQL.
    pub(in crate::store) fn on_postgres(
        pool: &sqlx::PgPool,
        row_level_security: RowLevelSecurity,
        statements: Arc<AtomicU64>,
    ) -> Self {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work = Arc::new(ReadContext { queue: receiver, row_level_security, statements });
        Self { queue, workers: Workers::Tasks(workers::ReadWorkers::start(pool, &work)) }
    }

    /// Reads from an SQLite file. Each read is interrupted after `timeout`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(in crate::store) fn on_sqlite(
        file: &std::path::Path,
        timeout: Duration,
        statements: Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work =
            Arc::new(ReadContext { queue: receiver, row_level_security: RowLevelSecurity::Off, statements });
        Ok(Self { queue, workers: Workers::Threads(sqlite::ReadThreads::start(file, timeout, &work)?) })
    }

    /// Reads a conversation. `None` if the owner has no such conversation.
    async fn conversation(&self, read: ReadConversation) -> Result<Option<ConversationPage>> {
        match self.dedicated(&read.allowance) {
            Some(workers) => Box::pin(workers.read_alone(read)).await,
            None => self.submit(read, ReadRequest::Conversation).await,
        }
    }

    /// Reads ranges of messages, in the given order.
    async fn message_ranges(&self, ranges: MessageRanges) -> Result<Vec<Vec<Message>>> {
        match self.dedicated(&ranges.allowance) {
            Some(workers) => Box::pin(workers.read_alone(ranges)).await,
            None => self.submit(ranges, ReadRequest::MessageRanges).await,
        }
    }

    /// Lists conversations.
    async fn list(&self, read: ListConversations) -> Result<Vec<ListedConversation>> {
        match self.dedicated(&read.allowance) {
            Some(workers) => Box::pin(workers.read_alone(read)).await,
            None => self.submit(read, ReadRequest::List).await,
        }
    }

    /// The same reads, recorded.
    pub(in crate::store) fn traced<'a>(&'a self, trace: &'a Trace) -> TracedReads<'a> {
        TracedReads { reads: self, trace }
    }

    /// Rejects new reads, and waits until the workers have answered the queued ones.
    pub(in crate::store) async fn close(&self) {
        self.queue.close();
        match &self.workers {
            Workers::Tasks(workers) => workers.wait().await,
            Workers::Threads(threads) => threads.join().await,
        }
    }

    /// The workers, if the read must not share a statement. This is rare. Its future is boxed, so that the futures of
    /// all other reads stay small.
    fn dedicated(&self, allowance: &MemoryBudget) -> Option<&workers::ReadWorkers> {
        match &self.workers {
            Workers::Tasks(workers) if allowance.has_reservation() => Some(workers),
            _ => None,
        }
    }

    async fn submit<Q, A>(
        &self,
        read: Q,
        into_request: impl FnOnce(PendingRead<Q, A>) -> ReadRequest,
    ) -> Result<A> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(into_request(PendingRead { read, reply })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Error::unavailable("the read queue is full")),
            Err(TrySendError::Closed(_)) => return Err(Error::unavailable("the database is closed")),
        }
        answer.await.map_err(|_| Error::unavailable("a worker dropped a read"))?
    }
}

/// Reads that are recorded, each with its wait in the queue.
pub(in crate::store) struct TracedReads<'a> {
    reads: &'a Reads,
    trace: &'a Trace,
}

impl TracedReads<'_> {
    /// Reads a conversation. `None` if the owner has no such conversation.
    pub(in crate::store) async fn conversation(
        self,
        read: ReadConversation,
    ) -> Result<Option<ConversationPage>> {
        let _timer = self.trace.time(Part::Read);
        self.reads.conversation(read).await
    }

    /// Reads ranges of messages, in the given order.
    pub(in crate::store) async fn message_ranges(self, ranges: MessageRanges) -> Result<Vec<Vec<Message>>> {
        let _timer = self.trace.time(Part::Read);
        self.reads.message_ranges(ranges).await
    }

    /// Lists conversations.
    pub(in crate::store) async fn list(self, read: ListConversations) -> Result<Vec<ListedConversation>> {
        let _timer = self.trace.time(Part::Read);
        self.reads.list(read).await
    }
}
