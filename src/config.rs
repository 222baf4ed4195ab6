//! Settings: their sources and their values.
//!
//! Settings come from the defaults, a TOML file, the environment and flags; later sources override earlier
//! ones. `default.toml` contains every setting. An invalid value is rejected with the name and the source of
//! the setting, an unknown name with the nearest known one. Secrets appear neither in `Debug` nor in errors.

mod audit;
mod auth;
mod database_url;
mod erasure;
mod error;
mod exports;
mod federation;
mod files;
mod imports;
mod issuer;
mod jwt_secret;
mod limits;
mod load;
mod names;
mod openai;
mod otel;
mod reload;
mod retention;
mod schema;
mod secret_file;
mod shares;
mod traces;
mod value;
mod webhook;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use audit::Audit;
pub use auth::Auth;
pub use database_url::check as check_database_url;
pub use erasure::Erasure;
pub use error::ConfigError;
pub use exports::Exports;
pub use federation::Federation;
pub use files::Files;
pub use imports::Imports;
pub use issuer::Issuer;
pub use jwt_secret::JwtSecret;
pub use limits::Limits;
pub use load::{Sources, load};
pub use names::environment;
pub use openai::OpenAi;
pub use reload::{Reload, Values};
pub use retention::{InactiveAction, Retention};
pub use schema::schema;
pub use shares::Shares;
pub use traces::Traces;
pub use value::Secret;
pub use webhook::{JetStream, Webhook};

/// The commented default file, as `scrollback config` prints it.
pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Development or production.
    pub mode: Mode,
    /// The folder of the embedded database and the development secret.
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub server: Server,
    /// Limits of a request.
    pub limits: Limits,
    /// Persisted documents.
    pub documents: Documents,
    /// Apollo Federation.
    pub federation: Federation,
    /// The rate limit of an owner.
    pub rate: Rate,
    /// The database.
    pub database: Database,
    /// Authentication.
    pub auth: Auth,
    /// Subscriptions and the change feed.
    pub feed: Feed,
    /// How long conversations are kept.
    pub retention: Retention,
    /// Shares.
    pub shares: Shares,
    /// Exports over HTTP.
    pub exports: Exports,
    /// Imports over HTTP.
    pub imports: Imports,
    /// Conversations for the packages of OpenAI.
    pub openai: OpenAi,
    /// Attachments.
    pub files: Files,
    /// The audit log.
    pub audit: Audit,
    /// Erasure of users.
    pub erasure: Erasure,
    /// Logging.
    pub log: Log,
    /// Traces.
    pub traces: Traces,
    /// Webhooks.
    pub webhooks: Vec<Webhook>,
    /// The publisher to NATS JetStream.
    pub jetstream: JetStream,
    /// The configuration file, if it contains a secret.
    #[serde(skip)]
    pub file_with_secrets: Option<PathBuf>,
    /// The values as they were read, to find what has changed when they are read again.
    #[serde(skip)]
    pub values: Values,
}

/// Development or production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Works without configuration and trusts the machine.
    Development,
    /// Rejects settings that are not safe.
    Production,
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// The address and port for health checks and metrics.
    #[serde(deserialize_with = "value::optional")]
    pub admin_listen: Option<SocketAddr>,
    /// The origins of web front ends that may send requests from browsers.
    #[serde(deserialize_with = "value::origins")]
    pub cors_origins: Vec<String>,
    /// Whether introspection is allowed, errors suggest names and GraphiQL is served.
    pub introspection: Introspection,
    /// The most connections at once.
    #[serde(deserialize_with = "value::positive")]
    pub max_connections: u32,
    /// The most connections at once from one address. `None`: no limit.
    #[serde(deserialize_with = "value::limit")]
    pub connections_per_address: Option<NonZeroU32>,
    /// The largest request head, in bytes.
    #[serde(deserialize_with = "value::header_limit")]
    pub header_limit: u32,
    /// The timeout for reading the head of a request.
    #[serde(deserialize_with = "value::positive_duration")]
    pub header_timeout: Duration,
    /// The largest request body, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub body_limit: u32,
    /// The timeout for reading the body of a request.
    #[serde(deserialize_with = "value::positive_duration")]
    pub body_timeout: Duration,
    /// The most bytes that are read and discarded after an early response.
    #[serde(deserialize_with = "value::positive")]
    pub lingering_bytes: u32,
    /// The time for which bytes are read and discarded after an early response.
    #[serde(deserialize_with = "value::positive_duration")]
    pub lingering_time: Duration,
    /// The timeout of an idle connection.
    #[serde(deserialize_with = "value::positive_duration")]
    pub keep_alive: Duration,
    /// The timeout for a client to read data.
    #[serde(deserialize_with = "value::positive_duration")]
    pub write_timeout: Duration,
    /// The timeout of an operation.
    #[serde(deserialize_with = "value::positive_duration")]
    pub execution_timeout: Duration,
    /// The timeout for `connection_init` of a WebSocket client.
    #[serde(deserialize_with = "value::positive_duration")]
    pub init_timeout: Duration,
    /// The largest WebSocket message of a client, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub message_limit: u32,
    /// The most operations that run at once on a WebSocket.
    #[serde(deserialize_with = "value::positive")]
    pub operations_per_socket: u32,
    /// The most open WebSockets of an owner.
    #[serde(deserialize_with = "value::positive")]
    pub sockets_per_owner: u32,
    /// The most open streams of server-sent events of an owner.
    #[serde(deserialize_with = "value::positive")]
    pub streams_per_owner: u32,
    /// The interval of pings to an idle client.
    #[serde(deserialize_with = "value::positive_duration")]
    pub ping_interval: Duration,
    /// The time after which a silent client of a WebSocket or an HTTP/2 connection counts as disconnected.
    #[serde(deserialize_with = "value::positive_duration")]
    pub dead_after: Duration,
    /// The time over which WebSockets and streams are closed after SIGTERM.
    #[serde(deserialize_with = "value::duration")]
    pub drain: Duration,
    /// The memory of all operations, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub memory: u32,
    /// The memory of the operations of one owner, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub memory_per_owner: u32,
    /// The time for running operations to finish after SIGTERM.
    #[serde(deserialize_with = "value::duration")]
    pub shutdown_timeout: Duration,
}

/// Whether introspection is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introspection {
    /// Only in development.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Persisted documents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// A manifest of trusted documents, or a folder of manifests.
    #[serde(deserialize_with = "value::optional")]
    pub manifest: Option<PathBuf>,
    /// Whether other documents are rejected.
    pub only: bool,
    /// Whether automatic persisted queries are enabled.
    pub automatic: bool,
    /// The most automatic persisted queries.
    #[serde(deserialize_with = "value::positive")]
    pub automatic_entries: u32,
    /// The most bytes of automatic persisted queries.
    #[serde(deserialize_with = "value::positive")]
    pub automatic_bytes: u32,
}

/// The rate limit of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The operations per minute. `None`: no limit.
    #[serde(deserialize_with = "value::limit")]
    pub operations_per_minute: Option<NonZeroU32>,
    /// The operations at once after a pause.
    pub burst: NonZeroU32,
}

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://path` or `postgres://…`; may hold a password.
    #[serde(deserialize_with = "value::database_url")]
    pub url: Option<Secret>,
    /// A file with the URL, instead of `url`.
    #[serde(deserialize_with = "value::optional")]
    pub url_file: Option<PathBuf>,
    /// The most connections at once.
    #[serde(deserialize_with = "value::positive")]
    pub max_connections: u32,
    /// The time that a request waits for a connection.
    #[serde(deserialize_with = "value::duration")]
    pub acquire_timeout: Duration,
    /// The timeout of a statement.
    #[serde(deserialize_with = "value::duration")]
    pub statement_timeout: Duration,
    /// Whether pending migrations are applied at startup.
    pub migrate: bool,
    /// Whether PostgreSQL checks ownership too.
    pub row_level_security: RowLevelSecurity,
    /// The batches of appends that are written at once on PostgreSQL.
    #[serde(deserialize_with = "value::workers")]
    pub write_workers: u32,
    /// The most queued appends.
    #[serde(deserialize_with = "value::positive")]
    pub write_queue: u32,
    /// The most bytes of queued appends.
    #[serde(deserialize_with = "value::positive")]
    pub write_queue_bytes: u32,
}

/// Whether PostgreSQL checks ownership too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowLevelSecurity {
    /// No.
    Off,
    /// Transactions set their owners, but there are no policies.
    Ready,
    /// Transactions set their owners, and policies check them.
    On,
}

/// Subscriptions and the change feed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The interval at which subscriptions poll.
    #[serde(deserialize_with = "value::duration")]
    pub poll: Duration,
    /// The NATS server for signals between replicas.
    #[serde(deserialize_with = "value::optional")]
    pub signals: Option<Secret>,
    /// A file with the URL of that server, instead of `signals`.
    #[serde(deserialize_with = "value::optional")]
    pub signals_file: Option<PathBuf>,
    /// The time for which changes are kept.
    #[serde(deserialize_with = "value::duration")]
    pub keep: Duration,
    /// The interval at which old changes are deleted.
    #[serde(deserialize_with = "value::duration")]
    pub trim: Duration,
    /// The time after which a streaming message without new text is interrupted.
    #[serde(deserialize_with = "value::duration")]
    pub lease: Duration,
}

/// Logging.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The log format.
    pub format: LogFormat,
    /// A log level or a filter.
    pub level: String,
    /// The time from which on queries and mutations are logged. `None`: they are not.
    #[serde(deserialize_with = "value::duration_or_never")]
    pub slow_operation: Option<Duration>,
}

/// The log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl Config {
    /// Whether introspection is allowed, errors suggest names and GraphiQL is served.
    pub fn introspection(&self) -> bool {
        match self.server.introspection {
            Introspection::Auto => self.mode == Mode::Development,
            Introspection::On => true,
            Introspection::Off => false,
        }
    }

    /// Where the contents of attachments are. `None`: there is no place for them.
    pub fn file_storage(&self) -> Option<String> {
        let is_embedded = !self.database_url().starts_with("postgres");
        let default = || is_embedded.then(|| self.data_dir.join("files").display().to_string());
        self.files.storage.clone().or_else(default)
    }

    /// Whether there are attachments.
    pub fn has_attachments(&self) -> bool {
        self.files.enabled && self.file_storage().is_some()
    }

    /// The URL of the database: the configured one, or a file in the data folder.
    pub fn database_url(&self) -> String {
        self.database.url.as_ref().map_or_else(
            || format!("sqlite://{}", self.data_dir.join("scrollback.db").display()),
            |url| url.expose().to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
