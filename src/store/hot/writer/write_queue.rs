//! Limits of the write queue: the number of requests, their bytes, and the share of one owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::OwnerId;
use crate::store::error::Error;
use crate::store::error::Result;

/// Settings of the write workers and the limits of their queue. One owner may use a quarter of each limit, but at
/// least one request.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The number of batches that PostgreSQL writes at the same time.
    pub workers: u32,
    /// The maximum number of requests that wait.
    pub waiting: usize,
    /// The maximum bytes of text that wait.
    pub bytes: usize,
}

/// One owner may use this fraction (1/n) of the limits.
const OWNER_SHARE: usize = 4;

pub(super) struct WriteQueue {
    bounds: Bounds,
    usage: Mutex<QueueUsage>,
}

#[derive(Default)]
struct QueueUsage {
    all: Load,
    owners: HashMap<OwnerId, Load>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Load {
    waiting: usize,
    bytes: usize,
}

impl Load {
    /// If nothing waits, one request always fits, however large it is.
    fn fits(self, bytes: usize, most: Self) -> bool {
        self.waiting == 0 || (self.waiting < most.waiting && self.bytes.saturating_add(bytes) <= most.bytes)
    }

    fn add(&mut self, bytes: usize) {
        self.waiting += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.waiting -= 1;
        self.bytes -= bytes;
    }
}

/// A place in the queue. It is released on drop.
pub(super) struct QueuePermit {
    queue: Arc<WriteQueue>,
    owner: OwnerId,
    bytes: usize,
}

impl WriteQueue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, usage: Mutex::default() }
    }

    /// Takes a place, or returns `Busy`. It never waits: the caller knows best how long to retry.
    pub(super) fn acquire(self: &Arc<Self>, owner: &OwnerId, bytes: usize) -> Result<QueuePermit> {
        let Bounds { waiting, bytes: most, .. } = self.bounds;
        let mut usage = self.usage();
        let of_owner = usage.owners.get(owner).copied().unwrap_or_default();
        let fits = usage.all.fits(bytes, Load { waiting, bytes: most })
            && of_owner.fits(bytes, Load { waiting: waiting / OWNER_SHARE, bytes: most / OWNER_SHARE });
        if !fits {
            return Err(Error::Busy);
        }
        usage.all.add(bytes);
        usage.owners.entry(owner.clone()).or_default().add(bytes);
        Ok(QueuePermit { queue: self.clone(), owner: owner.clone(), bytes })
    }

    /// The number of requests and their bytes.
    pub(super) fn depth(&self) -> (usize, usize) {
        let Load { waiting, bytes } = self.usage().all;
        (waiting, bytes)
    }

    fn usage(&self) -> MutexGuard<'_, QueueUsage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QueuePermit {
    fn drop(&mut self) {
        let mut usage = self.queue.usage();
        usage.all.remove(self.bytes);
        if let Some(of_owner) = usage.owners.get_mut(&self.owner) {
            of_owner.remove(self.bytes);
            if of_owner.waiting == 0 {
                usage.owners.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> OwnerId {
        OwnerId::new(name).unwrap()
    }

    #[test]
    fn permits_are_released_and_one_owner_cannot_take_all() {
        let queue = Arc::new(WriteQueue::new(Bounds { workers: 1, waiting: 8, bytes: 100 }));
        let busy = |name: &str, bytes| matches!(queue.acquire(&owner(name), bytes), Err(Error::Busy));
        let first = queue.acquire(&owner("ada"), 10).unwrap();
        assert!(busy("ada", 16), "a quarter of 100 bytes is 25");
        let second = queue.acquire(&owner("ada"), 15).unwrap();
        assert!(busy("ada", 0), "a quarter of 8 is 2");
        let large = queue.acquire(&owner("bob"), 75).unwrap();
        assert!(busy("eve", 1), "100 bytes are in use");
        let others = (0..8).map(|n| queue.acquire(&owner(&format!("user-{n}")), 0));
        let others: Vec<QueuePermit> = others.filter_map(Result::ok).collect();
        assert_eq!(others.len(), 5, "8 are in use");
        drop((first, second, large, others));
        assert_eq!(queue.usage().all, Load::default());
        assert!(queue.usage().owners.is_empty());
    }

    #[test]
    fn a_request_larger_than_the_limit_is_accepted_alone() {
        let queue = Arc::new(WriteQueue::new(Bounds { workers: 1, waiting: 8, bytes: 100 }));
        let huge = queue.acquire(&owner("ada"), 1000).unwrap();
        assert!(queue.acquire(&owner("bob"), 1).is_err());
        drop(huge);
        assert!(queue.acquire(&owner("bob"), 1).is_ok());
    }
}
