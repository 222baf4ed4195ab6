//! Settings: where they come from, what they may be.
//!
//! Defaults, then a TOML file, then the environment, then flags; later ones win. `default.toml` holds every
//! setting. A wrong value is refused with the setting's name and where it came from, an unknown name with the
//! nearest known one. Secrets show neither in `Debug` nor in errors.

mod database_url;
mod error;
mod issuer;
mod load;
mod names;
mod value;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

pub use error::ConfigError;
pub use issuer::Issuer;
pub use load::{Sources, load};
pub use names::environment;
pub use value::Secret;

/// The commented default file, as `scrollback config` prints it.
pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For a first try or for real.
    pub mode: Mode,
    /// Where the embedded database and the development secret live.
    pub data_dir: PathBuf,
    /// How requests are taken.
    pub server: Server,
    /// The most that a request may ask for.
    pub limits: Limits,
    /// Documents that have names.
    pub documents: Documents,
    /// How many operations an owner may begin.
    pub rate: Rate,
    /// Where everything is kept.
    pub database: Database,
    /// Whom to believe.
    pub auth: Auth,
    /// How news travel.
    pub feed: Feed,
    /// What is written about all this.
    pub log: Log,
    /// The configuration file, if one of its settings is a secret.
    #[serde(skip)]
    pub file_with_secrets: Option<PathBuf>,
}

/// For a first try or for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Works without configuration; trusts the machine it runs on.
    Development,
    /// Refuses whatever is not safe.
    Production,
}

/// How requests are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Another address and port, for health and metrics.
    #[serde(deserialize_with = "value::optional")]
    pub admin_listen: Option<SocketAddr>,
    /// Origins of web front ends that may call from browsers.
    #[serde(deserialize_with = "value::origins")]
    pub cors_origins: Vec<String>,
    /// Whether introspection is answered, names are suggested and GraphiQL is served.
    pub introspection: Introspection,
    /// Most connections at once.
    #[serde(deserialize_with = "value::positive")]
    pub max_connections: u32,
    /// Most connections at once from one address; any number without one.
    #[serde(deserialize_with = "value::limit")]
    pub connections_per_address: Option<NonZeroU32>,
    /// Most bytes of a request's head.
    #[serde(deserialize_with = "value::header_limit")]
    pub header_limit: u32,
    /// How long the head of a request may take.
    #[serde(deserialize_with = "value::positive_duration")]
    pub header_timeout: Duration,
    /// Largest body of a request, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub body_limit: u32,
    /// How long the body of a request may take.
    #[serde(deserialize_with = "value::positive_duration")]
    pub body_timeout: Duration,
    /// Most bytes that are read and dropped after an early answer.
    #[serde(deserialize_with = "value::positive")]
    pub lingering_bytes: u32,
    /// How long bytes are read and dropped after an early answer.
    #[serde(deserialize_with = "value::positive_duration")]
    pub lingering_time: Duration,
    /// How long a connection may be without a request.
    #[serde(deserialize_with = "value::positive_duration")]
    pub keep_alive: Duration,
    /// How long a client may take to read.
    #[serde(deserialize_with = "value::positive_duration")]
    pub write_timeout: Duration,
    /// How long an operation may take.
    #[serde(deserialize_with = "value::positive_duration")]
    pub execution_timeout: Duration,
    /// How long a WebSocket client may take to introduce itself.
    #[serde(deserialize_with = "value::positive_duration")]
    pub init_timeout: Duration,
    /// Largest message of a WebSocket client, in bytes.
    #[serde(deserialize_with = "value::positive")]
    pub message_limit: u32,
    /// Operations that a WebSocket may run at once.
    #[serde(deserialize_with = "value::positive")]
    pub operations_per_socket: u32,
    /// WebSockets that an owner may have open at once.
    #[serde(deserialize_with = "value::positive")]
    pub sockets_per_owner: u32,
    /// Streams of server-sent events that an owner may have open at once.
    #[serde(deserialize_with = "value::positive")]
    pub streams_per_owner: u32,
    /// How often a quiet client is sent something.
    #[serde(deserialize_with = "value::positive_duration")]
    pub ping_interval: Duration,
    /// How long the other side of a WebSocket or an HTTP/2 connection may be silent.
    #[serde(deserialize_with = "value::positive_duration")]
    pub dead_after: Duration,
    /// Over how long sockets and streams are closed after SIGTERM.
    #[serde(deserialize_with = "value::duration")]
    pub drain: Duration,
    /// Bytes that operations may hold at once.
    #[serde(deserialize_with = "value::positive")]
    pub memory: u32,
    /// Bytes that operations of one owner may hold at once.
    #[serde(deserialize_with = "value::positive")]
    pub memory_per_owner: u32,
    /// How long running operations may go on after SIGTERM.
    #[serde(deserialize_with = "value::duration")]
    pub shutdown_timeout: Duration,
}

/// Whether introspection is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introspection {
    /// In development.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// The most that a request may ask for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a document.
    #[serde(deserialize_with = "value::positive")]
    pub document_bytes: u32,
    /// Names, numbers, strings and punctuators of a document.
    #[serde(deserialize_with = "value::positive")]
    pub tokens: u32,
    /// Brackets, selections and values within each other.
    #[serde(deserialize_with = "value::nesting")]
    pub nesting: u32,
    /// Fragments of a document.
    #[serde(deserialize_with = "value::positive")]
    pub fragments: u32,
    /// Aliases in a document.
    #[serde(deserialize_with = "value::positive")]
    pub aliases: u32,
    /// Directives in a document.
    #[serde(deserialize_with = "value::positive")]
    pub directives: u32,
    /// Fields of an operation's first level.
    #[serde(deserialize_with = "value::positive")]
    pub root_fields: u32,
    /// Variables that an operation declares.
    #[serde(deserialize_with = "value::positive")]
    pub variables: u32,
    /// Values of variables.
    #[serde(deserialize_with = "value::positive")]
    pub values: u32,
    /// Fields within fields.
    #[serde(deserialize_with = "value::positive")]
    pub depth: u32,
    /// The same within `__schema` and `__type`.
    #[serde(deserialize_with = "value::positive")]
    pub introspection_depth: u32,
    /// Lists within lists of `__schema` and `__type`.
    #[serde(deserialize_with = "value::positive")]
    pub introspection_lists: u32,
    /// Selections of a document with its fragments spread.
    #[serde(deserialize_with = "value::positive")]
    pub selections: u32,
    /// Cost of an operation.
    #[serde(deserialize_with = "value::positive")]
    pub cost: u32,
    /// Bytes of an answer.
    #[serde(deserialize_with = "value::positive")]
    pub answer_bytes: u32,
}

/// Documents that have names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// A manifest of trusted ones, or a folder of manifests.
    #[serde(deserialize_with = "value::optional")]
    pub manifest: Option<PathBuf>,
    /// Run no others.
    pub only: bool,
    /// Keep what clients have sent once, by its hash.
    pub automatic: bool,
    /// How many of those.
    #[serde(deserialize_with = "value::positive")]
    pub automatic_entries: u32,
    /// How many bytes of them.
    #[serde(deserialize_with = "value::positive")]
    pub automatic_bytes: u32,
}

/// How many operations an owner may begin.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In a minute; any number without one.
    #[serde(deserialize_with = "value::limit")]
    pub operations_per_minute: Option<NonZeroU32>,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// Where everything is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://path` or `postgres://…`; may hold a password.
    #[serde(deserialize_with = "value::database_url")]
    pub url: Option<Secret>,
    /// Most connections at once.
    #[serde(deserialize_with = "value::positive")]
    pub max_connections: u32,
    /// How long a request waits for a connection.
    #[serde(deserialize_with = "value::duration")]
    pub acquire_timeout: Duration,
    /// How long the database may work on a statement.
    #[serde(deserialize_with = "value::duration")]
    pub statement_timeout: Duration,
    /// Apply pending migrations at start.
    pub migrate: bool,
    /// Whether PostgreSQL looks after ownership too.
    pub row_level_security: RowLevelSecurity,
    /// Batches of appends that are written at once on PostgreSQL.
    #[serde(deserialize_with = "value::lanes")]
    pub write_lanes: u32,
    /// Most appends that wait.
    #[serde(deserialize_with = "value::positive")]
    pub write_queue: u32,
    /// Most bytes that wait to be appended.
    #[serde(deserialize_with = "value::positive")]
    pub write_queue_bytes: u32,
}

/// Whether PostgreSQL looks after ownership too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowLevelSecurity {
    /// No.
    Off,
    /// Every statement says whose rows it is about, but no policy looks.
    Ready,
    /// Policies look.
    On,
}

/// Whom to believe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// HS256.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_secret: Option<Secret>,
    /// HS256, from a file.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_secret_file: Option<PathBuf>,
    /// RS256, ES256 or EdDSA.
    #[serde(deserialize_with = "value::optional")]
    pub jwt_public_key_file: Option<PathBuf>,
    /// Where the issuer tells its keys.
    #[serde(deserialize_with = "value::optional_url")]
    pub jwks_url: Option<String>,
    /// What `iss` must be.
    #[serde(deserialize_with = "value::optional")]
    pub issuer: Option<String>,
    /// What `aud` must hold.
    #[serde(deserialize_with = "value::optional")]
    pub audience: Option<String>,
    /// Several issuers, instead of the settings above.
    pub issuers: Vec<Issuer>,
    /// How far clocks may be apart.
    #[serde(deserialize_with = "value::leeway")]
    pub leeway: Duration,
    /// Authorities that may vouch for where keys are fetched from, besides the machine's.
    #[serde(deserialize_with = "value::optional")]
    pub jwks_ca_file: Option<PathBuf>,
    /// How old keys from a URL become before they are fetched again.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_refresh: Duration,
    /// How long after a fetch the next one may begin.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_cooldown: Duration,
    /// How old keys may become while they cannot be fetched.
    #[serde(deserialize_with = "value::positive_duration")]
    pub jwks_keep: Duration,
}

/// How news travel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// How often a subscription looks without having been woken.
    #[serde(deserialize_with = "value::duration")]
    pub poll: Duration,
    /// A NATS that carries signals between replicas.
    #[serde(deserialize_with = "value::optional")]
    pub signals: Option<Secret>,
    /// How long changes are kept.
    #[serde(deserialize_with = "value::duration")]
    pub keep: Duration,
    /// How often old changes are removed.
    #[serde(deserialize_with = "value::duration")]
    pub trim: Duration,
    /// How long the writer of a streaming message may be silent.
    #[serde(deserialize_with = "value::duration")]
    pub lease: Duration,
}

/// What is written about all this.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level or a filter.
    pub level: String,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line an event.
    Text,
    /// One object an event.
    Json,
}

impl Config {
    /// Whether introspection is answered, names are suggested and GraphiQL is served.
    pub fn introspection(&self) -> bool {
        match self.server.introspection {
            Introspection::Auto => self.mode == Mode::Development,
            Introspection::On => true,
            Introspection::Off => false,
        }
    }

    /// The database to open: the configured one, or a file in the data folder.
    pub fn database_url(&self) -> String {
        self.database.url.as_ref().map_or_else(
            || format!("sqlite://{}", self.data_dir.join("scrollback.db").display()),
            |url| url.expose().to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
