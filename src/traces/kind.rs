//! Roles of spans.

use opentelemetry::trace::SpanKind;

/// The role of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Handles a request of a client.
    Server,
    /// Waits for another system: the database, or the receiver of a webhook.
    Client,
    /// Neither.
    Internal,
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Client => Self::Client,
            Kind::Internal => Self::Internal,
        }
    }
}
