//! Puts the pieces together. Nothing else chooses a backend or sees the whole configuration.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use crate::auth::{Authenticator, Key, Rules, development_secret};
use crate::clock::Clock;
use crate::config::{self, Config, Mode, Secret};
use crate::feed::Feed;
use crate::graphql::{self, Api};
use crate::model::Timestamp;
use crate::server::{self, Listeners, Server};
use crate::signals::{self, Relay, Signals};
use crate::store::{self, Store};

/// Shortest secret that tokens may be signed with, in bytes (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Scrollback, ready to serve or to be used from the command line.
pub struct App {
    /// Everything that is kept.
    pub store: Store,
    config: Config,
    clock: Clock,
    feed: Feed,
    /// Between replicas, where there can be several.
    relay: Option<Relay>,
}

impl App {
    /// Opens the database, and hears from other replicas where there can be some.
    ///
    /// # Errors
    /// It cannot be opened, its schema is not this version's, or a setting is wrong.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let nats = config.feed.signals.as_ref().map(Secret::expose);
        let url = config.database_url();
        let alone = nats.is_none() && !url.starts_with("postgres");
        let signals = if alone { Signals::default() } else { Signals::between_replicas() };
        let store = Store::connect(&database(&config), clock.clone(), signals.clone()).await?;
        let relay = match nats {
            Some(url) => Some(signals::nats::relay(&signals, url).await.context("`feed.signals` is wrong")?),
            None if alone => None,
            None => Some(signals::postgres::relay(&signals, &url)?),
        };
        let feed = Feed::new(&signals, config.feed.poll);
        Ok(Self { store, config, clock, feed, relay })
    }

    /// Serves until `shutdown` resolves, and looks after the feed meanwhile. What was handed in to be
    /// written by then is written, and the database closed.
    ///
    /// # Errors
    /// A setting is wrong, or the listener fails.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let server = self.server()?;
        let (feed, patience) = (self.config.feed, self.config.server.shutdown_timeout);
        let mut tasks = JoinSet::new();
        tasks.spawn(trim(self.store.clone(), self.clock.clone(), feed.clone()));
        tasks.spawn(sweep(self.store.clone(), self.clock, feed.lease));
        let served = server.serve(listeners.into(), shutdown).await;
        drop(tasks);
        if tokio::time::timeout(patience, self.store.close()).await.is_err() {
            tracing::warn!("what was to be written may not be: the database did not answer in time");
        }
        drop(self.relay);
        served
    }

    fn server(&self) -> anyhow::Result<Server> {
        let authenticator = Authenticator::new(&key(&self.config)?, &rules(&self.config))?;
        let development = self.config.mode == Mode::Development;
        let limits = limits(&self.config);
        let api = Api::new(self.store.clone(), self.feed.clone(), limits, development);
        let settings = server_settings(&self.config)?;
        Server::new(api, self.store.clone(), authenticator, self.clock.clone(), settings)
    }
}

/// Removes changes that are older than they are kept, again and again.
async fn trim(store: Store, clock: Clock, feed: config::Feed) {
    let keep = i64::try_from(feed.keep.as_micros()).unwrap_or(i64::MAX);
    loop {
        tokio::time::sleep(feed.trim).await;
        match store.trim_changes(Timestamp(clock.now().0.saturating_sub(keep))).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed old changes"),
            Err(error) => tracing::warn!(%error, "cannot remove old changes"),
        }
    }
}

/// Interrupts messages whose writers are silent for longer than `lease`, again and again.
async fn sweep(store: Store, clock: Clock, lease: Duration) {
    let silence = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    loop {
        tokio::time::sleep(lease / 4).await;
        match store.interrupt_silent(Timestamp(clock.now().0.saturating_sub(silence))).await {
            Ok(0) => {}
            Ok(interrupted) => tracing::info!(interrupted, "interrupted messages without a writer"),
            Err(error) => tracing::warn!(%error, "cannot look after streaming messages"),
        }
    }
}

/// How to open the configured database.
pub fn database(config: &Config) -> store::Settings {
    store::Settings {
        url: config.database_url(),
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        statement_timeout: config.database.statement_timeout,
        migrate: config.database.migrate,
        writes: store::Bounds {
            lanes: config.database.write_lanes,
            waiting: config.database.write_queue as usize,
            bytes: config.database.write_queue_bytes as usize,
        },
    }
}

/// The most that a request may ask for.
pub fn limits(config: &Config) -> graphql::Limits {
    let config::Limits {
        document_bytes,
        tokens,
        nesting,
        fragments,
        aliases,
        directives,
        root_fields,
        variables,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
    } = config.limits;
    graphql::Limits {
        document_bytes,
        tokens,
        nesting,
        fragments,
        aliases,
        directives,
        root_fields,
        variables,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
    }
}

/// How requests are taken.
///
/// # Errors
/// Two settings contradict each other.
pub(crate) fn server_settings(config: &Config) -> anyhow::Result<server::Settings> {
    let server = config.server.clone();
    if server.dead_after <= server.ping_interval {
        bail!("the setting `server.dead_after` must be longer than `server.ping_interval`");
    }
    if server.drain > server.shutdown_timeout {
        bail!("the setting `server.drain` must not be longer than `server.shutdown_timeout`");
    }
    Ok(server::Settings {
        max_connections: server.max_connections as usize,
        header_limit: server.header_limit as usize,
        header_timeout: server.header_timeout,
        body_limit: server.body_limit as usize,
        body_timeout: server.body_timeout,
        keep_alive: server.keep_alive,
        write_timeout: server.write_timeout,
        execution_timeout: server.execution_timeout,
        init_timeout: server.init_timeout,
        message_limit: server.message_limit as usize,
        operations_per_socket: server.operations_per_socket as usize,
        sockets_per_owner: server.sockets_per_owner as usize,
        streams_per_owner: server.streams_per_owner as usize,
        ping_interval: server.ping_interval,
        dead_after: server.dead_after,
        drain: server.drain,
        shutdown_timeout: server.shutdown_timeout,
        cors_origins: server.cors_origins,
        graphiql: config.mode == Mode::Development,
    })
}

/// What holds for tokens besides their signature.
pub fn rules(config: &Config) -> Rules {
    let auth = config.auth.clone();
    Rules { issuer: auth.issuer, audience: auth.audience, leeway: auth.leeway }
}

/// What tokens are verified with: the one configured key, or a development secret.
///
/// # Errors
/// None is configured in production, several are, or the one cannot be read.
pub fn key(config: &Config) -> anyhow::Result<Key> {
    let auth = &config.auth;
    match (&auth.jwt_secret, &auth.jwt_secret_file, &auth.jwt_public_key_file) {
        (Some(secret), None, None) => {
            Ok(Key::Secret(long_enough("auth.jwt_secret", secret.expose().into())?))
        }
        (None, Some(path), None) => {
            let secret = fs::read_to_string(path)
                .with_context(|| format!("cannot read `auth.jwt_secret_file`, {}", path.display()))?;
            Ok(Key::Secret(long_enough("auth.jwt_secret_file", secret.trim_end().into())?))
        }
        (None, None, Some(path)) => Ok(Key::PublicKey(
            fs::read(path)
                .with_context(|| format!("cannot read `auth.jwt_public_key_file`, {}", path.display()))?,
        )),
        (None, None, None) if config.mode == Mode::Development => {
            Ok(Key::Secret(development_secret(&config.data_dir)?))
        }
        (None, None, None) => bail!(
            "production needs a key to verify tokens with: set `auth.jwt_secret`, `auth.jwt_secret_file` or \
             `auth.jwt_public_key_file`"
        ),
        _ => {
            bail!("set only one of `auth.jwt_secret`, `auth.jwt_secret_file` and `auth.jwt_public_key_file`")
        }
    }
}

fn long_enough(setting: &str, secret: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if secret.len() < MIN_SECRET_BYTES {
        bail!("`{setting}` must be at least {MIN_SECRET_BYTES} bytes, has {}", secret.len());
    }
    Ok(secret)
}
