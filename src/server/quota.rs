//! How much of one thing each holder, an owner or an address, may have at once, on this server.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what each holder has.
pub(super) struct Quota<Holder: Hash + Eq> {
    most: usize,
    taken: Mutex<HashMap<Holder, usize>>,
}

/// One of what a holder has.
pub(super) struct QuotaPermit<Holder: Hash + Eq> {
    quota: Arc<Quota<Holder>>,
    holder: Holder,
}

impl<Holder: Hash + Eq + Clone> Quota<Holder> {
    /// At most so many for each holder.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// One more for this holder; `None` when there would be too many.
    pub(super) fn take(self: &Arc<Self>, holder: &Holder) -> Option<QuotaPermit<Holder>> {
        let mut taken = self.taken();
        let count = taken.entry(holder.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(QuotaPermit { quota: self.clone(), holder: holder.clone() })
    }
}

impl<Holder: Hash + Eq> Quota<Holder> {
    fn taken(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Holder: Hash + Eq> Drop for QuotaPermit<Holder> {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        if let Some(count) = taken.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holder_has_a_quota_and_leaves_nothing_behind() {
        let (ada, bob) = ("ada", "bob");
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
