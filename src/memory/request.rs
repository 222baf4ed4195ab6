//! What requests take before anything is read for them: bodies while they arrive, documents, variables.
//!
//! A request that takes more than [`FREE`] has room for that in its owner's share and in all, or is refused
//! at once. None waits: what it would wait with is what there is too little room for.

use super::{Held, Memory, Refused, Reservation};
use crate::model::OwnerId;

/// Bytes that a request may take uncounted: most take less.
pub const FREE: usize = 64 * 1024;

impl Memory {
    /// Counts a request that takes so many bytes, until what is given back is dropped.
    ///
    /// # Errors
    /// `Crowded`: there is no room for it.
    pub fn take_in(&self, owner: &OwnerId, bytes: usize) -> Result<Held, Refused> {
        if bytes <= FREE {
            return Ok(Held::default());
        }
        let bytes = u32::try_from(bytes).map_err(|_| Refused::Crowded)?;
        let (seat, requests) = self.sit(owner, |share| &share.requests);
        let own = requests.try_acquire_many_owned(bytes).map_err(|_| Refused::Crowded)?;
        let all = self.0.requests.clone().try_acquire_many_owned(bytes).map_err(|_| Refused::Crowded)?;
        Ok(Held(Some(Reservation { own, all, _seat: seat })))
    }

    /// Bytes that such requests take just now.
    pub fn taken_in(&self) -> usize {
        (self.0.bounds.requests as usize).saturating_sub(self.0.requests.available_permits())
    }
}
