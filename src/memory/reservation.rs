//! Reserved memory.

use super::eviction::ResponseNumber;
use super::{OwnerPoolGuard, PoolPermits};

/// The reserved bytes of a response or a request, until this is dropped. Small ones are not counted.
#[derive(Default)]
pub struct MemoryReservation(Option<Box<Reserved>>);

struct Reserved {
    permits: PoolPermits,
    /// The response, once it is being sent.
    sending: Option<ResponseNumber>,
}

impl MemoryReservation {
    pub(super) fn new(permits: Option<PoolPermits>) -> Self {
        Self(permits.map(|permits| Box::new(Reserved { permits, sending: None })))
    }

    /// Whether it holds no bytes of the pool.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Records that the response is being sent, and how to end that. `end` is called if the client reads
    /// slowly while others wait for memory. It must lead to the drop of this reservation.
    pub fn sending(&mut self, end: impl FnOnce() + Send + 'static) {
        if let Some(reserved) = &mut self.0 {
            let OwnerPoolGuard { memory, owner } = &reserved.permits.guard;
            let bytes = reserved.permits.all.num_permits();
            reserved.sending = Some(memory.0.sending.add(owner, bytes, Box::new(end)));
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(number) = self.sending {
            self.permits.guard.memory.0.sending.remove(number);
        }
    }
}
