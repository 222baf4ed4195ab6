//! Rate limits: a token bucket for each key, an owner or an address.
//!
//! An operation is counted when its request arrives, on any transport, before it is parsed. A rejected
//! operation takes no token. Operations that a back end runs for an owner count as that owner's. Full buckets
//! are removed, so memory grows only with the owners that were active lately. Every replica counts by itself. When the
//! limit is changed while the server runs, counting begins anew.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::model::OwnerId;

const MINUTE: Duration = Duration::from_secs(60);

/// How often full buckets are removed.
const EVICTION_INTERVAL: Duration = Duration::from_secs(60);

/// How often a key may start something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often in a minute, evenly spread.
    pub per_minute: NonZeroU32,
    /// How often at once, after a pause.
    pub burst: NonZeroU32,
}

/// Counts what each key starts, if there is a limit. Clones share the counts and the limit.
#[derive(Clone)]
pub struct RateLimiter<K: Clone + Eq + Hash = OwnerId, C: Clock = DefaultClock> {
    buckets: Arc<ArcSwapOption<Buckets<K, C>>>,
    clock: C,
}

type Buckets<K, C> = governor::RateLimiter<
    K,
    governor::state::keyed::DashMapStateStore<K>,
    C,
    governor::middleware::NoOpMiddleware<<C as Clock>::Instant>,
>;

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    /// Allows each key this rate, or anything if there is none.
    pub fn new(rate: Option<Rate>) -> Self {
        let limiter = Self { buckets: Arc::default(), clock: DefaultClock::default() };
        limiter.set(rate);
        limiter
    }

    /// Changes the rate. All buckets are full then.
    pub fn set(&self, rate: Option<Rate>) {
        let buckets =
            |rate: Rate| -> DefaultKeyedRateLimiter<K> { governor::RateLimiter::dashmap(quota(rate)) };
        self.buckets.store(rate.map(buckets).map(Arc::new));
    }

    /// Removes full buckets at an interval, forever.
    pub async fn evict_full_buckets(self) {
        loop {
            tokio::time::sleep(EVICTION_INTERVAL).await;
            self.evict();
        }
    }
}

impl<K: Clone + Eq + Hash, C: Clock> RateLimiter<K, C> {
    /// Takes one token from the bucket of a key.
    ///
    /// # Errors
    /// The bucket is empty. The error is the time until the next token.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        let Some(buckets) = &*self.buckets.load() else { return Ok(()) };
        let checked = buckets.check_key(key);
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    fn evict(&self) {
        if let Some(buckets) = self.buckets.load_full() {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

fn quota(Rate { per_minute, burst }: Rate) -> Quota {
    let period = MINUTE / per_minute.get();
    // A period of zero would be more than a billion operations a second.
    let period = period.max(Duration::from_nanos(1));
    Quota::with_period(period).map_or_else(|| Quota::per_minute(per_minute), |quota| quota.allow_burst(burst))
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(per_minute: u32, burst: u32) -> (RateLimiter<OwnerId, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let quota =
            quota(Rate { per_minute: per_minute.try_into().unwrap(), burst: burst.try_into().unwrap() });
        let store = governor::state::keyed::DashMapStateStore::default();
        let buckets = governor::RateLimiter::new(quota, store, clock.clone());
        let buckets = Arc::new(ArcSwapOption::from_pointee(buckets));
        (RateLimiter { buckets, clock: clock.clone() }, clock)
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (rate, clock) = rate(60, 3);
        let (ada, bob) = (OwnerId::new("ada").unwrap(), OwnerId::new("bob").unwrap());
        for _ in 0..3 {
            assert_eq!(rate.check(&ada), Ok(()));
        }
        assert_eq!(rate.check(&ada), Err(Duration::from_secs(1)));
        assert_eq!(rate.check(&bob), Ok(()), "other owners have their own buckets");
        clock.advance(Duration::from_millis(400));
        assert_eq!(rate.check(&ada), Err(Duration::from_millis(600)), "a rejected operation takes no token");
        clock.advance(Duration::from_millis(600));
        assert_eq!(rate.check(&ada), Ok(()));
        assert!(rate.check(&ada).is_err());
        clock.advance(Duration::from_secs(3600));
        assert_eq!((0..10).filter(|_| rate.check(&ada).is_ok()).count(), 3, "not more than the burst");
    }

    #[test]
    fn a_limit_can_be_changed_and_removed() {
        let once = NonZeroU32::MIN;
        let rate = RateLimiter::new(Some(Rate { per_minute: once, burst: once }));
        let ada = OwnerId::new("ada").unwrap();
        assert_eq!([rate.check(&ada).is_ok(), rate.check(&ada).is_ok()], [true, false]);
        let shared = rate.clone();
        rate.set(None);
        assert!((0..100).all(|_| shared.check(&ada).is_ok()));
        rate.set(Some(Rate { per_minute: once, burst: once.saturating_add(1) }));
        assert_eq!((0..10).filter(|_| shared.check(&ada).is_ok()).count(), 2);
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (rate, clock) = rate(60, 3);
        for number in 0..10_000 {
            rate.check(&OwnerId::new(format!("user {number}")).unwrap()).unwrap();
        }
        let busy = OwnerId::new("busy").unwrap();
        clock.advance(Duration::from_secs(2));
        while rate.check(&busy).is_ok() {}
        rate.evict();
        assert_eq!(rate.buckets.load().as_ref().unwrap().len(), 1);
        assert!(rate.check(&busy).is_err(), "removing full buckets changes no limit");
    }
}
