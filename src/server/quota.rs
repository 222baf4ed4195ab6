//! How much of one thing each owner may have at once, on this server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::OwnerId;

/// Counts what each owner has.
pub(super) struct Quota {
    most: usize,
    taken: Mutex<HashMap<OwnerId, usize>>,
}

/// One of what an owner has.
pub(super) struct Share {
    quota: Arc<Quota>,
    owner: OwnerId,
}

impl Quota {
    /// At most so many for each owner.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// One more for this owner; `None` when there would be too many.
    pub(super) fn take(self: &Arc<Self>, owner: &OwnerId) -> Option<Share> {
        let mut taken = self.taken();
        let count = taken.entry(owner.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { quota: self.clone(), owner: owner.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<OwnerId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        if let Some(count) = taken.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_a_quota_and_leaves_nothing_behind() {
        let [ada, bob] = ["ada", "bob"].map(|owner| OwnerId::new(owner).unwrap());
        let quota = Quota::new(2);
        let first = quota.take(&ada).unwrap();
        let second = quota.take(&ada).unwrap();
        assert!(quota.take(&ada).is_none());
        let others = quota.take(&bob).unwrap();
        drop(first);
        let third = quota.take(&ada).unwrap();
        assert!(quota.take(&ada).is_none());
        drop((second, third, others));
        assert!(quota.taken().is_empty());
    }
}
