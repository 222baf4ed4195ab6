//! Delivers for one webhook while this process holds its lease.
//!
//! Owners with changes come from the commits of this process, and from looks at all accounts: at the beginning, when other
//! replicas say that they committed something, and from time to time. Positions are stored in batches, so a crash repeats
//! deliveries of a moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::delivery::{Deliveries, DeliveryEnd, DeliveryReport, ReachedPosition};
use super::health::{Health, HealthChange};
use super::queue::OwnerQueue;
use super::scan::AccountScan;
use crate::model::{DeliveryFault, OwnerId, Timestamp, WebhookProgress, WebhookState};
use crate::signals::Listener;
use crate::store;

/// How long a lease lasts. Longer than a delivery, so that none is on its way when another process takes over.
pub(super) const LEASE: Duration = Duration::from_secs(20);

/// How often a lease is renewed, and how often other processes try to take it.
pub(super) const RENEWAL: Duration = Duration::from_secs(4);

/// The shortest time between two writes of positions.
const STORE_INTERVAL: Duration = Duration::from_millis(200);

/// How long to wait after an error of the database.
pub(super) const DATABASE_RETRY: Duration = Duration::from_secs(1);

/// Why a process stops to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    /// The process stops.
    Stopped,
    /// Another process has the lease.
    LeaseLost,
    /// There is a bug in a delivery.
    Panicked,
}

/// The deliveries of a webhook by this process.
pub(super) struct Dispatcher {
    deliveries: Arc<Deliveries>,
    lease_until: watch::Sender<Instant>,
    renew_at: Instant,
    queue: OwnerQueue,
    health: Health,
    scan: AccountScan,
    running: JoinSet<DeliveryReport>,
    reached: mpsc::UnboundedReceiver<ReachedPosition>,
    /// What is not in the database yet.
    unstored: HashMap<OwnerId, WebhookProgress>,
    store_at: Instant,
    /// A change of the state that is not in the database yet.
    unstored_state: Option<Option<DeliveryFault>>,
}

impl Dispatcher {
    /// `lease_until` is when the lease ends, and `reached` gets what `deliveries` reach.
    pub(super) fn new(
        deliveries: Deliveries,
        lease_until: watch::Sender<Instant>,
        reached: mpsc::UnboundedReceiver<ReachedPosition>,
        state: WebhookState,
    ) -> Self {
        let endpoint = &deliveries.endpoint;
        let health = Health::new(state, endpoint.concurrency, endpoint.retry_for);
        let now = Instant::now();
        let dispatcher = Self {
            deliveries: Arc::new(deliveries),
            lease_until,
            renew_at: now + RENEWAL,
            queue: OwnerQueue::default(),
            health,
            scan: AccountScan::new(now),
            running: JoinSet::new(),
            reached,
            unstored: HashMap::new(),
            store_at: now,
            unstored_state: None,
        };
        dispatcher.show_state();
        dispatcher
    }

    /// Delivers until the lease is lost or the process stops. Then it stores positions and gives the lease back.
    pub(super) async fn run(
        mut self,
        mut changed: broadcast::Receiver<OwnerId>,
        mut replicas: Listener,
        stop: CancellationToken,
    ) -> StopReason {
        let ended = loop {
            if let Some(ended) = self.work().await {
                break ended;
            }
            let until = self.next_work_at();
            tokio::select! {
                () = stop.cancelled() => break StopReason::Stopped,
                Some(report) = self.running.join_next() => match report {
                    Ok(report) => self.take_report(report),
                    Err(error) => {
                        tracing::error!(webhook = self.deliveries.endpoint.name, %error, "a delivery panicked");
                        break StopReason::Panicked;
                    }
                },
                Some(reached) = self.reached.recv() => self.take_reached(reached),
                owner = changed.recv() => self.take_changed(owner),
                _ = replicas.notified() => self.scan.wake(),
                () = tokio::time::sleep_until(until) => {}
            }
        };
        self.running.shutdown().await;
        if ended != StopReason::LeaseLost {
            self.give_back().await;
        }
        self.deliveries.figures.owners.store(0, Ordering::Relaxed);
        ended
    }

    /// Does what is due, and starts deliveries.
    async fn work(&mut self) -> Option<StopReason> {
        let now = Instant::now();
        while let Ok(reached) = self.reached.try_recv() {
            self.take_reached(reached);
        }
        if now >= self.renew_at && !self.renew().await {
            return Some(StopReason::LeaseLost);
        }
        if self.has_unstored() && now >= self.store_at && !self.store().await {
            return Some(StopReason::LeaseLost);
        }
        if self.may_scan() && self.scan.is_due(now) {
            // The database then says who is behind, without those whose positions are about to be stored.
            if !self.store().await {
                return Some(StopReason::LeaseLost);
            }
            self.scan.step(&self.deliveries, &mut self.queue).await;
        }
        self.queue.end_waits_until(now);
        while self.may_start(now) {
            let Some(owner) = self.queue.start() else { break };
            let known = self.unstored.get(&owner).cloned();
            self.running.spawn(self.deliveries.clone().run(owner, known));
        }
        self.deliveries.figures.owners.store(self.queue.len(), Ordering::Relaxed);
        None
    }

    fn may_scan(&self) -> bool {
        self.scan.is_registering() || (!self.health.is_paused() && self.queue.has_room(AccountScan::OWNERS))
    }

    fn may_start(&self, now: Instant) -> bool {
        let left = self.lease_until.borrow().saturating_duration_since(now);
        left > self.deliveries.endpoint.timeout + RENEWAL / 2 && self.health.allows(self.running.len(), now)
    }

    /// When something is to be done without an event.
    fn next_work_at(&self) -> Instant {
        let mut until = self.renew_at;
        if self.has_unstored() {
            until = until.min(self.store_at);
        }
        if self.may_scan() {
            until = until.min(self.scan.due_at());
        }
        if self.health.is_paused() {
            return until;
        }
        // If a delivery may not begin for another reason, the end of another one or a renewal wakes this up.
        let now = Instant::now();
        let probe = self.health.next_probe().filter(|_| self.queue.has_ready());
        let next = [probe, self.queue.next_ready_at()].into_iter().flatten().filter(|at| *at > now).min();
        next.map_or(until, |at| until.min(at))
    }

    /// Returns false if the lease was lost.
    async fn renew(&mut self) -> bool {
        let now = Instant::now();
        match self.deliveries.store.renew_webhook_lease(&self.deliveries.lease, LEASE).await {
            Ok(true) => {
                self.lease_until.send_replace(now + LEASE);
                self.renew_at = now + RENEWAL;
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.warn(&error, "cannot renew the lease of a webhook");
                self.renew_at = now + DATABASE_RETRY;
                true
            }
        }
    }

    fn has_unstored(&self) -> bool {
        !self.unstored.is_empty() || self.unstored_state.is_some()
    }

    /// Stores positions. Returns false if the lease was lost.
    async fn store(&mut self) -> bool {
        let Deliveries { store, lease, .. } = &*self.deliveries;
        let state = async {
            match self.unstored_state {
                Some(fault) => store.set_webhook_state(lease, self.health.state(), fault).await,
                None => Ok(true),
            }
        };
        let progress: Vec<_> =
            self.unstored.iter().map(|(owner, progress)| (owner.clone(), progress.clone())).collect();
        let stored = match state.await {
            Ok(true) if !progress.is_empty() => store.store_webhook_progress(lease, &progress).await,
            stored => stored,
        };
        match stored {
            Ok(true) => {
                self.unstored.clear();
                self.unstored_state = None;
                self.store_at = Instant::now() + STORE_INTERVAL;
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.warn(&error, "cannot store the positions of a webhook");
                self.store_at = Instant::now() + DATABASE_RETRY;
                true
            }
        }
    }

    fn take_changed(&mut self, owner: Result<OwnerId, RecvError>) {
        match owner {
            Ok(owner) if self.health.is_paused() || !self.deliveries.endpoint.is_about(&owner) => {}
            Ok(owner) => {
                if !self.queue.add(owner) {
                    self.scan.wake();
                }
            }
            Err(RecvError::Lagged(_)) => self.scan.wake(),
            // The store lives as long as this.
            Err(RecvError::Closed) => {}
        }
    }

    fn take_reached(&mut self, reached: ReachedPosition) {
        let ReachedPosition { owner, revision, is_accepted } = reached;
        self.unstored.insert(owner, WebhookProgress::delivered(revision));
        if is_accepted {
            let was_down = self.health.next_probe().is_some();
            let change = self.health.succeeded();
            self.take_health(change, None);
            if was_down {
                self.queue.end_waits();
                self.scan.wake_all();
            }
        }
    }

    fn take_report(&mut self, report: DeliveryReport) {
        // What the delivery reached comes before its end.
        while let Ok(reached) = self.reached.try_recv() {
            self.take_reached(reached);
        }
        let DeliveryReport { owner, progress, end } = report;
        match end {
            DeliveryEnd::UpToDate => self.queue.finish(owner, false),
            DeliveryEnd::More | DeliveryEnd::LeaseEnds => self.queue.finish(owner, true),
            DeliveryEnd::Failed(fault) => self.take_failure(owner, &progress, fault),
            DeliveryEnd::Unavailable(error) => {
                self.warn(&error, "cannot read the changes of an owner for a webhook");
                self.queue.postpone(owner, Some(Instant::now() + DATABASE_RETRY));
            }
        }
    }

    fn take_failure(&mut self, owner: OwnerId, before: &WebhookProgress, fault: DeliveryFault) {
        let now = self.deliveries.clock.now();
        let attempts = before.attempts + 1;
        let failing_since = before.failing_since.unwrap_or(now);
        let wait = backoff::wait(u64::try_from(attempts).unwrap_or(1), backoff::LONGEST);
        let is_given_up = self.health.is_given_up(failing_since, now);
        let next_attempt_at = if is_given_up {
            tracing::warn!(
                webhook = self.deliveries.endpoint.name,
                %fault,
                "deliveries for a user failed for too long and are given up: `scrollback webhooks resume` tries them again"
            );
            Timestamp(i64::MAX)
        } else {
            let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
            Timestamp(now.0.saturating_add(micros))
        };
        let progress = WebhookProgress {
            revision: before.revision,
            attempts,
            failing_since: Some(failing_since),
            next_attempt_at: Some(next_attempt_at),
        };
        self.unstored.insert(owner.clone(), progress);
        self.queue.postpone(owner, (!is_given_up).then(|| Instant::now() + wait));
        let change = self.health.failed(fault, now);
        self.take_health(change, Some(fault));
    }

    /// Notes and logs what became of the receiver.
    fn take_health(&mut self, change: HealthChange, fault: Option<DeliveryFault>) {
        let webhook = &self.deliveries.endpoint.name;
        let fault_text = fault.map(|fault| fault.to_string()).unwrap_or_default();
        match change {
            HealthChange::None => return,
            HealthChange::Failing => {
                tracing::warn!(webhook, fault = fault_text, "a webhook fails and is tried again");
            }
            HealthChange::Recovered => tracing::info!(webhook, "a webhook works again"),
            HealthChange::Paused => tracing::error!(
                webhook,
                fault = fault_text,
                "a webhook is paused: `scrollback webhooks resume {webhook}` delivers again"
            ),
        }
        self.unstored_state = Some(fault);
        self.store_at = self.store_at.min(Instant::now());
        self.show_state();
    }

    fn show_state(&self) {
        let WebhookState { failing_since, paused_since } = self.health.state();
        self.deliveries.figures.is_failing.store(failing_since.is_some(), Ordering::Relaxed);
        self.deliveries.figures.is_paused.store(paused_since.is_some(), Ordering::Relaxed);
    }

    /// Stores positions and gives the lease back, at the end of the process.
    async fn give_back(&mut self) {
        while let Ok(reached) = self.reached.try_recv() {
            self.take_reached(reached);
        }
        self.store().await;
        if let Err(error) = self.deliveries.store.release_webhook_lease(&self.deliveries.lease).await {
            self.warn(&error, "cannot give back the lease of a webhook");
        }
    }

    fn warn(&self, error: &store::Error, message: &str) {
        tracing::warn!(webhook = self.deliveries.endpoint.name, %error, "{message}");
    }
}
