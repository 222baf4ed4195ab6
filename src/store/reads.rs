//! The hot reads: a conversation with a page of its messages, a range of positions, the conversations
//! that were active last.
//!
//! They are most of what a server is asked for, so they have statements of their own whose text never
//! changes, are decoded by position, and do not wait in line with everything else. Both engines have the
//! same three, [`Opening`], [`Stretch`] and [`Listing`], and nothing else reads what they read:
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

mod lanes;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_channel::TrySendError;
use tokio::sync::oneshot;

use super::fence::Fence;
use super::{Error, Result};
use crate::memory::Allowance;
use crate::model::{Conversation, ConversationId, End, Message, OwnerId, Page, Range};

/// Asks that may wait; more are refused at once.
const QUEUE: usize = 4096;

/// A conversation, with the messages at one end of it unless it has ever forked.
pub(super) struct Opening {
    pub(super) owner: OwnerId,
    pub(super) id: ConversationId,
    pub(super) page: Option<Page>,
    pub(super) allowance: Allowance,
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

/// Several stretches.
pub(super) struct Stretches {
    pub(super) each: Vec<Stretch>,
    pub(super) allowance: Allowance,
}

/// The owner's conversations, most recently active first, each with its head; one more than `most`.
pub(super) struct Listing {
    pub(super) owner: OwnerId,
    pub(super) most: u32,
    pub(super) allowance: Allowance,
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
    Stretches(Waiting<Stretches, Vec<Vec<Message>>>),
    List(Waiting<Listing, Vec<Listed>>),
}

impl Stretches {
    /// Rows that it may have to read.
    pub(super) fn rows(&self) -> usize {
        self.each.iter().map(|stretch| stretch.rows as usize).sum()
    }
}

impl Ask {
    /// Rows that it may have to read.
    fn rows(&self) -> usize {
        match self {
            Self::Open(waiting) => 1 + waiting.ask.page.map_or(0, |page| page.size as usize + 1),
            Self::Stretches(waiting) => waiting.ask.rows(),
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

/// A text from its bytes, which are looked at in wide steps: what is read is mostly texts, and few of them
/// are ASCII from end to end.
fn text_of(bytes: &[u8]) -> Result<String> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Error::broken("a text is not UTF-8".into()))?;
    Ok(text.to_owned())
}

/// Where to ask. Asks are answered until it is closed.
pub(super) struct Reads {
    queue: async_channel::Sender<Ask>,
    workers: Workers,
}

enum Workers {
    Lanes(lanes::Lanes),
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
        Self { queue, workers: Workers::Lanes(lanes::Lanes::open(pool, &work)) }
    }

    /// Reads of a SQLite file, each for no longer than `patience`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn on_sqlite(
        file: &std::path::Path,
        patience: Duration,
        statements: Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let (queue, receiver) = async_channel::bounded(QUEUE);
        let work = Arc::new(Work { queue: receiver, fence: Fence::Off, statements });
        Ok(Self { queue, workers: Workers::Threads(sqlite::Threads::start(file, patience, &work)?) })
    }

    /// Opens a conversation; none that is not the asker's.
    pub(super) async fn open(&self, opening: Opening) -> Result<Option<Opened>> {
        match self.beside(&opening.allowance) {
            Some(lanes) => Box::pin(lanes.read_beside(opening)).await,
            None => self.ask(opening, Ask::Open).await,
        }
    }

    /// Reads stretches, each for itself, in the order they are asked for.
    pub(super) async fn stretches(&self, stretches: Stretches) -> Result<Vec<Vec<Message>>> {
        match self.beside(&stretches.allowance) {
            Some(lanes) => Box::pin(lanes.read_beside(stretches)).await,
            None => self.ask(stretches, Ask::Stretches).await,
        }
    }

    /// Lists conversations.
    pub(super) async fn list(&self, listing: Listing) -> Result<Vec<Listed>> {
        match self.beside(&listing.allowance) {
            Some(lanes) => Box::pin(lanes.read_beside(listing)).await,
            None => self.ask(listing, Ask::List).await,
        }
    }

    /// Lets the workers go once they have answered what was asked.
    pub(super) async fn close(&self) {
        self.queue.close();
        match &self.workers {
            Workers::Lanes(lanes) => lanes.closed().await,
            Workers::Threads(threads) => threads.join().await,
        }
    }

    /// Where to read what is not to be waited for by others. That is rare: it is awaited in a box, which all
    /// other reads then need no room for.
    fn beside(&self, allowance: &Allowance) -> Option<&lanes::Lanes> {
        match &self.workers {
            Workers::Lanes(lanes) if allowance.is_large() => Some(lanes),
            _ => None,
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
