//! Memory of requests before they are executed: bodies, documents and variables.
//!
//! A request larger than [`UNRESERVED_REQUEST_BYTES`] reserves memory in the pool of its owner and in the
//! pool of all owners. If there is too little, the request is rejected immediately. It does not wait, because
//! a waiting request would already hold that memory.

use super::{MemoryError, MemoryPool, MemoryReservation, PoolPermits};
use crate::model::OwnerId;

/// Bytes that a request may have without a reservation. Most requests are smaller.
pub const UNRESERVED_REQUEST_BYTES: usize = 64 * 1024;

impl MemoryPool {
    /// Reserves memory for a request of this size, until the result is dropped.
    ///
    /// # Errors
    /// `RequestsExhausted`: the memory for requests is used up.
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
        Ok(MemoryReservation::new(Some(PoolPermits { own, all, guard })))
    }

    /// The bytes that large requests have reserved.
    pub fn reserved_for_requests(&self) -> usize {
        (self.0.limits.requests as usize).saturating_sub(self.0.requests.available_permits())
    }
}
