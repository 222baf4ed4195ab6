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

mod request;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::model::OwnerId;
pub use request::UNRESERVED_REQUEST_BYTES;

/// Bytes that an operation may use without a reservation.
pub const UNRESERVED_BYTES: usize = 512 * 1024;

/// How long an operation waits for a reservation.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(5);

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
    _guard: OwnerPoolGuard,
}

impl MemoryPool {
    /// Creates pools with these limits.
    pub fn new(limits: MemoryLimits) -> Self {
        let [all, requests] = [limits.all, limits.requests].map(semaphore);
        Self(Arc::new(Inner { limits, all, requests, owners: Mutex::default() }))
    }

    /// The memory budget of one operation of this owner.
    pub fn budget(&self, owner: &OwnerId) -> MemoryBudget {
        MemoryBudget(Some(Arc::new(BudgetState::new(UNRESERVED_BYTES, Some((self.clone(), owner.clone()))))))
    }

    /// The size limit of a response, in bytes.
    pub fn max_response_bytes(&self) -> u32 {
        self.0.limits.answer
    }

    /// The bytes that operations have reserved.
    pub fn reserved(&self) -> usize {
        (self.0.limits.all as usize).saturating_sub(self.0.all.available_permits())
    }

    async fn reserve(&self, owner: &OwnerId) -> Result<PoolPermits, MemoryError> {
        let (guard, answers) = self.owner_pool(owner, |share| &share.answers);
        let bytes = self.0.limits.answer.saturating_mul(RESERVATION_FACTOR);
        let both = async {
            let own = answers.acquire_many_owned(bytes).await.ok()?;
            let all = self.0.all.clone().acquire_many_owned(bytes).await.ok()?;
            Some(PoolPermits { own, all, _guard: guard })
        };
        timeout(RESERVE_TIMEOUT, both).await.ok().flatten().ok_or(MemoryError::Exhausted)
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

/// The memory budget of one operation. Clones share it. The default is unlimited, for internal reads.
#[derive(Clone, Default)]
pub struct MemoryBudget(Option<Arc<BudgetState>>);

struct BudgetState {
    /// The bytes that need no reservation, and the pool for larger amounts.
    unreserved: usize,
    from: Option<(MemoryPool, OwnerId)>,
    used: AtomicUsize,
    reserved: AtomicBool,
    reservation: tokio::sync::Mutex<Option<PoolPermits>>,
}

impl BudgetState {
    fn new(unreserved: usize, from: Option<(MemoryPool, OwnerId)>) -> Self {
        let (used, reserved) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { unreserved, from, used, reserved, reservation: tokio::sync::Mutex::new(None) }
    }

    /// The size limit of a response, if there is a reservation.
    fn reserved_response_size(&self) -> Option<u32> {
        let (memory, _) = self.from.as_ref()?;
        self.reserved.load(Ordering::Relaxed).then(|| memory.max_response_bytes())
    }

    fn limit(&self) -> usize {
        self.reserved_response_size()
            .map_or(self.unreserved, |answer| answer.saturating_mul(WORKING_SET_FACTOR) as usize)
    }
}

impl MemoryBudget {
    /// A budget of this number of bytes that cannot be extended by a reservation.
    pub fn with_limit(bytes: usize) -> Self {
        Self(Some(Arc::new(BudgetState::new(bytes, None))))
    }

    /// Whether no further reservation is possible or needed: there is one, or the budget is unlimited.
    pub fn needs_no_reservation(&self) -> bool {
        self.0.as_ref().is_none_or(|state| state.reserved.load(Ordering::Relaxed))
    }

    /// Whether there is a reservation. Reads for such an operation can be large.
    pub fn has_reservation(&self) -> bool {
        self.0.is_some() && self.needs_no_reservation()
    }

    /// The bytes that can be used without a new reservation.
    pub fn remaining(&self) -> usize {
        let left =
            |state: &Arc<BudgetState>| state.limit().saturating_sub(state.used.load(Ordering::Relaxed));
        self.0.as_ref().map_or(usize::MAX, left)
    }

    /// Counts bytes against the budget.
    ///
    /// # Errors
    /// `ReservationRequired`: a reservation is needed and there is none. `OperationTooLarge`: no operation
    /// may use as much. Nothing is counted then.
    pub fn try_grow(&self, bytes: usize) -> Result<(), MemoryError> {
        let Some(state) = &self.0 else { return Ok(()) };
        let before = state.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= state.limit() {
            return Ok(());
        }
        state.used.fetch_sub(bytes, Ordering::Relaxed);
        Err(self.limit_error())
    }

    /// The error for using more than [`remaining`](Self::remaining).
    pub fn limit_error(&self) -> MemoryError {
        let reserved_response_size = self.0.as_ref().and_then(|state| state.reserved_response_size());
        reserved_response_size.map_or(MemoryError::ReservationRequired, MemoryError::OperationTooLarge)
    }

    /// Returns bytes to the budget.
    pub fn shrink(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            // A cancelled read can end after its operation has finished.
            let less = |taken: usize| Some(taken.saturating_sub(bytes));
            let _ = state.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Counts bytes against the budget and waits for a reservation if one is needed.
    ///
    /// # Errors
    /// `OperationTooLarge`: no operation may use as much. `Exhausted`: no reservation became free in time.
    pub async fn grow(&self, bytes: usize) -> Result<(), MemoryError> {
        match self.try_grow(bytes) {
            Err(MemoryError::ReservationRequired) => {
                self.reserve().await?;
                self.try_grow(bytes)
            }
            taken => taken,
        }
    }

    /// Waits for a reservation if there is none.
    ///
    /// # Errors
    /// `Exhausted`: none became free in time. `ReservationRequired`: this budget cannot have one.
    pub async fn reserve(&self) -> Result<(), MemoryError> {
        let Some(state) = &self.0 else { return Ok(()) };
        let (memory, owner) = state.from.as_ref().ok_or(MemoryError::ReservationRequired)?;
        // Fields that run concurrently wait for the same reservation.
        let mut reservation = state.reservation.lock().await;
        if reservation.is_none() {
            *reservation = Some(memory.reserve(owner).await?);
            state.reserved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Shrinks the reservation to a response of this size and resets the budget for the next response, if
    /// there is one.
    ///
    /// # Errors
    /// `Exhausted`: the response needs a reservation and none became free in time.
    pub async fn keep_response(&self, bytes: usize) -> Result<MemoryReservation, MemoryError> {
        let Some(state) = &self.0 else { return Ok(MemoryReservation(None)) };
        if bytes > UNRESERVED_BYTES {
            self.reserve().await?;
        }
        let reservation =
            if self.needs_no_reservation() { state.reservation.lock().await.take() } else { None };
        state.reserved.store(false, Ordering::Relaxed);
        state.used.store(0, Ordering::Relaxed);
        Ok(MemoryReservation(
            reservation.filter(|_| bytes > UNRESERVED_BYTES).map(|reservation| reservation.shrink(bytes)),
        ))
    }
}

/// The reserved bytes of a response or a request, until this is dropped. Small ones are not counted.
#[derive(Default)]
pub struct MemoryReservation(Option<PoolPermits>);

impl MemoryReservation {
    /// Whether it holds no bytes of the pool.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests;
