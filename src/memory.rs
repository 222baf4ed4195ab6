//! MemoryPool that operations hold: the rows they read, what is made of them, and answers until they are sent
//! (below); before that, what they were asked with ([`MemoryPool::reserve_request`]).
//!
//! Every operation has an [`MemoryBudget`]. Of it, [`UNRESERVED_BYTES`] bytes are its own: most operations take less, and
//! share nothing with any other. One that needs more reserves, once, as much as an operation may ever hold:
//! out of its owner's share first, then out of what there is for all, in the order of asking and for no
//! longer than `RESERVE_TIMEOUT`. So however many large answers are asked for at once, those that are worked on
//! fit in memory and the others wait, those of one owner behind each other. Nobody holds a reservation
//! while waiting for one.
//!
//! What is taken is counted before it is held, or no more than a row later. Once an answer is written, what
//! is left of the reservation is the answer's bytes, until they are sent or given up ([`MemoryReservation`]).

mod request;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::model::OwnerId;
pub use request::UNRESERVED_REQUEST_BYTES;

/// Bytes that an operation may hold without a reservation.
pub const UNRESERVED_BYTES: usize = 512 * 1024;

/// How long an operation waits for a reservation.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operation may read, and make of it, in answers of the largest size.
const WORKING_SET_FACTOR: u32 = 3;

/// What it reserves: the answer itself comes to that.
pub const RESERVATION_FACTOR: u32 = WORKING_SET_FACTOR + 1;

/// How much operations may hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimits {
    /// The largest answer.
    pub answer: u32,
    /// Together, those of one owner: at least [`RESERVATION_FACTOR`] answers.
    pub owner: u32,
    /// All together: at least as much as of one owner.
    pub all: u32,
    /// The requests of one owner that are being answered.
    pub requests_of_owner: u32,
    /// All requests that are being answered.
    pub requests: u32,
}

/// Why an operation may not hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// It has no reservation.
    #[error("more is held than is free")]
    ReservationRequired,
    /// Nobody may hold so much. The largest answer has so many bytes.
    #[error(
        "answering this takes more than {} bytes of memory, {WORKING_SET_FACTOR} times the largest answer: ask for less at once",
        u64::from(WORKING_SET_FACTOR) * u64::from(*.0)
    )]
    OperationTooLarge(u32),
    /// The answer has more than so many bytes.
    #[error("the answer has more than {0} bytes: ask for less at once")]
    ResponseTooLarge(u32),
    /// Others hold all there is.
    #[error("too many large answers are being prepared: try again")]
    Exhausted,
    /// Others hold all there is for requests.
    #[error("too many large requests are being answered: try again")]
    RequestsExhausted,
}

/// What there is. Clones share it.
#[derive(Clone)]
pub struct MemoryPool(Arc<Inner>);

struct Inner {
    limits: MemoryLimits,
    all: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    owners: Mutex<HashMap<OwnerId, OwnerPool>>,
}

/// What one owner may hold, kept as long as somebody holds or waits for some of it.
struct OwnerPool {
    answers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    guards: usize,
}

/// Keeps an owner's share.
struct OwnerPoolGuard {
    memory: MemoryPool,
    owner: OwnerId,
}

/// So many bytes of an owner's share and of all.
struct PoolPermits {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
    _guard: OwnerPoolGuard,
}

impl MemoryPool {
    /// As much as the limits say.
    pub fn new(limits: MemoryLimits) -> Self {
        let [all, requests] = [limits.all, limits.requests].map(semaphore);
        Self(Arc::new(Inner { limits, all, requests, owners: Mutex::default() }))
    }

    /// The allowance of an operation.
    pub fn budget(&self, owner: &OwnerId) -> MemoryBudget {
        MemoryBudget(Some(Arc::new(BudgetState::new(UNRESERVED_BYTES, Some((self.clone(), owner.clone()))))))
    }

    /// Bytes of the largest answer.
    pub fn max_response_bytes(&self) -> u32 {
        self.0.limits.answer
    }

    /// Bytes that are reserved just now.
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
    /// Lets go of all but so many bytes.
    fn shrink(mut self, bytes: usize) -> Self {
        if let (Some(own), Some(all)) = (self.own.split(bytes), self.all.split(bytes)) {
            (self.own, self.all) = (own, all);
        }
        self
    }
}

/// What one operation may hold. Clones count together. The default is without any bound, for what the
/// server does by itself.
#[derive(Clone, Default)]
pub struct MemoryBudget(Option<Arc<BudgetState>>);

struct BudgetState {
    /// What may be held without a reservation, and where that comes from.
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

    /// Bytes of the largest answer, where it has a reservation.
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
    /// So many bytes, and no reservation.
    pub fn with_limit(bytes: usize) -> Self {
        Self(Some(Arc::new(BudgetState::new(bytes, None))))
    }

    /// Whether it has a reservation, or needs none.
    pub fn needs_no_reservation(&self) -> bool {
        self.0.as_ref().is_none_or(|state| state.reserved.load(Ordering::Relaxed))
    }

    /// Whether it has taken a reservation: what is read for it may be large.
    pub fn has_reservation(&self) -> bool {
        self.0.is_some() && self.needs_no_reservation()
    }

    /// Bytes that may still be taken as it is.
    pub fn remaining(&self) -> usize {
        let left =
            |state: &Arc<BudgetState>| state.limit().saturating_sub(state.used.load(Ordering::Relaxed));
        self.0.as_ref().map_or(usize::MAX, left)
    }

    /// Takes some bytes.
    ///
    /// # Errors
    /// `Unreserved`: there is no reservation, and it needs one. `Work`: no operation may hold so much.
    /// Nothing is taken then.
    pub fn try_grow(&self, bytes: usize) -> Result<(), MemoryError> {
        let Some(state) = &self.0 else { return Ok(()) };
        let before = state.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= state.limit() {
            return Ok(());
        }
        state.used.fetch_sub(bytes, Ordering::Relaxed);
        Err(self.limit_error())
    }

    /// Why it may not take more than is left.
    pub fn limit_error(&self) -> MemoryError {
        let reserved_response_size = self.0.as_ref().and_then(|state| state.reserved_response_size());
        reserved_response_size.map_or(MemoryError::ReservationRequired, MemoryError::OperationTooLarge)
    }

    /// Gives back what was taken.
    pub fn shrink(&self, bytes: usize) {
        if let Some(state) = &self.0 {
            // A read that was given up may end when its operation has settled already.
            let less = |taken: usize| Some(taken.saturating_sub(bytes));
            let _ = state.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Takes some bytes, and waits for a reservation where it needs one.
    ///
    /// # Errors
    /// `Work`: no operation may hold so much. `Busy`: there was no reservation in time.
    pub async fn grow(&self, bytes: usize) -> Result<(), MemoryError> {
        match self.try_grow(bytes) {
            Err(MemoryError::ReservationRequired) => {
                self.reserve().await?;
                self.try_grow(bytes)
            }
            taken => taken,
        }
    }

    /// Waits for a reservation, unless it has one.
    ///
    /// # Errors
    /// `Busy`: there was none in time. `Unreserved`: there is none to be had.
    pub async fn reserve(&self) -> Result<(), MemoryError> {
        let Some(state) = &self.0 else { return Ok(()) };
        let (memory, owner) = state.from.as_ref().ok_or(MemoryError::ReservationRequired)?;
        // Fields that are worked on at the same time wait for one and the same.
        let mut reservation = state.reservation.lock().await;
        if reservation.is_none() {
            *reservation = Some(memory.reserve(owner).await?);
            state.reserved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// All that is left of what was taken is an answer of so many bytes. What comes next, if anything does,
    /// begins anew.
    ///
    /// # Errors
    /// `Busy`: it needs a reservation, and there was none in time.
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

/// Bytes of an answer or of a request, held until this is dropped. Small ones are not counted.
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
