//! Checkpoints of SQLite's log (WAL), on a thread of their own.
//!
//! By default SQLite runs a checkpoint in the commit that makes the log long. That commit then waits for hundreds of
//! pages and two syncs, so often that the same pages are written again and again. Here a separate thread runs a
//! checkpoint whenever the log has grown by [`CHECKPOINT_PAGES`], while the writer goes on (`cargo bench --bench load
//! -- append`).
//!
//! Pages that the writer adds in the meantime stay for the next checkpoint, until the log has
//! [`FULL_CHECKPOINT_PAGES`]. Then a checkpoint under the write lock copies the rest, and the next commit restarts
//! the log from its beginning, unless a reader still uses it. A log of twice that length is restarted by this thread,
//! because then the writer has to drop the pages in its cache. The writer waits for the thread, so the log does not
//! grow faster than checkpoints copy it.
//!
//! The log keeps old pages, and so deleted content. After a commit that erased something, the thread copies the whole
//! log and truncates it: at once, and then at most once in [`ERASURE_INTERVAL`], however many commits follow. A
//! truncation waits for readers of the log ([`READER_TIMEOUT`], longer each time), and is tried again later if they
//! do not finish. Writers wait with it, and a backup or a replication reads for minutes or for good, so it seldom waits
//! again ([`Patience`]): in between it only tries. The thread also truncates the log at the start, because the process before may have crashed, and at
//! the end.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::figures::WriterFigures;
use crate::store::engine::write_lock::WriteLock;

/// Growth of the log between checkpoints, in pages of 4 KiB.
const CHECKPOINT_PAGES: i32 = 4000;

/// Length of the log at which the writer waits for a full checkpoint, in pages.
const FULL_CHECKPOINT_PAGES: i32 = 3 * CHECKPOINT_PAGES;

/// How long a restart of the log waits for its readers. Writers wait with it.
const READER_TIMEOUT: Duration = Duration::from_millis(100);

/// The maximum time that a truncation waits for readers. The time doubles until a truncation succeeds.
const MAX_READER_TIMEOUT: Duration = Duration::from_secs(1);

/// After a truncation that has waited in vain, none waits for this many times as long.
const PAUSE: u32 = 60;

/// The minimum time between two truncations.
const ERASURE_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    /// The length of the log after the last commit on this thread, in pages.
    static WAL_LENGTH: Cell<i32> = const { Cell::new(0) };
}

/// The reason for waking the thread.
pub(super) enum CheckpointReason {
    /// The log has grown.
    Length,
    /// Content was erased.
    Erasure,
}

/// Wakes the thread when the log has grown.
pub(super) struct CheckpointNotifier {
    reasons: SyncSender<CheckpointReason>,
    /// The length of the log at the last notification, in pages.
    notified_at: Cell<i32>,
}

/// Wakes the thread after a commit that erased content, on any connection.
pub(super) struct ErasureNotifier {
    reasons: SyncSender<CheckpointReason>,
    pending: Arc<AtomicBool>,
}

/// The requests to the thread.
pub(super) struct CheckpointRequests {
    reasons: Receiver<CheckpointReason>,
    /// Whether content was erased since the last truncation.
    pending: Arc<AtomicBool>,
}

impl ErasureNotifier {
    /// Call this after a commit that overwrote or removed content.
    pub(super) fn committed(&self) {
        // If the flag is already set, the caller that set it wakes the thread. If the channel is full, the thread is
        // about to wake up and checks the flag.
        if !self.pending.swap(true, Ordering::AcqRel) {
            let _ = self.reasons.try_send(CheckpointReason::Erasure);
        }
    }
}

impl CheckpointNotifier {
    /// Watches the commits of `writer`. Call [`CheckpointNotifier::committed`] on its thread.
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

    /// Call this after a commit.
    pub(super) fn committed(&self) {
        let length = WAL_LENGTH.get();
        // The log is shorter: it was restarted.
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
            // Waits until the thread has received the notification before.
            self.reasons.send(CheckpointReason::Length).is_err()
        };
        if is_gone {
            tracing::error!("the checkpoint thread has ended: the database's log grows");
        }
    }
}

/// How long truncations wait for readers.
struct Patience {
    timeout: Duration,
    /// Until then they do not wait.
    waits_from: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { timeout: READER_TIMEOUT, waits_from: Instant::now() }
    }

    /// How long the next truncation waits.
    fn timeout(&self) -> Duration {
        if Instant::now() >= self.waits_from { self.timeout } else { Duration::ZERO }
    }

    /// Takes the result of a truncation that waited for this long.
    fn learn(&mut self, waited: Duration, is_done: bool) {
        if is_done {
            *self = Self::new();
        } else if !waited.is_zero() {
            self.waits_from = Instant::now() + waited * PAUSE;
            self.timeout = MAX_READER_TIMEOUT.min(waited * 2);
        }
    }
}

/// Runs checkpoints until the writer is closed.
pub(super) fn serve(
    requests: &CheckpointRequests,
    connection: &Connection,
    write_lock: &WriteLock,
    figures: &WriterFigures,
) {
    let CheckpointRequests { reasons, pending } = requests;
    if let Err(error) = connection.busy_timeout(READER_TIMEOUT) {
        tracing::warn!(%error, "cannot set the timeout of checkpoints");
    }
    let (mut patience, mut not_before) = (Patience::new(), Instant::now());
    loop {
        let is_pending = pending.load(Ordering::Acquire);
        let wait =
            if is_pending { not_before.saturating_duration_since(Instant::now()) } else { Duration::MAX };
        match reasons.recv_timeout(wait) {
            Ok(CheckpointReason::Length) => {
                let started = Instant::now();
                let done = checkpoint(connection, write_lock);
                figures.checkpointed(started.elapsed(), done.is_ok());
                if let Err(error) = done {
                    tracing::warn!(%error, "cannot run a checkpoint of the database's log");
                }
                // Drops notifications that arrived in the meantime: checkpoints without a pause would take the disk
                // from the writer.
                while reasons.try_recv().is_ok() {}
            }
            Ok(CheckpointReason::Erasure) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= not_before && pending.load(Ordering::Acquire) {
            let timeout = patience.timeout();
            let started = Instant::now();
            let is_done = truncate_after_erasure(requests, connection, write_lock, timeout);
            figures.checkpointed(started.elapsed(), is_done);
            patience.learn(timeout, is_done);
            not_before = Instant::now() + ERASURE_INTERVAL;
        }
    }
    if pending.load(Ordering::Acquire) {
        truncate_after_erasure(requests, connection, write_lock, MAX_READER_TIMEOUT);
    }
}

/// Truncates the log. False if it still has erased content.
fn truncate_after_erasure(
    requests: &CheckpointRequests,
    connection: &Connection,
    write_lock: &WriteLock,
    timeout: Duration,
) -> bool {
    // Content that is erased from here on needs another truncation.
    requests.pending.store(false, Ordering::Release);
    let truncated = truncate(connection, write_lock, timeout);
    let is_done = matches!(truncated, Ok(true));
    if !is_done {
        requests.pending.store(true, Ordering::Release);
    }
    match truncated {
        Ok(true) => {}
        Ok(false) => tracing::debug!("readers use the database's log: it still has deleted content"),
        Err(error) => tracing::warn!(%error, "cannot remove deleted content from the database's log"),
    }
    is_done
}

/// Copies the whole log and truncates it. False if a reader used it for longer than `timeout`.
fn truncate(connection: &Connection, write_lock: &WriteLock, timeout: Duration) -> rusqlite::Result<bool> {
    // Before taking the write lock, so that less is left to do under it.
    run_checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let guard = write_lock.blocking_acquire();
    connection.busy_timeout(timeout)?;
    let truncated = run_checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    drop(guard);
    connection.busy_timeout(READER_TIMEOUT)?;
    truncated.map(|(is_blocked, _)| !is_blocked)
}

/// Runs a checkpoint. Returns whether it was blocked, and the length of the log in pages.
fn run_checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<(bool, i32)> {
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn checkpoint(connection: &Connection, write_lock: &WriteLock) -> rusqlite::Result<()> {
    let passive = || run_checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)");
    let (_, length) = passive()?;
    if length < FULL_CHECKPOINT_PAGES {
        return Ok(());
    }
    // Again, so that less is left to do under the write lock.
    passive()?;
    let guard = write_lock.blocking_acquire();
    let (mut is_blocked, length) = passive()?;
    if length >= 2 * FULL_CHECKPOINT_PAGES {
        (is_blocked, _) = run_checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)")?;
    }
    drop(guard);
    if is_blocked {
        tracing::debug!("readers use the database's log: it was not restarted");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_seldom_wait_for_a_reader_that_does_not_end() {
        let mut patience = Patience::new();
        assert_eq!(patience.timeout(), READER_TIMEOUT);
        patience.learn(READER_TIMEOUT, false);
        assert_eq!(patience.timeout(), Duration::ZERO);
        patience.learn(Duration::ZERO, false);
        assert_eq!(patience.timeout, 2 * READER_TIMEOUT);
        assert!(patience.waits_from > Instant::now() + READER_TIMEOUT * (PAUSE - 1));
        for _ in 0..9 {
            patience.learn(patience.timeout, false);
        }
        assert_eq!(patience.timeout, MAX_READER_TIMEOUT);
        patience.learn(Duration::ZERO, true);
        assert_eq!(patience.timeout(), READER_TIMEOUT);
    }
}
