//! Limits of the memory that operations use: the rows they read, the values they make, responses until they
//! are sent, and large requests ([`MemoryPool::reserve_request`]).
//!
//! Every operation has a [`MemoryBudget`]. It can use [`UNRESERVED_BYTES`] without a reservation, which is
//! enough for most operations. An operation that needs more makes one reservation for the most that an
//! operation may use: from the pool of its owner first, then from the pool of all owners. Reservations are
//! granted in the order of the requests. An operation waits for at most `RESERVE_TIMEOUT`. So the operations
//! that run fit in memory, however many large responses are requested at once, and operations of one owner
//! wait for each other. An operation that waits holds no other reservation.
//!
//! Memory is counted before it is allocated, or at most one row later. Once the response is written, the
//! reservation shrinks to its size and lasts until the response is sent or dropped ([`MemoryReservation`]).
//! While an operation waits for memory, responses that clients read slowly are ended (`eviction`).

mod budget;
mod eviction;
mod request;
mod reservation;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::model::OwnerId;
pub use budget::MemoryBudget;
use eviction::SendingResponses;
pub use request::UNRESERVED_REQUEST_BYTES;
pub use reservation::MemoryReservation;

/// Bytes that an operation may use without a reservation.
pub const UNRESERVED_BYTES: usize = 512 * 1024;

/// How long an operation waits for a reservation.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an operation waits before slow responses are ended, and before more of them are.
const EVICTION_INTERVAL: Duration = Duration::from_millis(200);

/// The most memory that an operation may use for rows and values, as a multiple of the largest response.
const WORKING_SET_FACTOR: u32 = 3;

/// The size of a reservation, as a multiple of the largest response: the working set and the response itself.
pub const RESERVATION_FACTOR: u32 = WORKING_SET_FACTOR + 1;

/// The limits of the pools, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimits {
    /// The largest response.
    pub answer: u32,
    /// All operations of one owner. At least [`RESERVATION_FACTOR`] times `answer`.
    pub owner: u32,
    /// All operations. At least `owner`.
    pub all: u32,
    /// Requests of one owner that are being executed.
    pub requests_of_owner: u32,
    /// All requests that are being executed.
    pub requests: u32,
}

/// The reason why memory cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// More than [`UNRESERVED_BYTES`] are needed and there is no reservation.
    #[error("the operation uses more than {UNRESERVED_BYTES} bytes of memory without a reservation")]
    ReservationRequired,
    /// The operation needs more than any operation may use. Contains the size of the largest response.
    #[error(
        "the operation needs more than {} bytes of memory, {WORKING_SET_FACTOR} times the largest response: request less at once",
        u64::from(WORKING_SET_FACTOR) * u64::from(*.0)
    )]
    OperationTooLarge(u32),
    /// The response is larger than this limit.
    #[error("the response has more than {0} bytes: request less at once")]
    ResponseTooLarge(u32),
    /// No reservation became free in time.
    #[error("too many large responses are in progress: retry later")]
    Exhausted,
    /// The pool for requests is used up.
    #[error("too many large requests are in progress: retry later")]
    RequestsExhausted,
}

/// The pools of memory. Clones share them.
#[derive(Clone)]
pub struct MemoryPool(Arc<Inner>);

struct Inner {
    limits: MemoryLimits,
    all: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    owners: Mutex<HashMap<OwnerId, OwnerPool>>,
    sending: SendingResponses,
}

/// The pools of one owner. They exist while a guard exists.
struct OwnerPool {
    answers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    guards: usize,
}

/// Keeps the pools of an owner.
struct OwnerPoolGuard {
    memory: MemoryPool,
    owner: OwnerId,
}

/// Bytes of an owner's pool and of the pool of all owners.
struct PoolPermits {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
    guard: OwnerPoolGuard,
}

impl MemoryPool {
    /// Creates pools with these limits.
    pub fn new(limits: MemoryLimits) -> Self {
        let [all, requests] = [limits.all, limits.requests].map(semaphore);
        let (owners, sending) = (Mutex::default(), SendingResponses::default());
        Self(Arc::new(Inner { limits, all, requests, owners, sending }))
    }

    /// The memory budget of one operation of this owner.
    pub fn budget(&self, owner: &OwnerId) -> MemoryBudget {
        MemoryBudget::of(self.clone(), owner.clone())
    }

    /// The size limit of a response, in bytes.
    pub fn max_response_bytes(&self) -> u32 {
        self.0.limits.answer
    }

    /// The bytes that operations have reserved.
    pub fn reserved(&self) -> usize {
        (self.0.limits.all as usize).saturating_sub(self.0.all.available_permits())
    }

    /// How many responses were ended because their clients read slowly while others waited for memory.
    pub fn evicted_responses(&self) -> u64 {
        self.0.sending.evicted()
    }

    async fn reserve(&self, owner: &OwnerId) -> Result<PoolPermits, MemoryError> {
        let (guard, answers) = self.owner_pool(owner, |share| &share.answers);
        let bytes = self.0.limits.answer.saturating_mul(RESERVATION_FACTOR);
        let both = async {
            let own = self.acquire(answers, bytes, Some(owner)).await?;
            let all = self.acquire(self.0.all.clone(), bytes, None).await?;
            Some(PoolPermits { own, all, guard })
        };
        timeout(RESERVE_TIMEOUT, both).await.ok().flatten().ok_or(MemoryError::Exhausted)
    }

    /// Acquires bytes of a pool. While it waits, slow responses of this owner, or of all owners, are ended.
    async fn acquire(
        &self,
        pool: Arc<Semaphore>,
        bytes: u32,
        of: Option<&OwnerId>,
    ) -> Option<OwnedSemaphorePermit> {
        let mut permit = pin!(pool.acquire_many_owned(bytes));
        loop {
            match timeout(EVICTION_INTERVAL, &mut permit).await {
                Ok(permit) => return permit.ok(),
                Err(_) => self.0.sending.evict(self.0.limits.answer as usize, of),
            }
        }
    }

    fn owner_pool(
        &self,
        owner: &OwnerId,
        of: impl Fn(&OwnerPool) -> &Arc<Semaphore>,
    ) -> (OwnerPoolGuard, Arc<Semaphore>) {
        let MemoryLimits { owner: answers, requests_of_owner: requests, .. } = self.0.limits;
        let mut owners = self.owners();
        let share = owners.entry(owner.clone()).or_insert_with(|| OwnerPool {
            answers: semaphore(answers),
            requests: semaphore(requests),
            guards: 0,
        });
        share.guards += 1;
        (OwnerPoolGuard { memory: self.clone(), owner: owner.clone() }, of(share).clone())
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<OwnerId, OwnerPool>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn semaphore(bytes: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes as usize))
}

impl Drop for OwnerPoolGuard {
    fn drop(&mut self) {
        let mut owners = self.memory.owners();
        if let Some(share) = owners.get_mut(&self.owner) {
            share.guards -= 1;
            if share.guards == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl PoolPermits {
    /// Releases all but this number of bytes.
    fn shrink(mut self, bytes: usize) -> Self {
        if let (Some(own), Some(all)) = (self.own.split(bytes), self.all.split(bytes)) {
            (self.own, self.all) = (own, all);
        }
        self
    }
}

#[cfg(test)]
mod tests;
