//! The hot reads: a conversation with a page of its messages, a range of positions, the conversations
//! that were active last.
//!
//! They are most of what a server is asked for, so they have statements of their own whose text never
//! changes, are decoded by position, and do not wait in line with everything else. Both engines have the
//! same three, [`ReadConversation`], [`MessageRanges`] and [`ListConversations`], and nothing else reads what they read:
//!
//! - on PostgreSQL ([`postgres`]) a few lanes, each with a connection, answer many askers with one
//!   statement: whatever waits when a lane is free shares its round trip, so a batch forms by itself under
//!   load and a lone read is alone. What may be large shares with nobody, who would have to wait for it: it
//!   goes to a connection of its own;
//! - on SQLite ([`sqlite`]) a few threads, each with a connection, answer one asker after the other
//!   without a hop for every row.
//!
//! Every ask carries the allowance of its operation, which its rows are taken from one by one: an ask for too
//! much is refused while it is read, holds no more than it may, and costs those that it is read with nothing.
//!
//! Every ask carries its own owner, and the owner stands in the condition of every row it gets: what is
//! read together is not owned together.

mod postgres;
pub(in crate::store) mod request;
mod sqlite;
mod workers;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_channel::TrySendError;
use tokio::sync::oneshot;

use crate::memory::Allowance;
use crate::model::Message;
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::error::{Error, Result};
use request::{
    ConversationPage, ListConversations, ListedConversation, MessageRanges, PendingRead, ReadContext,
    ReadConversation, ReadRequest,
};

/// Asks that may wait; more are refused at once.
const QUEUE: usize = 4096;

/// Where to ask. Asks are answered until it is closed.
pub(in crate::store) struct Reads {
    queue: async_channel::Sender<ReadRequest>,
    workers: Workers,
}

enum Workers {
    Tasks(workers::ReadWorkers),
    Threads(sqlite::ReadThreads),
}

impl Reads {
    /// Reads over a PostgreSQL's pool of connections.
    pub(in crate::store) fn on_postgres(
        pool: &sqlx::PgPool,
        row_level_security: RowLevelSecurity,
        statements: Arc<AtomicU64>,
    ) -> Self {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work = Arc::new(ReadContext { queue: receiver, row_level_security, statements });
        Self { queue, workers: Workers::Tasks(workers::ReadWorkers::start(pool, &work)) }
    }

    /// Reads of a SQLite file, each for no longer than `timeout`.
    ///
    /// # Errors
    /// It cannot be opened.
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

    /// Opens a conversation; none that is not the asker's.
    pub(in crate::store) async fn conversation(
        &self,
        read: ReadConversation,
    ) -> Result<Option<ConversationPage>> {
        match self.dedicated(&read.allowance) {
            Some(workers) => Box::pin(workers.read_alone(read)).await,
            None => self.submit(read, ReadRequest::Conversation).await,
        }
    }

    /// Reads stretches, each for itself, in the order they are asked for.
    pub(in crate::store) async fn message_ranges(&self, ranges: MessageRanges) -> Result<Vec<Vec<Message>>> {
        match self.dedicated(&ranges.allowance) {
            Some(workers) => Box::pin(workers.read_alone(ranges)).await,
            None => self.submit(ranges, ReadRequest::MessageRanges).await,
        }
    }

    /// Lists conversations.
    pub(in crate::store) async fn list(&self, read: ListConversations) -> Result<Vec<ListedConversation>> {
        match self.dedicated(&read.allowance) {
            Some(workers) => Box::pin(workers.read_alone(read)).await,
            None => self.submit(read, ReadRequest::List).await,
        }
    }

    /// Lets the workers go once they have answered what was asked.
    pub(in crate::store) async fn close(&self) {
        self.queue.close();
        match &self.workers {
            Workers::Tasks(workers) => workers.wait().await,
            Workers::Threads(threads) => threads.join().await,
        }
    }

    /// Where to read what is not to be waited for by others. That is rare: it is awaited in a box, which all
    /// other reads then need no room for.
    fn dedicated(&self, allowance: &Allowance) -> Option<&workers::ReadWorkers> {
        match &self.workers {
            Workers::Tasks(workers) if allowance.is_large() => Some(workers),
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
            Err(TrySendError::Full(_)) => return Err(Error::unavailable("too many reads wait")),
            Err(TrySendError::Closed(_)) => return Err(Error::unavailable("the database is closed")),
        }
        answer.await.map_err(|_| Error::unavailable("a read was given up"))?
    }
}
