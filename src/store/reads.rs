//! The hot reads: a conversation with a page of its messages, a range of positions, the conversations
//! that were active last.
//!
//! They are most of what a server is asked for, so they have statements of their own whose text never
//! changes, are decoded by position, and do not wait in line with everything else. Both engines have the
//! same three, [`Opening`], [`Stretch`] and [`Listing`], and nothing else reads what they read:
//!
//! - on PostgreSQL ([`postgres`]) a few lanes, each with a connection, answer many askers with one
//!   statement: whatever waits when a lane is free shares its round trip, so a batch forms by itself under
//!   load and a lone read is alone;
//! - on SQLite ([`sqlite`]) a few threads, each with a connection, answer one asker after the other
//!   without a hop for every row.
//!
//! Every ask carries its own owner, and the owner stands in the condition of every row it gets: what is
//! read together is not owned together.

mod lanes;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_channel::TrySendError;
use tokio::sync::oneshot;

use super::fence::Fence;
use super::{Error, Result};
use crate::model::{Conversation, ConversationId, End, Message, OwnerId, Page, Range};

/// Asks that may wait; more are refused at once.
const QUEUE: usize = 4096;

/// A conversation, with the messages at one end of it unless it has ever forked.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) owner: OwnerId,
    pub(super) id: ConversationId,
    pub(super) page: Option<Page>,
}

/// What an [`Opening`] finds.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) conversation: Conversation,
    /// From the page's end inwards, one more than the page holds to tell whether there are more. None
    /// where no page was asked for, or where the active branch is not simply all messages.
    pub(super) messages: Option<Vec<Message>>,
}

/// The messages between two positions, both excluded, from one end inwards, so many at most.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) owner: OwnerId,
    pub(super) conversation: ConversationId,
    pub(super) after: i64,
    pub(super) before: i64,
    pub(super) end: End,
    pub(super) rows: u32,
    /// Leaves out what was appended after the conversation first forked.
    pub(super) trunk: bool,
}

impl Stretch {
    /// The part of it that is within a range.
    pub(super) fn within(self, range: &Range<i64>) -> Self {
        let after = range.after.map_or(self.after, |after| after.max(self.after));
        let before = range.before.map_or(self.before, |before| before.min(self.before));
        Self { after, before, ..self }
    }
}

/// The owner's conversations, most recently active first, each with its head; one more than `most`.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) owner: OwnerId,
    pub(super) most: u32,
}

/// What a [`Listing`] finds: a conversation and the message that its active branch ends in.
pub(super) type Listed = (Conversation, Option<Message>);

/// An ask and whoever waits for the answer.
struct Waiting<Q, A> {
    ask: Q,
    reply: oneshot::Sender<Result<A>>,
}

/// An ask of one of the three kinds.
enum Ask {
    Open(Waiting<Opening, Option<Opened>>),
    Stretches(Waiting<Vec<Stretch>, Vec<Vec<Message>>>),
    List(Waiting<Listing, Vec<Listed>>),
}

impl Ask {
    /// Rows that it may have to read.
    fn rows(&self) -> usize {
        match self {
            Self::Open(waiting) => 1 + waiting.ask.page.map_or(0, |page| page.size as usize + 1),
            Self::Stretches(waiting) => waiting.ask.iter().map(|stretch| stretch.rows as usize).sum(),
            Self::List(waiting) => waiting.ask.most as usize + 1,
        }
    }

    /// Answers with an error.
    fn refuse(self, error: &Error) {
        // Whoever asked may be gone.
        let _ = match self {
            Self::Open(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::Stretches(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::List(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
        };
    }

    /// Whether whoever asked still waits.
    fn is_awaited(&self) -> bool {
        match self {
            Self::Open(waiting) => !waiting.reply.is_closed(),
            Self::Stretches(waiting) => !waiting.reply.is_closed(),
            Self::List(waiting) => !waiting.reply.is_closed(),
        }
    }
}

/// Where to ask. Asks are answered until it is closed.
pub(super) struct Reads {
    queue: async_channel::Sender<Ask>,
    workers: Workers,
}

enum Workers {
    Lanes(tokio_util::task::TaskTracker),
    Threads(sqlite::Threads),
}

/// What the workers of either engine are given.
struct Work {
    queue: async_channel::Receiver<Ask>,
    fence: Fence,
    statements: Arc<AtomicU64>,
}

impl Work {
    fn count_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}

impl Reads {
    /// Reads over a PostgreSQL's pool of connections.
    pub(super) fn on_postgres(pool: &sqlx::PgPool, fence: Fence, statements: Arc<AtomicU64>) -> Self {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work = Arc::new(Work { queue: receiver, fence, statements });
        Self { queue, workers: Workers::Lanes(lanes::open(pool, &work)) }
    }

    /// Reads of a SQLite file.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn on_sqlite(file: &std::path::Path, statements: Arc<AtomicU64>) -> anyhow::Result<Self> {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work = Arc::new(Work { queue: receiver, fence: Fence::Off, statements });
        Ok(Self { queue, workers: Workers::Threads(sqlite::Threads::start(file, &work)?) })
    }

    /// Opens a conversation; none that is not the asker's.
    pub(super) async fn open(&self, opening: Opening) -> Result<Option<Opened>> {
        self.ask(opening, Ask::Open).await
    }

    /// Reads stretches, each for itself, in the order they are asked for.
    pub(super) async fn stretches(&self, stretches: Vec<Stretch>) -> Result<Vec<Vec<Message>>> {
        self.ask(stretches, Ask::Stretches).await
    }

    /// Lists conversations.
    pub(super) async fn list(&self, listing: Listing) -> Result<Vec<Listed>> {
        self.ask(listing, Ask::List).await
    }

    /// Lets the workers go once they have answered what was asked.
    pub(super) async fn close(&self) {
        self.queue.close();
        match &self.workers {
            Workers::Lanes(tracker) => {
                tracker.close();
                tracker.wait().await;
            }
            Workers::Threads(threads) => threads.join().await,
        }
    }

    async fn ask<Q, A>(&self, ask: Q, kind: impl FnOnce(Waiting<Q, A>) -> Ask) -> Result<A> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(kind(Waiting { ask, reply })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Error::unavailable("too many reads wait")),
            Err(TrySendError::Closed(_)) => return Err(Error::unavailable("the database is closed")),
        }
        answer.await.map_err(|_| Error::unavailable("a read was given up"))?
    }
}
