//! Quotas for each owner or address, on this server.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the permits of each key.
pub(super) struct Quota<Key: Hash + Eq> {
    limit: usize,
    permits: Mutex<HashMap<Key, usize>>,
}

/// A permit. Dropping it returns it.
pub(super) struct QuotaPermit<Key: Hash + Eq> {
    quota: Arc<Quota<Key>>,
    key: Key,
}

impl<Key: Hash + Eq + Clone> Quota<Key> {
    /// A quota of at most `limit` permits for each key.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, permits: Mutex::default() })
    }

    /// Takes a permit. `None` if the quota of the key is used up.
    pub(super) fn try_acquire(self: &Arc<Self>, key: &Key) -> Option<QuotaPermit<Key>> {
        let mut permits = self.permits();
        let count = permits.entry(key.clone()).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(QuotaPermit { quota: self.clone(), key: key.clone() })
    }
}

impl<Key: Hash + Eq> Quota<Key> {
    fn permits(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Key: Hash + Eq> Drop for QuotaPermit<Key> {
    fn drop(&mut self) {
        let mut permits = self.quota.permits();
        if let Some(count) = permits.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                permits.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_quota_and_leaves_no_entry() {
        let (ada, bob) = ("ada", "bob");
        let quota = Quota::new(2);
        let first = quota.try_acquire(&ada).unwrap();
        let second = quota.try_acquire(&ada).unwrap();
        assert!(quota.try_acquire(&ada).is_none());
        let others = quota.try_acquire(&bob).unwrap();
        drop(first);
        let third = quota.try_acquire(&ada).unwrap();
        assert!(quota.try_acquire(&ada).is_none());
        drop((second, third, others));
        assert!(quota.permits().is_empty());
    }
}
