//! What the configuration says about a webhook.

use std::time::Duration;

use hyper::Uri;

use super::signature::SigningSecret;
use crate::model::{EventType, OwnerId, OwnerPattern};

/// A webhook.
#[derive(Debug)]
pub struct Endpoint {
    /// The name, also in the database and in metrics.
    pub name: String,
    /// Where events are sent.
    pub url: Uri,
    /// The secrets that sign. Receivers accept any of them.
    pub secrets: Vec<SigningSecret>,
    /// The events to send. Empty: all.
    pub events: Vec<EventType>,
    /// The owners whose changes are sent. Empty: all.
    pub owners: Vec<OwnerPattern>,
    /// Whether events have the message or conversation.
    pub includes_content: bool,
    /// Whether the receiver may have a private address.
    pub allows_private_addresses: bool,
    /// The most deliveries at once, of all replicas together.
    pub concurrency: usize,
    /// The time for a delivery.
    pub timeout: Duration,
    /// The time after the first failure for which deliveries are tried again.
    pub retry_for: Duration,
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
