//! Carrying SQLite's log over into the database file, beside the writer.
//!
//! Left to itself SQLite does it in the commit that makes the log long, which then waits for hundreds of
//! pages and two syncs, and does it so often that the same pages are carried over again and again. Here a
//! thread of its own does, whenever the log has grown by [`PAGES`], while the writer goes on. What the writer
//! adds meanwhile is left for the next time, until the log is [`LONG`]: then the rest is carried over in a turn
//! of its own, and the writer begins the log anew with its next commit, unless somebody still reads the old
//! one. Only a log that has become twice as long for that is begun anew here, because then the writer has to
//! forget the pages it knows. Such a log grows no faster than it can be carried over: the writer waits for it.
//!
//! The log keeps every page as it was, and so what was deleted since. After a commit that erased something all of
//! the log is carried over and truncated: at once, and then at most once in [`ERASURE_INTERVAL`] however many
//! commits follow. Readers of the log are waited for ([`PATIENCE`], longer each time), and the truncation is tried
//! again after them. It is also done at the start, because the process before may have crashed, and at the end.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::engine::write_lock::WriteLock;

/// How much the log may grow before it is carried over, in pages of 4 KiB.
const PAGES: i32 = 4000;

/// How long it may become before the writer waits until all of it is carried over, in pages.
const LONG: i32 = 3 * PAGES;

/// How long the log's new beginning waits for readers of the old one, all who write waiting with it.
const PATIENCE: Duration = Duration::from_millis(100);

/// The longest that a truncation waits for readers. It waits twice as long as the last one until it succeeds.
const MOST_PATIENCE: Duration = Duration::from_secs(2);

/// How long the next truncation after one waits at least.
const ERASURE_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    /// Of the log after the last commit on this thread.
    static LENGTH: Cell<i32> = const { Cell::new(0) };
}

/// What the thread is woken for.
pub(super) enum Due {
    /// The log has grown.
    Length,
    /// Something was erased.
    Erasure,
}

/// Tells the thread when the log has grown.
pub(super) struct Checkpoints {
    due: SyncSender<Due>,
    /// How long the log was when that was said last.
    told: Cell<i32>,
}

/// Tells the thread that a commit erased something, whichever connection committed it.
pub(super) struct Erasures {
    due: SyncSender<Due>,
    pending: Arc<AtomicBool>,
}

/// What the thread waits for.
pub(super) struct Requests {
    due: Receiver<Due>,
    /// Whether something was erased since the log was truncated last.
    pending: Arc<AtomicBool>,
}

impl Erasures {
    /// To be called after a commit that overwrote or removed content.
    pub(super) fn committed(&self) {
        // Who finds it set already has been preceded by somebody who wakes the thread. Where the thread is about
        // to be woken for something else, it looks too.
        if !self.pending.swap(true, Ordering::AcqRel) {
            let _ = self.due.try_send(Due::Erasure);
        }
    }
}

impl Checkpoints {
    /// Watches the commits of `writer`, on whose thread [`Checkpoints::committed`] is called.
    pub(super) fn of(writer: &Connection) -> (Self, Erasures, Requests) {
        // This replaces SQLite's own checkpoints on this connection.
        writer.wal_hook(Some(|_, pages| {
            LENGTH.set(pages);
            Ok(())
        }));
        let (due, receiver) = sync_channel(1);
        let pending = Arc::new(AtomicBool::new(true));
        let requests = Requests { due: receiver, pending: pending.clone() };
        (Self { due: due.clone(), told: Cell::new(0) }, Erasures { due, pending }, requests)
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
            matches!(self.due.try_send(Due::Length), Err(TrySendError::Disconnected(_)))
        } else {
            // Waits where the thread has not come to what it was told before.
            self.due.send(Due::Length).is_err()
        };
        if is_gone {
            tracing::error!("nothing shortens the database's log any more");
        }
    }
}

/// Shortens the log whenever it is time, until nothing can be committed any more.
pub(super) fn serve(requests: &Requests, connection: &Connection, write_lock: &WriteLock) {
    let Requests { due, pending } = requests;
    if let Err(error) = connection.busy_timeout(PATIENCE) {
        tracing::warn!(%error, "checkpoints may take long");
    }
    let (mut patience, mut not_before) = (PATIENCE, Instant::now());
    loop {
        let is_pending = pending.load(Ordering::Acquire);
        let wait =
            if is_pending { not_before.saturating_duration_since(Instant::now()) } else { Duration::MAX };
        match due.recv_timeout(wait) {
            Ok(Due::Length) => {
                if let Err(error) = checkpoint(connection, write_lock) {
                    tracing::warn!(%error, "cannot shorten the database's log");
                }
                // The log is to grow again first: looked at without a pause, it would cost the writer its disk.
                while due.try_recv().is_ok() {}
            }
            Ok(Due::Erasure) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= not_before && pending.load(Ordering::Acquire) {
            patience = match erase(requests, connection, write_lock, patience) {
                true => PATIENCE,
                false => MOST_PATIENCE.min(patience * 2),
            };
            not_before = Instant::now() + ERASURE_INTERVAL;
        }
    }
    if pending.load(Ordering::Acquire) {
        erase(requests, connection, write_lock, MOST_PATIENCE);
    }
}

/// Truncates the log. False: it still holds what was erased.
fn erase(requests: &Requests, connection: &Connection, write_lock: &WriteLock, patience: Duration) -> bool {
    // What is erased from here on needs another truncation.
    requests.pending.store(false, Ordering::Release);
    let truncated = truncate(connection, write_lock, patience);
    let is_done = matches!(truncated, Ok(true));
    if !is_done {
        requests.pending.store(true, Ordering::Release);
    }
    match truncated {
        Ok(true) => {}
        Ok(false) => tracing::debug!("the database's log is still read, and holds what was deleted"),
        Err(error) => tracing::warn!(%error, "cannot remove from the database's log what was deleted"),
    }
    is_done
}

/// Carries all of the log over and truncates it, unless somebody reads it for longer than `patience`.
fn truncate(connection: &Connection, write_lock: &WriteLock, patience: Duration) -> rusqlite::Result<bool> {
    // Beside the writer, so that there is less left to wait for.
    run(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let guard = write_lock.blocking_take();
    connection.busy_timeout(patience)?;
    let truncated = run(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    drop(guard);
    connection.busy_timeout(PATIENCE)?;
    truncated.map(|(in_the_way, _)| !in_the_way)
}

/// Runs a checkpoint. It returns whether somebody was in the way, and how long the log is.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<(bool, i32)> {
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn checkpoint(connection: &Connection, write_lock: &WriteLock) -> rusqlite::Result<()> {
    let passive = || run(connection, "PRAGMA wal_checkpoint(PASSIVE)");
    let (_, length) = passive()?;
    if length < LONG {
        return Ok(());
    }
    // Once more, so that there is less left to wait for.
    passive()?;
    let guard = write_lock.blocking_take();
    let (mut in_the_way, length) = passive()?;
    if length >= 2 * LONG {
        (in_the_way, _) = run(connection, "PRAGMA wal_checkpoint(RESTART)")?;
    }
    drop(guard);
    if in_the_way {
        tracing::debug!("the database's log is still read, and goes on");
    }
    Ok(())
}
