//! The write queue: its limits (the number of requests, their bytes, and the share of one owner), and the worker of each
//! append.
//!
//! Appends of one owner go to one worker at a time, so that they share a batch instead of waiting for a row lock. Otherwise
//! the number of appends decides. A batch costs much, and one more append in it costs little, so one worker gets all.
//! Few appends are served sooner by workers that are idle. And while the first worker has enough for its next batch, or
//! waits for a lock or a connection, the others get the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::OwnerId;
use crate::store::error::Error;
use crate::store::error::Result;

/// Settings of the write workers and the limits of their queue. One owner may use a quarter of each limit, but at
/// least one request.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The maximum number of batches that PostgreSQL writes at the same time.
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

/// With fewer appends than this, an idle worker is chosen.
const FEW: usize = 6;

/// With so many appends, a worker has enough for its next batch.
const ENOUGH: usize = 128;

/// A worker that has not answered an append for so long waits for something.
const STALLED: Duration = Duration::from_millis(100);

struct QueueUsage {
    all: Load,
    owners: HashMap<OwnerId, OwnerUsage>,
    workers: Vec<WorkerUsage>,
}

#[derive(Clone, Copy)]
struct WorkerUsage {
    /// The number of appends that are not yet answered.
    appends: usize,
    /// When it last answered one, or got the first.
    progressed: Instant,
}

impl WorkerUsage {
    fn add(&mut self) {
        if self.appends == 0 {
            self.progressed = Instant::now();
        }
        self.appends += 1;
    }

    fn remove(&mut self) {
        self.appends -= 1;
        self.progressed = Instant::now();
    }

    fn is_stalled(self) -> bool {
        self.appends > 0 && self.progressed.elapsed() > STALLED
    }
}

#[derive(Default)]
struct OwnerUsage {
    load: Load,
    appends: usize,
    /// The worker of the appends.
    worker: usize,
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
    /// The worker of an append.
    worker: Option<usize>,
}

impl QueuePermit {
    /// The number of the worker that an append belongs to.
    pub(super) fn worker(&self) -> Option<usize> {
        self.worker
    }
}

impl QueueUsage {
    /// The worker of the next append of an owner.
    fn worker_of(&self, owner: &OwnerId) -> usize {
        if let Some(of_owner) = self.owners.get(owner)
            && of_owner.appends > 0
        {
            return of_owner.worker;
        }
        let idle = self.workers.iter().position(|worker| worker.appends == 0);
        let all: usize = self.workers.iter().map(|worker| worker.appends).sum();
        let first = self.workers[0];
        match idle {
            Some(idle) if all < FEW => idle,
            _ if first.appends < ENOUGH && !first.is_stalled() => 0,
            _ => {
                let load = |at: &usize| (self.workers[*at].is_stalled(), self.workers[*at].appends);
                (0..self.workers.len()).min_by_key(load).unwrap_or(0)
            }
        }
    }
}

impl WriteQueue {
    pub(super) fn new(bounds: Bounds) -> Self {
        let worker = WorkerUsage { appends: 0, progressed: Instant::now() };
        let workers = vec![worker; bounds.workers.max(1) as usize];
        let usage = QueueUsage { all: Load::default(), owners: HashMap::new(), workers };
        Self { bounds, usage: Mutex::new(usage) }
    }

    /// Takes a place for streamed text, or returns `Busy`. It never waits: the caller knows best how long to retry.
    pub(super) fn acquire(self: &Arc<Self>, owner: &OwnerId, bytes: usize) -> Result<QueuePermit> {
        self.acquire_of(owner, bytes, false)
    }

    /// The same for an append. It also chooses the worker.
    pub(super) fn acquire_append(self: &Arc<Self>, owner: &OwnerId, bytes: usize) -> Result<QueuePermit> {
        self.acquire_of(owner, bytes, true)
    }

    fn acquire_of(self: &Arc<Self>, owner: &OwnerId, bytes: usize, is_append: bool) -> Result<QueuePermit> {
        let Bounds { waiting, bytes: most, .. } = self.bounds;
        let mut usage = self.usage();
        let of_owner = usage.owners.get(owner).map(|usage| usage.load).unwrap_or_default();
        let fits = usage.all.fits(bytes, Load { waiting, bytes: most })
            && of_owner.fits(bytes, Load { waiting: waiting / OWNER_SHARE, bytes: most / OWNER_SHARE });
        if !fits {
            return Err(Error::Busy);
        }
        let worker = is_append.then(|| usage.worker_of(owner));
        usage.all.add(bytes);
        let of_owner = usage.owners.entry(owner.clone()).or_default();
        of_owner.load.add(bytes);
        if let Some(worker) = worker {
            of_owner.worker = worker;
            of_owner.appends += 1;
            usage.workers[worker].add();
        }
        Ok(QueuePermit { queue: self.clone(), owner: owner.clone(), bytes, worker })
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
        if let Some(worker) = self.worker {
            usage.workers[worker].remove();
        }
        if let Some(of_owner) = usage.owners.get_mut(&self.owner) {
            of_owner.load.remove(self.bytes);
            of_owner.appends -= usize::from(self.worker.is_some());
            if of_owner.load.waiting == 0 {
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
    fn the_worker_depends_on_how_many_appends_there_are() {
        let queue = Arc::new(WriteQueue::new(Bounds { workers: 3, waiting: 4096, bytes: 100 }));
        let append = |name: &str| queue.acquire_append(&owner(name), 0).unwrap();
        let worker = |permit: &QueuePermit| permit.worker.unwrap();
        let mut few = ["ada", "bob", "eve"].map(append).into_iter().collect::<Vec<_>>();
        assert_eq!(few.iter().map(worker).collect::<Vec<_>>(), [0, 1, 2], "each is idle");
        few.push(append("eve"));
        assert_eq!(worker(&few[3]), 2, "appends of one owner share a batch");
        let more: Vec<QueuePermit> = (1..ENOUGH).map(|n| append(&format!("user-{n}"))).collect();
        assert!(more.iter().all(|permit| worker(permit) == 0), "they share a batch");
        assert_eq!(worker(&append("mia")), 1, "the first has enough");
        drop(more);
        assert_eq!(worker(&append("kim")), 0, "it has few again");
        queue.usage().workers[0].progressed -= 2 * STALLED;
        let later = ["liv", "noa", "pia"].map(append);
        assert_eq!(later.each_ref().map(worker), [1, 1, 2], "the first waits for something");
        drop((few, later));
        assert!(queue.usage().workers.iter().all(|worker| worker.appends == 0));
        assert_eq!(worker(&append("eve")), 0, "nothing of the owner is left");
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
