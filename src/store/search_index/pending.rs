//! Owners with changes that are not indexed yet, as far as this process knows.
//!
//! A hint only: what another process wrote, or one that has crashed, is found by looking at all accounts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::OwnerId;

/// So many changes are indexed at once. Each time costs several statements and a commit, after which the write worker on
/// SQLite reads its pages anew, so few times with many changes are best for appends. Searches read the rest.
const CHANGES: u32 = 512;

/// Fewer changes are indexed when the first one is so old.
const AGE: Duration = Duration::from_secs(30);

/// The same where one overwrote or removed content.
const AGE_OF_ERASURE: Duration = Duration::from_secs(2);

/// The most owners to remember.
const OWNERS: usize = 100_000;

/// Owners to index. Clones share them.
#[derive(Clone, Default)]
pub(in crate::store) struct Pending(Arc<Inner>);

#[derive(Default)]
struct Inner {
    owners: Mutex<HashMap<OwnerId, Entry>>,
    is_due: Notify,
    indexed: AtomicU64,
}

struct Entry {
    changes: u32,
    due: Instant,
    /// Whether content was overwritten or removed.
    erases: bool,
}

impl Pending {
    /// Notes changes that were committed.
    pub(in crate::store) fn add(&self, owner: &OwnerId, changes: usize, erases: bool) {
        let due = Instant::now() + if erases { AGE_OF_ERASURE } else { AGE };
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        let mut owners = self.owners();
        let is_full = owners.len() >= OWNERS;
        let is_due = match owners.get_mut(owner) {
            Some(entry) => {
                let before = entry.changes;
                entry.changes = before.saturating_add(changes);
                entry.due = entry.due.min(due);
                entry.erases |= erases;
                before < CHANGES && entry.changes >= CHANGES
            }
            None if is_full => false,
            None => {
                owners.insert(owner.clone(), Entry { changes, due, erases });
                changes >= CHANGES
            }
        };
        if is_due {
            self.0.is_due.notify_one();
        }
    }

    /// Wants an owner to be indexed now.
    pub(super) fn want(&self, owner: &OwnerId) {
        let entry = Entry { changes: CHANGES, due: Instant::now(), erases: false };
        self.owners().insert(owner.clone(), entry);
        self.0.is_due.notify_one();
    }

    /// Waits for an owner that is due, and forgets it.
    pub(super) async fn next(&self) -> OwnerId {
        loop {
            if let Some(owner) = self.take_due() {
                return owner;
            }
            // Owners become due with time, too.
            let _ = tokio::time::timeout(Duration::from_millis(500), self.0.is_due.notified()).await;
        }
    }

    /// Forgets and gives the owners with content that was overwritten or removed.
    pub(super) fn take_erased(&self) -> Vec<OwnerId> {
        let mut owners = self.owners();
        let erased: Vec<_> =
            owners.iter().filter(|(_, entry)| entry.erases).map(|(owner, _)| owner.clone()).collect();
        for owner in &erased {
            owners.remove(owner);
        }
        erased
    }

    /// Counts messages and titles that were indexed.
    pub(super) fn count(&self, documents: usize) {
        self.0.indexed.fetch_add(documents as u64, Ordering::Relaxed);
    }

    /// The owners that are to be indexed, and the messages and titles that were indexed.
    pub(super) fn figures(&self) -> (usize, u64) {
        (self.owners().len(), self.0.indexed.load(Ordering::Relaxed))
    }

    fn take_due(&self) -> Option<OwnerId> {
        let now = Instant::now();
        let mut owners = self.owners();
        let is_due = |entry: &Entry| entry.changes >= CHANGES || entry.due <= now;
        let (owner, _) =
            owners.iter().filter(|(_, entry)| is_due(entry)).min_by_key(|(_, entry)| entry.due)?;
        let owner = owner.clone();
        owners.remove(&owner);
        Some(owner)
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<OwnerId, Entry>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
