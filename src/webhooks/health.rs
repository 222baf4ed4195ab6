//! Whether a receiver works.
//!
//! An owner whose delivery fails waits by itself, and others go on. If as many deliveries in a row fail as may run at
//! once, for any owners, the receiver counts as down: then one delivery at a time tries it, and the first that succeeds
//! ends all waits.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;
use crate::model::{DeliveryFault, Timestamp, WebhookState};

/// The recent outcomes of a receiver.
pub(super) struct Health {
    state: WebhookState,
    concurrency: usize,
    retry_for: i64,
    /// How many deliveries failed since one succeeded.
    failures: u64,
    next_probe: Option<Instant>,
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HealthChange {
    /// Nothing to store.
    None,
    /// The first delivery failed.
    Failing,
    /// A delivery succeeded after others failed.
    Recovered,
    /// Deliveries failed for too long, or the receiver is gone.
    Paused,
}

impl Health {
    pub(super) fn new(state: WebhookState, concurrency: usize, retry_for: Duration) -> Self {
        let retry_for = i64::try_from(retry_for.as_micros()).unwrap_or(i64::MAX);
        Self { state, concurrency, retry_for, failures: 0, next_probe: None }
    }

    pub(super) fn state(&self) -> WebhookState {
        self.state
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state.paused_since.is_some()
    }

    /// Whether another delivery may begin beside those that run.
    pub(super) fn allows(&self, running: usize, now: Instant) -> bool {
        match self.next_probe {
            _ if self.is_paused() => false,
            Some(at) => running == 0 && at <= now,
            None => running < self.concurrency,
        }
    }

    /// When the receiver is tried again, if it is down.
    pub(super) fn next_probe(&self) -> Option<Instant> {
        self.next_probe.filter(|_| !self.is_paused())
    }

    /// Whether something has failed for too long to be tried again.
    pub(super) fn is_given_up(&self, failing_since: Timestamp, now: Timestamp) -> bool {
        now.0.saturating_sub(failing_since.0) >= self.retry_for
    }

    pub(super) fn succeeded(&mut self) -> HealthChange {
        // One that was on its way when the receiver said that it is gone.
        if self.is_paused() {
            return HealthChange::None;
        }
        self.failures = 0;
        self.next_probe = None;
        if self.state.failing_since.take().is_some() { HealthChange::Recovered } else { HealthChange::None }
    }

    pub(super) fn failed(&mut self, fault: DeliveryFault, now: Timestamp) -> HealthChange {
        self.failures += 1;
        if let Some(beyond) = self.failures.checked_sub(self.concurrency as u64) {
            self.next_probe = Some(Instant::now() + backoff::wait(beyond + 1, backoff::LONGEST_PROBE));
        }
        let since = *self.state.failing_since.get_or_insert(now);
        if fault.is_gone() || self.is_given_up(since, now) {
            self.state.paused_since = Some(now);
            HealthChange::Paused
        } else if self.failures == 1 {
            HealthChange::Failing
        } else {
            HealthChange::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: DeliveryFault = DeliveryFault::Timeout;
    const DAYS: Duration = Duration::from_secs(3 * 24 * 3600);

    #[test]
    fn a_receiver_that_fails_for_all_is_tried_by_one_at_a_time() {
        let mut health = Health::new(WebhookState::default(), 3, DAYS);
        let now = Instant::now();
        assert!(health.allows(2, now) && !health.allows(3, now));
        assert_eq!(health.failed(FAULT, Timestamp(0)), HealthChange::Failing);
        assert_eq!(health.failed(FAULT, Timestamp(1)), HealthChange::None);
        assert!(health.allows(2, now) && health.next_probe().is_none());
        health.failed(FAULT, Timestamp(2));
        let probe = health.next_probe().unwrap();
        assert!(!health.allows(0, now) && health.allows(0, probe) && !health.allows(1, probe));
        assert_eq!(health.succeeded(), HealthChange::Recovered);
        assert_eq!(health.succeeded(), HealthChange::None);
        assert!(health.allows(2, now));
    }

    #[test]
    fn it_is_paused_after_days_without_success_or_if_it_is_gone() {
        let mut health = Health::new(WebhookState::default(), 3, DAYS);
        health.failed(FAULT, Timestamp(0));
        assert_eq!(health.failed(FAULT, Timestamp(259_199_999_999)), HealthChange::None);
        assert_eq!(health.failed(FAULT, Timestamp(259_200_000_000)), HealthChange::Paused);
        assert_eq!(health.succeeded(), HealthChange::None, "it was on its way");
        assert!(
            health.is_paused() && !health.allows(0, Instant::now() + DAYS) && health.next_probe().is_none()
        );
        let mut health = Health::new(WebhookState::default(), 3, DAYS);
        health.failed(FAULT, Timestamp(0));
        health.succeeded();
        assert_eq!(health.failed(FAULT, Timestamp(259_200_000_000)), HealthChange::Failing);
        assert_eq!(
            health.failed(DeliveryFault::Status(410), Timestamp(259_200_000_000)),
            HealthChange::Paused
        );
    }
}
