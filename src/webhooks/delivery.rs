//! Delivers the next changes of one owner, one after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::figures::Figures;
use super::jet_stream::JetStream;
use super::sender::Sender;
use crate::clock::Clock;
use crate::model::{
    ChangeKind, CommittedChange, DeliveryFault, EventType, OwnerId, Viewer, WebhookEvent, WebhookProgress,
};
use crate::store::{self, Scoped, Store, WebhookLease};
use crate::traces::{Kind, Tracer};

/// Changes of an owner that are read at once. Then others have their turn.
const PAGE: u32 = 50;

/// The way to a receiver.
pub(super) enum DeliveryChannel {
    Http(Box<Sender>),
    JetStream(JetStream),
}

/// What all deliveries of a webhook share while this process holds the lease.
pub(super) struct Deliveries {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) channel: Arc<DeliveryChannel>,
    pub(super) lease: WebhookLease,
    /// Until when no other process takes over.
    pub(super) lease_until: watch::Receiver<Instant>,
    /// Takes each position that was reached.
    pub(super) reached: mpsc::UnboundedSender<ReachedPosition>,
    pub(super) figures: Arc<Figures>,
    pub(super) tracer: Tracer,
}

/// A position that was reached.
pub(super) struct ReachedPosition {
    pub(super) owner: OwnerId,
    pub(super) revision: i64,
    /// Whether the receiver accepted an event. Otherwise it does not want the event.
    pub(super) is_accepted: bool,
}

/// How the deliveries of an owner ended, and how far they came.
pub(super) struct DeliveryReport {
    pub(super) owner: OwnerId,
    pub(super) progress: WebhookProgress,
    pub(super) end: DeliveryEnd,
}

pub(super) enum DeliveryEnd {
    /// All changes were delivered.
    UpToDate,
    /// There may be more.
    More,
    /// The receiver did not accept an event.
    Failed(DeliveryFault),
    /// The database failed.
    Unavailable(store::Error),
    /// The lease ends too soon.
    LeaseEnds,
}

impl Deliveries {
    /// Delivers some changes of an owner. `known` is the position if it is newer than that of the database.
    pub(super) async fn run(
        self: Arc<Self>,
        owner: OwnerId,
        known: Option<WebhookProgress>,
    ) -> DeliveryReport {
        let mut progress = known.clone().unwrap_or_else(|| WebhookProgress::delivered(0));
        let end = match known {
            Some(_) => self.deliver(&owner, &mut progress).await,
            None => match self.store.webhook_position(&self.lease, &owner).await {
                Ok(Some(stored)) => {
                    progress = stored;
                    self.deliver(&owner, &mut progress).await
                }
                // The owner is being erased.
                Ok(None) => Ok(DeliveryEnd::UpToDate),
                Err(error) => Err(error),
            },
        };
        DeliveryReport { owner, progress, end: end.unwrap_or_else(DeliveryEnd::Unavailable) }
    }

    async fn deliver(&self, owner: &OwnerId, progress: &mut WebhookProgress) -> store::Result<DeliveryEnd> {
        let scope = self.store.viewed_by(&Viewer::new(owner.clone()));
        let changes = match scope.changes(progress.revision, PAGE).await {
            Ok(changes) => changes,
            Err(store::Error::BeingErased) => return Ok(DeliveryEnd::UpToDate),
            Err(store::Error::Expired) => return self.deliver_gap(&scope, progress).await,
            Err(error) => return Err(error),
        };
        let is_last = changes.len() < PAGE as usize;
        for change in changes {
            let is_wanted = self.endpoint.wants(EventType::Change(change.change.kind));
            if is_wanted {
                let event = self.event(&scope, &change).await?;
                if let Some(end) = self.send(&event).await {
                    return Ok(end);
                }
            }
            self.reach(owner, change.revision, is_wanted, progress);
        }
        Ok(if is_last { DeliveryEnd::UpToDate } else { DeliveryEnd::More })
    }

    /// Tells the receiver that the changes after its position were trimmed.
    async fn deliver_gap(
        &self,
        scope: &Scoped,
        progress: &mut WebhookProgress,
    ) -> store::Result<DeliveryEnd> {
        let last = match scope.oldest_kept().await {
            Err(store::Error::BeingErased) => return Ok(DeliveryEnd::UpToDate),
            last => last?,
        };
        let lost = (progress.revision + 1, last);
        let event = WebhookEvent::of_gap(scope.owner(), lost, self.clock.now());
        if let Some(end) = self.send(&event).await {
            return Ok(end);
        }
        tracing::warn!(
            webhook = self.endpoint.name,
            changes = lost.1 - lost.0 + 1,
            "changes were deleted before they were delivered: the receiver got an event of that"
        );
        self.reach(scope.owner(), last, true, progress);
        Ok(DeliveryEnd::More)
    }

    async fn event(&self, scope: &Scoped, change: &CommittedChange) -> store::Result<WebhookEvent> {
        let mut event = WebhookEvent::of_change(scope.owner(), change);
        if !self.endpoint.includes_content {
            return Ok(event);
        }
        match (change.change.kind, change.change.message) {
            (ChangeKind::MessageAdded | ChangeKind::MessageUpdated, Some(id)) => {
                let message = scope.message(id).await?;
                event.data.message = Some(message.map(|message| Box::new(message.into())));
            }
            (ChangeKind::ConversationCreated | ChangeKind::ConversationUpdated, _) => {
                let conversation = scope.conversation(change.change.conversation).await?;
                event.data.conversation = Some(conversation.map(Into::into));
            }
            _ => {}
        }
        Ok(event)
    }

    /// Sends an event. Returns how the deliveries end if the receiver did not accept it.
    async fn send(&self, event: &WebhookEvent) -> Option<DeliveryEnd> {
        // So that no delivery is still on its way when another process takes over.
        let left = self.lease_until.borrow().saturating_duration_since(Instant::now());
        if left < self.endpoint.timeout + Duration::from_secs(1) {
            return Some(DeliveryEnd::LeaseEnds);
        }
        let body = match serde_json::to_vec(event) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                return Some(DeliveryEnd::Unavailable(store::Error::unavailable(error.to_string())));
            }
        };
        let id = &event.data.cursor;
        let mut span = self.tracer.begin("deliver webhook", Kind::Client, None);
        span.set("scrollback.webhook", self.endpoint.name.clone());
        span.set("scrollback.event_type", event.event_type);
        let sent = match &*self.channel {
            DeliveryChannel::Http(sender) => {
                sender.send(id, self.clock.now(), body, span.traceparent()).await
            }
            DeliveryChannel::JetStream(stream) => stream.publish(event.event_type, id, body).await,
        };
        match sent {
            Ok(()) => {
                self.figures.delivered.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(fault) => {
                span.fail(fault.to_string());
                self.figures.failed.fetch_add(1, Ordering::Relaxed);
                Some(DeliveryEnd::Failed(fault))
            }
        }
    }

    fn reach(&self, owner: &OwnerId, revision: i64, is_accepted: bool, progress: &mut WebhookProgress) {
        *progress = WebhookProgress::delivered(revision);
        // It fails if the lease was lost: then the position does not matter.
        let _ = self.reached.send(ReachedPosition { owner: owner.clone(), revision, is_accepted });
    }
}
