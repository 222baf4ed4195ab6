//! Webhooks: tell receivers about the changes of all users, at least once and in the order of each user's feed.
//!
//! The feed of changes is the source, and the position of a webhook in it is the only state: there is no queue of events
//! that could lose one. Of all replicas, the one that holds the lease of a webhook delivers it (`store`).
//!
//! - [`Webhooks::start`] runs a task for each webhook: it takes the lease, and a `Dispatcher` delivers while it is held.
//! - `delivery` delivers the changes of one owner, one after the other. Several owners are delivered at once.
//! - `sender` sends over HTTP, to addresses that `address` allows, with a `signature`. `jet_stream` publishes to NATS instead.
//! - `health` knows whether the receiver works; `backoff` says how long to wait after failures.

mod address;
mod backoff;
mod delivery;
mod dispatcher;
mod endpoint;
mod figures;
mod health;
mod jet_stream;
mod queue;
mod scan;
mod sender;
mod signature;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::WebhookState;
use crate::signals::Topic;
use crate::store::{self, Store, WebhookLease};
use crate::traces::Tracer;
use delivery::{Deliveries, DeliveryChannel};
use dispatcher::{DATABASE_RETRY, Dispatcher, LEASE, RENEWAL, StopReason};
pub use endpoint::{Endpoint, HttpReceiver, JetStreamReceiver, Receiver};
use figures::Figures;
pub use figures::{WebhookFigure, WebhookFigures};
use jet_stream::JetStream;
use sender::Sender;
pub use signature::SigningSecret;

/// The webhooks of this process.
#[derive(Default)]
pub struct Webhooks {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// A webhook that can deliver.
pub struct Webhook {
    channel: Arc<DeliveryChannel>,
    endpoint: Arc<Endpoint>,
}

impl Webhook {
    /// Prepares the client.
    ///
    /// # Errors
    /// There are no trusted certificates, or the URL has a private address or is not valid.
    pub async fn new(endpoint: Endpoint, receiver: Receiver) -> anyhow::Result<Self> {
        let (concurrency, timeout) = (endpoint.concurrency, endpoint.timeout);
        let channel = match receiver {
            Receiver::Http(receiver) => {
                DeliveryChannel::Http(Box::new(Sender::new(receiver, concurrency, timeout)?))
            }
            Receiver::JetStream(receiver) => {
                DeliveryChannel::JetStream(JetStream::new(receiver, timeout).await?)
            }
        };
        Ok(Self { channel: Arc::new(channel), endpoint: Arc::new(endpoint) })
    }
}

impl Webhooks {
    /// Delivers for all webhooks in the background, until [`Webhooks::stop`] or until this is dropped. `figures` has
    /// theirs from now on.
    pub fn start(
        store: &Store,
        clock: &Clock,
        webhooks: Vec<Webhook>,
        figures: &WebhookFigures,
        tracer: &Tracer,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut all = Vec::with_capacity(webhooks.len());
        for Webhook { channel, endpoint } in webhooks {
            let own = figures.of(&endpoint.name);
            all.push((endpoint.name.clone(), own.clone()));
            let task = WebhookTask {
                store: store.clone(),
                clock: clock.clone(),
                channel,
                endpoint,
                figures: own,
                tracer: tracer.clone(),
                server: clock.new_id().to_string(),
                stop: stop.clone(),
            };
            tasks.spawn(task.run());
        }
        figures.set(all);
        Self { tasks, stop }
    }

    /// Stops deliveries, stores positions, and gives leases back.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What one webhook needs.
struct WebhookTask {
    store: Store,
    clock: Clock,
    channel: Arc<DeliveryChannel>,
    endpoint: Arc<Endpoint>,
    figures: Arc<Figures>,
    tracer: Tracer,
    /// This process, in the lease.
    server: String,
    stop: CancellationToken,
}

impl WebhookTask {
    async fn run(self) {
        let stop = self.stop.clone();
        loop {
            let taken = tokio::select! {
                () = stop.cancelled() => return,
                taken = self.take_lease() => taken,
            };
            match taken {
                Ok((lease, state, begun)) => match self.deliver(lease, state, begun).await {
                    StopReason::Stopped => return,
                    StopReason::LeaseLost => {
                        tracing::info!(
                            webhook = self.endpoint.name,
                            "another process changes or delivers this webhook"
                        );
                    }
                    StopReason::Panicked => tokio::time::sleep(DATABASE_RETRY).await,
                },
                Err(error) => {
                    tracing::warn!(webhook = self.endpoint.name, %error, "cannot take the lease of a webhook");
                    tokio::time::sleep(DATABASE_RETRY).await;
                }
            }
        }
    }

    /// Waits until this process has the lease. Returns when it was taken.
    async fn take_lease(&self) -> store::Result<(WebhookLease, WebhookState, Instant)> {
        self.store.register_webhook(&self.endpoint.name).await?;
        loop {
            let begun = Instant::now();
            let taken = self.store.acquire_webhook_lease(&self.endpoint.name, &self.server, LEASE).await?;
            if let Some((lease, state)) = taken {
                return Ok((lease, state, begun));
            }
            tokio::time::sleep(RENEWAL).await;
        }
    }

    async fn deliver(&self, lease: WebhookLease, state: WebhookState, begun: Instant) -> StopReason {
        // Before the first look at the accounts, so that nothing falls in between.
        let changed = self.store.changed_owners();
        let replicas = self.store.signals().listen(&Topic::AllAccounts);
        let (lease_until, lease_ends) = watch::channel(begun + LEASE);
        let (reached, reached_positions) = mpsc::unbounded_channel();
        let deliveries = Deliveries {
            store: self.store.clone(),
            clock: self.clock.clone(),
            endpoint: self.endpoint.clone(),
            channel: self.channel.clone(),
            lease,
            lease_until: lease_ends,
            reached,
            figures: self.figures.clone(),
            tracer: self.tracer.clone(),
        };
        let dispatcher = Dispatcher::new(deliveries, lease_until, reached_positions, state);
        dispatcher.run(changed, replicas, self.stop.clone()).await
    }
}
