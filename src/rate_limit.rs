//! How many operations an owner may begin: a token bucket for each.
//!
//! An operation counts when it is asked for, on whatever transport, before it is read; one that is refused
//! for the rate takes nothing from the bucket. What a back end does for an owner counts as that owner's.
//! Buckets that are full again are forgotten, so memory holds those owners only who asked lately. Every
//! replica counts for itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::model::OwnerId;

const MINUTE: Duration = Duration::from_secs(60);

/// How long a bucket that is full may be remembered.
const EVICTION_INTERVAL: Duration = Duration::from_secs(60);

/// Counts operations by owner. Clones count together.
#[derive(Clone)]
pub struct RateLimiter<C: Clock = DefaultClock> {
    buckets: Arc<Buckets<C>>,
    clock: C,
}

type Buckets<C> = governor::RateLimiter<
    OwnerId,
    governor::state::keyed::DashMapStateStore<OwnerId>,
    C,
    governor::middleware::NoOpMiddleware<<C as Clock>::Instant>,
>;

impl RateLimiter {
    /// So many operations a minute, evenly, and `burst` at once after a pause.
    pub fn new(per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        let buckets: DefaultKeyedRateLimiter<OwnerId> =
            governor::RateLimiter::dashmap(quota(per_minute, burst));
        Self { buckets: Arc::new(buckets), clock: DefaultClock::default() }
    }

    /// Forgets full buckets, again and again.
    pub async fn evict_full_buckets(self) {
        loop {
            tokio::time::sleep(EVICTION_INTERVAL).await;
            self.evict();
        }
    }
}

impl<C: Clock> RateLimiter<C> {
    /// Takes one operation out of an owner's bucket.
    ///
    /// # Errors
    /// The bucket is empty: how long until there is one again.
    pub fn check(&self, owner: &OwnerId) -> Result<(), Duration> {
        let checked = self.buckets.check_key(owner);
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    fn evict(&self) {
        self.buckets.retain_recent();
        self.buckets.shrink_to_fit();
    }
}

fn quota(per_minute: NonZeroU32, burst: NonZeroU32) -> Quota {
    let period = MINUTE / per_minute.get();
    // A period of nothing would be one of over a billion operations a second.
    let period = period.max(Duration::from_nanos(1));
    Quota::with_period(period).map_or_else(|| Quota::per_minute(per_minute), |quota| quota.allow_burst(burst))
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(per_minute: u32, burst: u32) -> (RateLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let quota = quota(per_minute.try_into().unwrap(), burst.try_into().unwrap());
        let store = governor::state::keyed::DashMapStateStore::default();
        let buckets = Arc::new(governor::RateLimiter::new(quota, store, clock.clone()));
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
        assert_eq!(rate.check(&bob), Ok(()), "others have buckets of their own");
        clock.advance(Duration::from_millis(400));
        assert_eq!(rate.check(&ada), Err(Duration::from_millis(600)), "what was refused took nothing");
        clock.advance(Duration::from_millis(600));
        assert_eq!(rate.check(&ada), Ok(()));
        assert!(rate.check(&ada).is_err());
        clock.advance(Duration::from_secs(3600));
        assert_eq!((0..10).filter(|_| rate.check(&ada).is_ok()).count(), 3, "no more than it holds");
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
        assert_eq!(rate.buckets.len(), 1);
        assert!(rate.check(&busy).is_err(), "what was forgotten changes nothing");
    }
}
