//! What requests take before anything is read for them: bodies while they arrive, documents, variables.
//!
//! A request that takes more than [`UNRESERVED_REQUEST_BYTES`] has room for that in its owner's share and in all, or is refused
//! at once. None waits: what it would wait with is what there is too little room for.

use super::{MemoryError, MemoryPool, MemoryReservation, PoolPermits};
use crate::model::OwnerId;

/// Bytes that a request may take uncounted: most take less.
pub const UNRESERVED_REQUEST_BYTES: usize = 64 * 1024;

impl MemoryPool {
    /// Counts a request that takes so many bytes, until what is given back is dropped.
    ///
    /// # Errors
    /// `Crowded`: there is no room for it.
    pub fn reserve_request(&self, owner: &OwnerId, bytes: usize) -> Result<MemoryReservation, MemoryError> {
        if bytes <= UNRESERVED_REQUEST_BYTES {
            return Ok(MemoryReservation::default());
        }
        let bytes = u32::try_from(bytes).map_err(|_| MemoryError::RequestsExhausted)?;
        let (guard, requests) = self.owner_pool(owner, |share| &share.requests);
        let own = requests.try_acquire_many_owned(bytes).map_err(|_| MemoryError::RequestsExhausted)?;
        let all = self
            .0
            .requests
            .clone()
            .try_acquire_many_owned(bytes)
            .map_err(|_| MemoryError::RequestsExhausted)?;
        Ok(MemoryReservation(Some(PoolPermits { own, all, _guard: guard })))
    }

    /// Bytes that such requests take just now.
    pub fn reserved_for_requests(&self) -> usize {
        (self.0.limits.requests as usize).saturating_sub(self.0.requests.available_permits())
    }
}
