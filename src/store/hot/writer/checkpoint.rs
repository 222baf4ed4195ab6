//! Carrying SQLite's log over into the database file, beside the writer.
//!
//! Left to itself SQLite does it in the commit that makes the log long, which then waits for hundreds of
//! pages and two syncs, and does it so often that the same pages are carried over again and again. Here a
//! thread of its own does, whenever the log has grown by [`CHECKPOINT_PAGES`], while the writer goes on. What the writer
//! adds meanwhile is left for the next time, until the log is [`FULL_CHECKPOINT_PAGES`]: then the rest is carried over in a turn
//! of its own, and the writer begins the log anew with its next commit, unless somebody still reads the old
//! one. Only a log that has become twice as long for that is begun anew here, because then the writer has to
//! forget the pages it knows. Such a log grows no faster than it can be carried over: the writer waits for it.
//!
//! The log keeps every page as it was, and so what was deleted since. After a commit that erased something all of
//! the log is carried over and truncated: at once, and then at most once in [`ERASURE_INTERVAL`] however many
//! commits follow. Readers of the log are waited for ([`READER_TIMEOUT`], longer each time), and the truncation is tried
//! again after them. It is also done at the start, because the process before may have crashed, and at the end.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::engine::write_lock::WriteLock;

/// How much the log may grow before it is carried over, in pages of 4 KiB.
const CHECKPOINT_PAGES: i32 = 4000;

/// How long it may become before the writer waits until all of it is carried over, in pages.
const FULL_CHECKPOINT_PAGES: i32 = 3 * CHECKPOINT_PAGES;

/// How long the log's new beginning waits for readers of the old one, all who write waiting with it.
const READER_TIMEOUT: Duration = Duration::from_millis(100);

/// The longest that a truncation waits for readers. It waits twice as long as the last one until it succeeds.
const MAX_READER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the next truncation after one waits at least.
const ERASURE_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    /// Of the log after the last commit on this thread.
    static WAL_LENGTH: Cell<i32> = const { Cell::new(0) };
}

/// What the thread is woken for.
pub(super) enum CheckpointReason {
    /// The log has grown.
    Length,
    /// Something was erased.
    Erasure,
}

/// Tells the thread when the log has grown.
pub(super) struct CheckpointNotifier {
    reasons: SyncSender<CheckpointReason>,
    /// How long the log was when that was said last.
    notified_at: Cell<i32>,
}

/// Tells the thread that a commit erased something, whichever connection committed it.
pub(super) struct ErasureNotifier {
    reasons: SyncSender<CheckpointReason>,
    pending: Arc<AtomicBool>,
}

/// What the thread waits for.
pub(super) struct CheckpointRequests {
    reasons: Receiver<CheckpointReason>,
    /// Whether something was erased since the log was truncated last.
    pending: Arc<AtomicBool>,
}

impl ErasureNotifier {
    /// To be called after a commit that overwrote or removed content.
    pub(super) fn committed(&self) {
        // Who finds it set already has been preceded by somebody who wakes the thread. Where the thread is about
        // to be woken for something else, it looks too.
        if !self.pending.swap(true, Ordering::AcqRel) {
            let _ = self.reasons.try_send(CheckpointReason::Erasure);
        }
    }
}

impl CheckpointNotifier {
    /// Watches the commits of `writer`, on whose thread [`CheckpointNotifier::committed`] is called.
    pub(super) fn new(writer: &Connection) -> (Self, ErasureNotifier, CheckpointRequests) {
        // This replaces SQLite's own checkpoints on this connection.
        writer.wal_hook(Some(|_, pages| {
            WAL_LENGTH.set(pages);
            Ok(())
        }));
        let (reasons, receiver) = sync_channel(1);
        let pending = Arc::new(AtomicBool::new(true));
        let requests = CheckpointRequests { reasons: receiver, pending: pending.clone() };
        (
            Self { reasons: reasons.clone(), notified_at: Cell::new(0) },
            ErasureNotifier { reasons, pending },
            requests,
        )
    }

    /// To be called after a commit.
    pub(super) fn committed(&self) {
        let length = WAL_LENGTH.get();
        // Shorter than it was: it has begun anew.
        if length < self.notified_at.get() {
            self.notified_at.set(0);
        }
        if length - self.notified_at.get() < CHECKPOINT_PAGES {
            return;
        }
        self.notified_at.set(length);
        let is_gone = if length < 2 * FULL_CHECKPOINT_PAGES {
            matches!(self.reasons.try_send(CheckpointReason::Length), Err(TrySendError::Disconnected(_)))
        } else {
            // Waits where the thread has not come to what it was told before.
            self.reasons.send(CheckpointReason::Length).is_err()
        };
        if is_gone {
            tracing::error!("nothing shortens the database's log any more");
        }
    }
}

/// Shortens the log whenever it is time, until nothing can be committed any more.
pub(super) fn serve(requests: &CheckpointRequests, connection: &Connection, write_lock: &WriteLock) {
    let CheckpointRequests { reasons, pending } = requests;
    if let Err(error) = connection.busy_timeout(READER_TIMEOUT) {
        tracing::warn!(%error, "checkpoints may take long");
    }
    let (mut timeout, mut not_before) = (READER_TIMEOUT, Instant::now());
    loop {
        let is_pending = pending.load(Ordering::Acquire);
        let wait =
            if is_pending { not_before.saturating_duration_since(Instant::now()) } else { Duration::MAX };
        match reasons.recv_timeout(wait) {
            Ok(CheckpointReason::Length) => {
                if let Err(error) = checkpoint(connection, write_lock) {
                    tracing::warn!(%error, "cannot shorten the database's log");
                }
                // The log is to grow again first: looked at without a pause, it would cost the writer its disk.
                while reasons.try_recv().is_ok() {}
            }
            Ok(CheckpointReason::Erasure) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= not_before && pending.load(Ordering::Acquire) {
            timeout = match truncate_after_erasure(requests, connection, write_lock, timeout) {
                true => READER_TIMEOUT,
                false => MAX_READER_TIMEOUT.min(timeout * 2),
            };
            not_before = Instant::now() + ERASURE_INTERVAL;
        }
    }
    if pending.load(Ordering::Acquire) {
        truncate_after_erasure(requests, connection, write_lock, MAX_READER_TIMEOUT);
    }
}

/// Truncates the log. False: it still holds what was erased.
fn truncate_after_erasure(
    requests: &CheckpointRequests,
    connection: &Connection,
    write_lock: &WriteLock,
    timeout: Duration,
) -> bool {
    // What is erased from here on needs another truncation.
    requests.pending.store(false, Ordering::Release);
    let truncated = truncate(connection, write_lock, timeout);
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

/// Carries all of the log over and truncates it, unless somebody reads it for longer than `timeout`.
fn truncate(connection: &Connection, write_lock: &WriteLock, timeout: Duration) -> rusqlite::Result<bool> {
    // Beside the writer, so that there is less left to wait for.
    run_checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let guard = write_lock.blocking_acquire();
    connection.busy_timeout(timeout)?;
    let truncated = run_checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    drop(guard);
    connection.busy_timeout(READER_TIMEOUT)?;
    truncated.map(|(is_blocked, _)| !is_blocked)
}

/// Runs a checkpoint. It returns whether somebody was in the way, and how long the log is.
fn run_checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<(bool, i32)> {
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn checkpoint(connection: &Connection, write_lock: &WriteLock) -> rusqlite::Result<()> {
    let passive = || run_checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)");
    let (_, length) = passive()?;
    if length < FULL_CHECKPOINT_PAGES {
        return Ok(());
    }
    // Once more, so that there is less left to wait for.
    passive()?;
    let guard = write_lock.blocking_acquire();
    let (mut is_blocked, length) = passive()?;
    if length >= 2 * FULL_CHECKPOINT_PAGES {
        (is_blocked, _) = run_checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)")?;
    }
    drop(guard);
    if is_blocked {
        tracing::debug!("the database's log is still read, and goes on");
    }
    Ok(())
}
