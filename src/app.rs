//! Puts the pieces together. Nothing else chooses a backend or sees the whole configuration.

mod credentials;
mod documents;

use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::auth::{self, Authenticator};
use crate::clock::Clock;
use crate::config::{self, Config, Secret};
use crate::feed::Feed;
use crate::graphql::{self, Api, Documents};
use crate::model::Timestamp;
use crate::rate::Rate;
use crate::server::{self, Server};
use crate::signals::{self, Relay, Signals};
use crate::store::{self, Store};

pub use credentials::issuers;

/// Scrollback, ready to serve or to be used from the command line.
pub struct App {
    /// Everything that is kept.
    pub store: Store,
    config: Config,
    clock: Clock,
    feed: Feed,
    documents: Documents,
    /// Between replicas, where there can be several.
    relay: Option<Relay>,
}

impl App {
    /// Opens the database, and hears from other replicas where there can be some.
    ///
    /// # Errors
    /// It cannot be opened, its schema is not this version's, or a setting is wrong.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        // What is refused is refused before anything is made.
        let documents = documents::documents(&config.documents, &limits(&config))?;
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
        Ok(Self { store, config, clock, feed, documents, relay })
    }

    /// Serves until `shutdown` resolves, and looks after the feed meanwhile.
    ///
    /// # Errors
    /// A setting is wrong, or the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let config::Rate { operations_per_minute, burst } = self.config.rate;
        let rate = operations_per_minute.map(|per_minute| Rate::new(per_minute, burst));
        let server = self.server(rate.clone())?;
        let feed = self.config.feed;
        let mut tasks = JoinSet::new();
        if let Some(rate) = rate {
            tasks.spawn(rate.forget_idle());
        }
        tasks.spawn(trim(self.store.clone(), self.clock.clone(), feed.clone()));
        tasks.spawn(sweep(self.store, self.clock, feed.lease));
        let served = server.serve(listener, shutdown).await;
        drop(tasks);
        drop(self.relay);
        served
    }

    fn server(&self, rate: Option<Rate>) -> anyhow::Result<Server> {
        let timing = auth::Timing {
            refresh: self.config.auth.jwks_refresh,
            cooldown: self.config.auth.jwks_cooldown,
            keep: self.config.auth.jwks_keep,
        };
        let authenticator = Authenticator::new(issuers(&self.config)?, timing)?;
        let limits = limits(&self.config);
        let api = Api::new(
            self.store.clone(),
            self.feed.clone(),
            graphql::Settings { limits, documents: self.documents.clone() },
        );
        let settings = server::Settings {
            body_limit: self.config.server.body_limit,
            init_timeout: self.config.server.init_timeout,
            write_timeout: self.config.server.write_timeout,
            execution_timeout: self.config.server.execution_timeout,
            shutdown_timeout: self.config.server.shutdown_timeout,
            cors_origins: self.config.server.cors_origins.clone(),
            graphiql: self.config.introspection(),
            rate,
        };
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
        migrate: config.database.migrate,
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
        introspection: config.introspection(),
    }
}
