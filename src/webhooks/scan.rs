//! Looks at all accounts for those with changes to deliver, a page at a time.

use std::time::Duration;

use tokio::time::Instant;

use super::delivery::Deliveries;
use super::queue::OwnerQueue;
use crate::model::Timestamp;

/// How often all accounts are looked at without a reason, for what crashes and commands left.
const SWEEP: Duration = Duration::from_secs(60);

/// The shortest time between two looks.
const SHORTEST_REST: Duration = Duration::from_millis(200);

/// Looks rest this many times as long as they took, so that many accounts do not keep the database busy.
const REST: u32 = 20;

/// How long to wait after an error of the database.
const DATABASE_RETRY: Duration = Duration::from_secs(5);

/// The state of the looks.
pub(super) struct AccountScan {
    /// Where a look is. `None`: it has ended.
    after: Option<String>,
    due_at: Instant,
    /// When another look may begin.
    rest_until: Instant,
    /// How long this look has worked.
    worked: Duration,
    /// Whether owners who wait after a failure are wanted, too.
    includes_waiting: bool,
    is_woken: bool,
    /// Before the first look, accounts get positions: up to this one. `None`: all have one.
    registered: Option<String>,
}

impl AccountScan {
    /// The owners that a step adds at most.
    pub(super) const OWNERS: usize = 500;

    /// The first look is due at once. It includes owners who wait: the receiver may be another one now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            after: Some(String::new()),
            due_at: now,
            rest_until: now,
            worked: Duration::ZERO,
            includes_waiting: true,
            is_woken: false,
            registered: Some(String::new()),
        }
    }

    /// Whether accounts are still to get positions.
    pub(super) fn is_registering(&self) -> bool {
        self.registered.is_some()
    }

    /// Wants a look soon.
    pub(super) fn wake(&mut self) {
        if self.after.is_some() {
            self.is_woken = true;
        } else {
            self.due_at = self.due_at.min(self.rest_until);
        }
    }

    /// The same with owners who wait after a failure.
    pub(super) fn wake_all(&mut self) {
        self.after = None;
        self.includes_waiting = true;
        self.wake();
    }

    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_at <= now
    }

    /// Gives positions to some accounts, or adds some owners to the queue.
    pub(super) async fn step(&mut self, deliveries: &Deliveries, queue: &mut OwnerQueue) {
        match self.registered.take() {
            Some(after) => self.register(deliveries, after).await,
            None => self.look(deliveries, queue).await,
        }
    }

    async fn register(&mut self, deliveries: &Deliveries, after: String) {
        let Deliveries { store, lease, endpoint, .. } = deliveries;
        match store.add_webhook_positions(lease, &endpoint.owners, &after).await {
            Ok(next) => self.registered = next,
            Err(error) => {
                tracing::warn!(webhook = endpoint.name, %error, "cannot register a webhook");
                self.registered = Some(after);
                self.due_at = Instant::now() + DATABASE_RETRY;
            }
        }
    }

    async fn look(&mut self, deliveries: &Deliveries, queue: &mut OwnerQueue) {
        let begun = Instant::now();
        let after = self.after.take().unwrap_or_default();
        let until = if self.includes_waiting { Timestamp(i64::MAX - 1) } else { deliveries.clock.now() };
        let owners = &deliveries.endpoint.owners;
        let found = deliveries
            .store
            .owners_behind(&deliveries.lease, owners, &after, Self::OWNERS as u64, until)
            .await;
        self.worked += begun.elapsed();
        match found {
            Ok((owners, next)) => {
                for owner in owners {
                    queue.add(owner);
                }
                self.after = next;
            }
            Err(error) => {
                tracing::warn!(webhook = deliveries.endpoint.name, %error, "cannot look for changes to deliver");
                self.after = Some(after);
                self.due_at = begun + DATABASE_RETRY;
                return;
            }
        }
        if self.after.is_none() {
            let now = Instant::now();
            self.rest_until = now + (self.worked * REST).max(SHORTEST_REST);
            self.due_at = if self.is_woken { self.rest_until } else { (now + SWEEP).max(self.rest_until) };
            self.worked = Duration::ZERO;
            self.includes_waiting = false;
            self.is_woken = false;
        }
    }
}
