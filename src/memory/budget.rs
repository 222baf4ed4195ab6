//! The memory budget of an operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{MemoryError, MemoryPool, MemoryReservation, PoolPermits, UNRESERVED_BYTES, WORKING_SET_FACTOR};
use crate::model::OwnerId;

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
    /// The budget of an operation of this owner.
    pub(super) fn of(memory: MemoryPool, owner: OwnerId) -> Self {
        Self(Some(Arc::new(BudgetState::new(UNRESERVED_BYTES, Some((memory, owner))))))
    }

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
        let Some(state) = &self.0 else { return Ok(MemoryReservation::default()) };
        if bytes > UNRESERVED_BYTES {
            self.reserve().await?;
        }
        let reservation =
            if self.needs_no_reservation() { state.reservation.lock().await.take() } else { None };
        state.reserved.store(false, Ordering::Relaxed);
        state.used.store(0, Ordering::Relaxed);
        let kept = reservation.filter(|_| bytes > UNRESERVED_BYTES);
        Ok(MemoryReservation::new(kept.map(|reservation| reservation.shrink(bytes))))
    }
}
