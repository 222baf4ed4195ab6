//! Carrying SQLite's log over into the database file, beside the writer.
//!
//! Left to itself SQLite does it in the commit that makes the log long, which then waits for hundreds of
//! pages and two syncs, and does it so often that the same pages are carried over again and again. Here a
//! thread of its own does, whenever the log has grown by [`PAGES`], while the writer goes on. What the writer
//! adds meanwhile is left for the next time, until the log is [`LONG`]: then the rest is carried over in a turn
//! of its own, and the writer begins the log anew with its next commit, unless somebody still reads the old
//! one. Only a log that has become twice as long for that is begun anew here, because then the writer has to
//! forget the pages it knows. Such a log grows no faster than it can be carried over: the writer waits for it.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use rusqlite::Connection;

use crate::store::turn::Turns;

/// How much the log may grow before it is carried over, in pages of 4 KiB.
const PAGES: i32 = 4000;

/// How long it may become before the writer waits until all of it is carried over, in pages.
const LONG: i32 = 3 * PAGES;

/// How long the log's new beginning waits for readers of the old one, all who write waiting with it.
const PATIENCE: Duration = Duration::from_millis(100);

thread_local! {
    /// Of the log after the last commit on this thread.
    static LENGTH: Cell<i32> = const { Cell::new(0) };
}

/// Tells the thread when it is time.
pub(super) struct Checkpoints {
    due: SyncSender<()>,
    /// How long the log was when that was said last.
    told: Cell<i32>,
}

impl Checkpoints {
    /// Watches the commits of `writer`, on whose thread [`Checkpoints::committed`] is called.
    pub(super) fn of(writer: &Connection) -> (Self, Receiver<()>) {
        // This replaces SQLite's own checkpoints on this connection.
        writer.wal_hook(Some(|_, pages| {
            LENGTH.set(pages);
            Ok(())
        }));
        let (due, receiver) = sync_channel(1);
        (Self { due, told: Cell::new(0) }, receiver)
    }

    /// To be called after a commit.
    pub(super) fn committed(&self) {
        let length = LENGTH.get();
        // Shorter than it was: it has begun anew.
        if length < self.told.get() {
            self.told.set(0);
        }
        if length - self.told.get() < PAGES {
            return;
        }
        self.told.set(length);
        let is_gone = if length < 2 * LONG {
            matches!(self.due.try_send(()), Err(TrySendError::Disconnected(())))
        } else {
            // Waits where the thread has not come to what it was told before.
            self.due.send(()).is_err()
        };
        if is_gone {
            tracing::error!("nothing shortens the database's log any more");
        }
    }
}

/// Shortens the log whenever it is time, until the writer is gone.
pub(super) fn serve(due: &Receiver<()>, connection: &Connection, turns: &Turns) {
    if let Err(error) = connection.busy_timeout(PATIENCE) {
        tracing::warn!(%error, "checkpoints may take long");
    }
    while due.recv().is_ok() {
        if let Err(error) = checkpoint(connection, turns) {
            tracing::warn!(%error, "cannot shorten the database's log");
        }
        // The log is to grow again first: looked at without a pause, it would cost the writer its disk.
        while due.try_recv().is_ok() {}
    }
}

/// A pragma that returns a row: whether somebody was in the way, and two lengths, of which the first is the
/// log's.
fn checkpoint(connection: &Connection, turns: &Turns) -> rusqlite::Result<()> {
    let run = |sql| connection.query_row(sql, [], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i32>(1)?)));
    let passive = || run("PRAGMA wal_checkpoint(PASSIVE)");
    let (_, length) = passive()?;
    if length < LONG {
        return Ok(());
    }
    // Once more, so that there is less left to wait for.
    passive()?;
    let turn = turns.blocking_take();
    let (mut in_the_way, length) = passive()?;
    if length >= 2 * LONG {
        (in_the_way, _) = run("PRAGMA wal_checkpoint(RESTART)")?;
    }
    drop(turn);
    if in_the_way {
        tracing::debug!("the database's log is still read, and goes on");
    }
    Ok(())
}
