//! The open connections, and the eviction of idle ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::activity::ConnectionActivity;

/// One in this many connections is evicted at a time, because finding them takes time.
const EVICTION_FRACTION: usize = 100;

/// The open connections. May contain closed ones.
#[derive(Default)]
pub(in crate::server) struct OpenConnections(Mutex<Vec<Weak<ConnectionActivity>>>);

impl OpenConnections {
    pub(super) fn add(&self, activity: &Arc<ConnectionActivity>) {
        let mut connections = self.all();
        if connections.len() == connections.capacity() {
            connections.retain(|connection| connection.strong_count() > 0);
        }
        connections.push(Arc::downgrade(activity));
    }

    /// Closes the connections that are idle longest. Returns false if there are none.
    pub(in crate::server) fn evict_idle(&self) -> bool {
        let mut connections = self.all();
        connections.retain(|connection| connection.strong_count() > 0);
        let all = connections.iter().filter_map(Weak::upgrade);
        let mut idle: Vec<_> =
            all.filter_map(|activity| activity.idle_since().map(|since| (since, activity))).collect();
        let count = (connections.len() / EVICTION_FRACTION).max(1);
        if idle.len() > count {
            idle.select_nth_unstable_by_key(count, |(since, _)| *since);
            idle.truncate(count);
        }
        for (_, activity) in &idle {
            activity.evict();
        }
        !idle.is_empty()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<ConnectionActivity>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::activity::ClientTimeouts;
    use super::*;

    #[test]
    fn connections_that_are_idle_longest_are_evicted() {
        let day = Duration::from_secs(86_400);
        let activity =
            || ConnectionActivity::new(ClientTimeouts { request_head: day, idle: day, write: day });
        let connections = OpenConnections::default();
        assert!(!connections.evict_idle());
        let busy = activity();
        connections.add(&busy);
        let exchange = busy.request_started(false);
        assert!(!connections.evict_idle(), "busy connections stay");
        let idle: Vec<_> = (0..299).map(|_| activity()).collect();
        idle.iter().for_each(|activity| connections.add(activity));
        let left = || idle.iter().map(|activity| activity.idle_since().is_some()).collect::<Vec<_>>();
        assert!(connections.evict_idle());
        assert_eq!(left(), [vec![false; 3], vec![true; 296]].concat());
        drop(exchange);
        assert!(connections.evict_idle());
        assert!(busy.idle_since().is_some(), "it was busy a moment ago");
        drop(idle);
        connections.evict_idle();
        assert_eq!(connections.all().len(), 1, "those that are gone are forgotten");
    }
}
