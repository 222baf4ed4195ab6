//! The settings of the server.

use std::net::IpAddr;
use std::time::Duration;

use super::jobs::JobFigures;
use crate::rate_limit::RateLimiter;
use crate::traces::Tracer;
use crate::webhooks::WebhookFigures;

/// The settings under `[server]`, described in the default configuration.
#[derive(Clone)]
pub struct Settings {
    /// Most connections at once.
    pub max_connections: usize,
    /// Most connections at once from one address; any number without one.
    pub connections_per_address: Option<usize>,
    /// Most bytes of a request's head.
    pub header_limit: usize,
    /// How long the head of a request may take, and a new connection to its first request.
    pub header_timeout: Duration,
    /// Largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// Most bytes that the server reads and drops after an early answer, before it closes the connection.
    pub lingering_bytes: u64,
    /// How long it does so.
    pub lingering_time: Duration,
    /// How long a connection may be without a request.
    pub keep_alive: Duration,
    /// How long a client may take to read the next piece of an answer, or a WebSocket's message.
    pub write_timeout: Duration,
    /// How long an operation may take.
    pub execution_timeout: Duration,
    /// How long a WebSocket client may take to introduce itself.
    pub init_timeout: Duration,
    /// Largest message of a WebSocket client, in bytes.
    pub message_limit: usize,
    /// Operations that one WebSocket may run at once.
    pub operations_per_socket: usize,
    /// WebSockets that one owner may have open at once.
    pub sockets_per_owner: usize,
    /// Streams of server-sent events that one owner may have open at once.
    pub streams_per_owner: usize,
    /// How often a quiet WebSocket, stream or HTTP/2 connection is sent something.
    pub ping_interval: Duration,
    /// How long the other side of a WebSocket or an HTTP/2 connection may be silent.
    pub dead_after: Duration,
    /// Over how long sockets and streams are closed once the shutdown has begun.
    pub drain: Duration,
    /// How long running operations may go on once the shutdown has begun.
    pub shutdown_timeout: Duration,
    /// Origins of web front ends that may call from browsers.
    pub cors_origins: Vec<String>,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Whether shares are served.
    pub shares: bool,
    /// Whether conversations can be exported.
    pub exports: bool,
    /// Whether users can import conversations.
    pub imports: bool,
    /// Whether the packages of OpenAI can be used.
    pub openai: bool,
    /// The most imports at once.
    pub imports_at_once: usize,
    /// The most imports of an owner at once.
    pub imports_per_owner: usize,
    /// The largest body of an import.
    pub import_bytes: u64,
    /// How long an import may take.
    pub imports_timeout: Duration,
    /// The most exports at once.
    pub exports_at_once: usize,
    /// The most exports of an owner at once.
    pub exports_per_owner: usize,
    /// How long an export may take.
    pub exports_timeout: Duration,
    /// Whether attachments are taken and served.
    pub files: bool,
    /// The most uploads at once.
    pub uploads: usize,
    /// The most uploads of an owner at once.
    pub uploads_per_owner: usize,
    /// Whether the page of a share shows images of other hosts.
    pub share_images: bool,
    /// How often an address may read shares.
    pub share_views: RateLimiter<IpAddr>,
    /// How many operations an owner may begin.
    pub rate: RateLimiter,
    /// What webhooks did, for metrics.
    pub webhooks: WebhookFigures,
    /// What background jobs did, for metrics.
    pub jobs: JobFigures,
    /// Configured limits by the names of their settings, for metrics.
    pub limits: Vec<(&'static str, u64)>,
    /// Begins traces.
    pub tracer: Tracer,
    /// The time from which on queries and mutations are logged. `None`: they are not.
    pub slow_operation: Option<Duration>,
}
