//! What the configuration says about a webhook.

use std::time::Duration;

use hyper::Uri;

use super::signature::SigningSecret;
use crate::model::{EventType, OwnerId, OwnerPattern};

/// What a webhook sends.
#[derive(Debug)]
pub struct Endpoint {
    /// The name, also in the database and in metrics.
    pub name: String,
    /// The events to send. Empty: all.
    pub events: Vec<EventType>,
    /// The owners whose changes are sent. Empty: all.
    pub owners: Vec<OwnerPattern>,
    /// Whether events have the message or conversation.
    pub includes_content: bool,
    /// The most deliveries at once, of all replicas together.
    pub concurrency: usize,
    /// The time for a delivery.
    pub timeout: Duration,
    /// The time after the first failure for which deliveries are tried again.
    pub retry_for: Duration,
}

/// Where a webhook sends events.
#[derive(Debug)]
pub enum Receiver {
    /// An HTTP server.
    Http(HttpReceiver),
    /// A stream of NATS JetStream.
    JetStream(JetStreamReceiver),
}

/// An HTTP server.
#[derive(Debug)]
pub struct HttpReceiver {
    /// The URL.
    pub url: Uri,
    /// The secrets that sign. The receiver accepts any of them.
    pub secrets: Vec<SigningSecret>,
    /// Whether it may have a private address.
    pub allows_private_addresses: bool,
}

/// A stream of NATS JetStream.
pub struct JetStreamReceiver {
    /// The URL of the NATS server; may hold a password.
    pub url: String,
    /// The first part of the subjects.
    pub subject: String,
}

impl std::fmt::Debug for JetStreamReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JetStreamReceiver").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Whether a webhook gets the changes of an owner.
    pub(super) fn is_about(&self, owner: &OwnerId) -> bool {
        self.owners.is_empty() || self.owners.iter().any(|pattern| pattern.matches(owner))
    }

    /// Whether a webhook gets events of a type.
    pub(super) fn wants(&self, event: EventType) -> bool {
        self.events.is_empty() || event == EventType::ChangesLost || self.events.contains(&event)
    }
}
