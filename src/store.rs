//! Everything that touches the database.
//!
//! - Every read and write goes through a [`Scoped`], which carries the owner: there is no way to
//!   ask for anything without saying whose it is, and the owner stands in every statement.
//! - `tx` alone begins transactions, records changes in the feed and signals after the commit.
//! - Rows never leave: what comes out is [`crate::model`].
//! - Texts may be large, so whatever reads any number of them takes their bytes from the operation's
//!   allowance as it reads (`measured`).
//! - On PostgreSQL a second fence can stand behind the first (`fence`): row-level security.
//!
//! - Messages at the end of a conversation, and of a stream's text, go through the `writer`, many in one
//!   commit; all other writes are transactions of their own.
//!
//! On SQLite one connection writes at a time (`turn`) and several read. PostgreSQL has one pool for both,
//! and a few connections for the writer's lanes.

mod append;
mod beyond;
mod branches;
mod changes;
mod connect;
mod conversations;
mod edits;
mod entity;
mod error;
mod fence;
mod measured;
mod messages;
mod reads;
mod scope;
mod slot;
mod streams;
mod turn;
mod tx;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

pub use connect::{Process, Settings, migrations, sqlite_files, undo_migrations};
pub use error::{Error, Result};
pub use fence::Fence;
pub use scope::Scoped;
pub use writer::Bounds;
#[doc(hidden)]
pub use writer::probe;

use crate::clock::Clock;
use crate::model::{ConversationId, MessageId, OwnerId, Viewer};
use crate::signals::Signals;
use connect::ServerLock;
use fence::Reader;
use turn::Turns;
use writer::{Desk, Writer};

/// Places as one JSON parameter however many they are, so that the text of the statement stays constant.
fn places(places: &[(ConversationId, i64)]) -> String {
    let places: Vec<String> =
        places.iter().map(|(id, position)| format!("[\"{}\",{position}]", id.0.simple())).collect();
    format!("[{}]", places.join(","))
}

/// Ids as one parameter, likewise.
fn ids(ids: &[MessageId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0.simple())).collect();
    format!("[{}]", ids.join(","))
}

/// The database, ready for use. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    read: DatabaseConnection,
    write: DatabaseConnection,
    fence: Fence,
    turns: Turns,
    writer: Writer,
    reads: reads::Reads,
    /// Of a server on SQLite.
    lock: Option<ServerLock>,
    clock: Clock,
    signals: Signals,
    statements: Arc<AtomicU64>,
}

impl Store {
    /// Opens the database and applies or checks its migrations, as `settings` say.
    ///
    /// # Errors
    /// The database cannot be reached or opened, its schema is not this version's, or another server uses it
    /// and it is SQLite.
    pub async fn connect(settings: &Settings, clock: Clock, signals: Signals) -> anyhow::Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let connect::Connections { read, write, appends, turns, lock } =
            connect::connect(settings, &statements).await?;
        let reads = connect::reads(settings, &read, &statements)?;
        let fence = settings.fence;
        let desk =
            Desk { clock: clock.clone(), signals: signals.clone(), statements: statements.clone(), fence };
        let writer = Writer::start(appends, settings.writes, desk)?;
        Ok(Self(Arc::new(Inner {
            read,
            write,
            fence,
            turns,
            writer,
            reads,
            lock,
            clock,
            signals,
            statements,
        })))
    }

    /// What this viewer owns, and nothing else.
    pub fn viewed_by(&self, viewer: &Viewer) -> Scoped {
        Scoped::new(self.clone(), viewer)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<()> {
        self.0.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// How many SQL statements were run since the start.
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// Connections to the database: those in use and those that wait for work.
    pub fn connections(&self) -> (usize, usize) {
        connect::in_use_and_idle(&self.0.read, &self.0.write)
    }

    fn backend(&self) -> DbBackend {
        self.0.read.get_database_backend()
    }

    /// Where to read what belongs to these owners.
    fn reader_of<'o>(&self, owners: impl Iterator<Item = &'o OwnerId>) -> Reader<'_> {
        Reader::of(self.0.fence, &self.0.read, owners)
    }

    /// Where upkeep reads.
    fn reader_of_everybody(&self) -> Reader<'_> {
        Reader::of_everybody(self.0.fence, &self.0.read)
    }

    /// Where commits are signalled.
    pub fn signals(&self) -> &Signals {
        &self.0.signals
    }

    /// Lets go of the database once what was handed in is answered and running statements have ended.
    pub async fn close(&self) {
        self.0.writer.close().await;
        self.0.reads.close().await;
        for connection in [&self.0.write, &self.0.read] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "cannot close the database");
            }
        }
        if let Some(lock) = &self.0.lock {
            lock.release();
        }
    }
}
