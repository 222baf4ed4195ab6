//! Builds the server from the configuration. No other module selects a backend or reads the whole
//! configuration.

mod background_jobs;
mod credentials;
mod documents;
mod erasure;
mod executor;
mod files;
mod indexing;
mod permissions;
pub(crate) mod retention;
mod webhooks;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use crate::auth::{self, Authenticator};
use crate::clock::Clock;
use crate::config::{self, Config, Secret};
use crate::feed::Feed;
use crate::graphql::{self, Api, PersistedDocuments};
use crate::memory::{self, MemoryPool};
use crate::model::{ContentLimits, FileRules, OwnerPattern, ShareRules};
use crate::rate_limit::RateLimiter;
use crate::server::{self, Listeners, Server};
use crate::signals::{self, ReplicaLink, Signals};
use crate::store::{self, Process, Store};
use crate::webhooks::{Webhook, WebhookFigures, Webhooks};

pub use credentials::issuers;
pub use executor::Executor;
pub use webhooks::webhooks;

/// Scrollback, ready to serve or to run commands.
pub struct App {
    /// The database.
    pub store: Store,
    config: Config,
    clock: Clock,
    feed: Feed,
    documents: PersistedDocuments,
    webhook_owners: BTreeMap<String, Vec<OwnerPattern>>,
    webhooks: Vec<Webhook>,
    /// The connection to other replicas, if there can be several.
    replica_link: Option<ReplicaLink>,
}

impl App {
    /// Opens the database for a server and connects to other replicas.
    ///
    /// # Errors
    /// The database cannot be opened, its schema is not that of this version, it is SQLite and another server
    /// uses it, or a setting is not valid.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        Self::open_as(Process::Server, config, clock).await
    }

    /// Opens the database for a command, which may run beside a server.
    ///
    /// # Errors
    /// The database cannot be opened, its schema is not that of this version, or a setting is not valid.
    pub async fn open_for_command(config: Config, clock: Clock) -> anyhow::Result<Self> {
        Self::open_as(Process::Command, config, clock).await
    }

    async fn open_as(process: Process, config: Config, clock: Clock) -> anyhow::Result<Self> {
        // Invalid manifests are rejected before the database is created.
        let documents = documents::load(&config.documents, &limits(&config))?;
        let webhook_owners = webhooks::owners(&config)?;
        // Commands deliver nothing, and may not be allowed to read the secrets.
        let webhooks = if process == Process::Server { webhooks(&config).await? } else { Vec::new() };
        let nats = config.feed.signals.as_ref().map(Secret::expose);
        let url = config.database_url();
        let single_process = nats.is_none() && !url.starts_with("postgres");
        let signals = if single_process { Signals::default() } else { Signals::between_replicas() };
        let database = database(&config, process);
        let store = Store::connect(&database, clock.clone(), signals.clone()).await?;
        if !webhook_owners.is_empty() {
            store.follow_all_owners();
        }
        if process == Process::Server {
            permissions::warn(&config, &database);
        }
        let replica_link = match nats {
            Some(url) => Some(
                signals::nats::connect(&signals, url)
                    .await
                    .context("the setting `feed.signals` is not valid")?,
            ),
            None if single_process => None,
            None => Some(signals::postgres::connect(&signals, &url)?),
        };
        let feed = Feed::new(&signals, config.feed.poll);
        Ok(Self { store, config, clock, feed, documents, webhook_owners, webhooks, replica_link })
    }

    /// Serves until `shutdown` resolves and runs the background jobs meanwhile. Then it waits until queued
    /// writes are committed and closes the database.
    ///
    /// # Errors
    /// A setting is not valid, or the listener fails.
    pub async fn serve(
        mut self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let rate = self.rate_limiter();
        let (webhooks, figures) = self.start_webhooks();
        let server = self.server(rate.clone(), figures)?;
        let tasks = self.background_tasks(rate);
        let served = server.serve(listeners.into(), shutdown).await;
        drop(tasks);
        self.stop_webhooks(webhooks).await;
        self.close().await;
        served
    }

    /// Runs operations inside another application that has its own HTTP server. Starts the background jobs,
    /// which run until the [`Embedded`] is closed or dropped.
    pub fn embed(mut self) -> Embedded {
        let (webhooks, _) = self.start_webhooks();
        let rate = self.rate_limiter();
        let executor = Executor {
            api: self.api(),
            clock: self.clock.clone(),
            rate: rate.clone(),
            execution_timeout: self.config.server.execution_timeout,
            viewer: None,
        };
        let tasks = self.background_tasks(rate);
        Embedded { executor, tasks, webhooks, app: self }
    }

    fn rate_limiter(&self) -> Option<RateLimiter> {
        let config::Rate { operations_per_minute, burst } = self.config.rate;
        operations_per_minute.map(|per_minute| RateLimiter::new(per_minute, burst))
    }

    /// The configured webhooks with the users that each is about. None: all users.
    pub fn webhook_owners(&self) -> &BTreeMap<String, Vec<OwnerPattern>> {
        &self.webhook_owners
    }

    fn start_webhooks(&mut self) -> (Webhooks, WebhookFigures) {
        Webhooks::start(&self.store, &self.clock, std::mem::take(&mut self.webhooks))
    }

    async fn stop_webhooks(&self, webhooks: Webhooks) {
        if tokio::time::timeout(self.config.server.shutdown_timeout, webhooks.stop()).await.is_err() {
            tracing::warn!("webhooks may repeat some deliveries: the database did not respond");
        }
    }

    fn background_tasks(&self, rate: Option<RateLimiter>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some(rate) = rate {
            tasks.spawn(rate.evict_full_buckets());
        }
        tasks.spawn(background_jobs::delete_old_changes(
            self.store.clone(),
            self.clock.clone(),
            &self.config.feed,
        ));
        tasks.spawn(background_jobs::interrupt_abandoned_messages(
            self.store.clone(),
            self.clock.clone(),
            &self.config.feed,
        ));
        tasks.spawn(indexing::index(self.store.clone()));
        if let Some(job) = background_jobs::delete_old_audit_entries(
            self.store.clone(),
            self.clock.clone(),
            &self.config.audit,
        ) {
            tasks.spawn(job);
        }
        tasks.spawn(files::remove_objects(self.store.clone()));
        tasks.spawn(background_jobs::delete_unused_attachments(
            self.store.clone(),
            self.clock.clone(),
            &self.config.files,
        ));
        tasks.spawn(erasure::go_on(self.store.clone()));
        tasks.spawn(retention::apply(self.store.clone(), self.config.retention.clone()));
        tasks
    }

    /// Waits until queued writes are committed, and closes the database.
    async fn close(self) {
        let timeout = self.config.server.shutdown_timeout;
        let close = async {
            if let Err(error) = self.store.index_erasures().await {
                tracing::warn!(%error, "the search index may keep words of deleted messages until the next start");
            }
            self.store.close().await;
        };
        if tokio::time::timeout(timeout, close).await.is_err() {
            tracing::warn!(
                "queued writes may be lost: the database did not respond within `server.shutdown_timeout`"
            );
        }
        drop(self.replica_link);
    }

    fn api(&self) -> Api {
        let settings = graphql::Settings {
            limits: limits(&self.config),
            content: content_limits(&self.config),
            documents: self.documents.clone(),
            memory: memory(&self.config),
        };
        Api::new(self.store.clone(), self.feed.clone(), settings)
    }

    fn server(&self, rate: Option<RateLimiter>, figures: WebhookFigures) -> anyhow::Result<Server> {
        let timing = auth::KeySetTiming {
            refresh: self.config.auth.jwks_refresh,
            cooldown: self.config.auth.jwks_cooldown,
            keep: self.config.auth.jwks_keep,
        };
        let authenticator = Authenticator::new(issuers(&self.config)?, timing)?;
        let settings = server_settings(&self.config, rate)?;
        let settings = server::Settings { webhooks: figures, ..settings };
        Server::new(self.api(), self.store.clone(), authenticator, self.clock.clone(), settings)
    }
}

/// Scrollback inside another application.
pub struct Embedded {
    executor: Executor,
    tasks: JoinSet<()>,
    webhooks: Webhooks,
    app: App,
}

impl Embedded {
    /// Runs operations. Mount it with async-graphql-axum.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// Waits until queued writes are committed, and closes the database.
    pub async fn close(self) {
        drop(self.tasks);
        self.app.stop_webhooks(self.webhooks).await;
        self.app.close().await;
    }
}

/// The settings of the configured database.
pub fn database(config: &Config, process: Process) -> store::Settings {
    store::Settings {
        process,
        url: config.database_url(),
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        statement_timeout: config.database.statement_timeout,
        migrate: config.database.migrate,
        erasure_settle: config.erasure.settle,
        shares: ShareRules {
            is_enabled: config.shares.enabled,
            messages: config.shares.messages,
            bytes: config.shares.bytes as usize,
            shares: config.shares.per_conversation,
            while_trashed: config.shares.while_trashed,
        },
        files: files(config),
        row_level_security: match config.database.row_level_security {
            config::RowLevelSecurity::Off => store::RowLevelSecurity::Off,
            config::RowLevelSecurity::Ready => store::RowLevelSecurity::Ready,
            config::RowLevelSecurity::On => store::RowLevelSecurity::On,
        },
        writes: store::Bounds {
            workers: config.database.write_workers,
            waiting: config.database.write_queue as usize,
            bytes: config.database.write_queue_bytes as usize,
        },
    }
}

/// Where attachments are, and which are allowed.
fn files(config: &Config) -> Option<store::FileSettings> {
    let files = &config.files;
    let rules = FileRules {
        file_bytes: files.file_bytes.into(),
        owner_files: files.owner_files.into(),
        owner_bytes: i64::try_from(files.owner_bytes).unwrap_or(i64::MAX),
        media_types: files.media_types.clone(),
        link: retention::micros(files.link),
        public_url: files.public_url.clone().unwrap_or_default().trim_end_matches('/').to_owned(),
    };
    let storage = config.file_storage()?;
    Some(store::FileSettings { storage, rules: files.enabled.then_some(rules) })
}

/// The limits of a request.
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
        values,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
        answer_bytes: _,
        message_bytes: _,
        metadata_bytes: _,
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
        values,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
        introspection: config.introspection(),
    }
}

/// The sizes of contents and metadata that clients may send.
pub fn content_limits(config: &Config) -> ContentLimits {
    let config::Limits { message_bytes, metadata_bytes, .. } = config.limits;
    ContentLimits {
        message_bytes: message_bytes as usize,
        metadata_bytes: metadata_bytes as usize,
        has_attachments: config.files.enabled && config.file_storage().is_some(),
    }
}

/// The memory limits of operations.
pub(crate) fn memory(config: &Config) -> MemoryPool {
    let config::Server { memory, memory_per_owner, body_limit, .. } = config.server;
    let requests_of_owner = (memory_per_owner / 2).max(body_limit.saturating_mul(8));
    MemoryPool::new(memory::MemoryLimits {
        answer: config.limits.answer_bytes,
        owner: memory_per_owner,
        all: memory,
        requests_of_owner,
        requests: (memory / 2).max(requests_of_owner),
    })
}

/// The settings of the server.
///
/// # Errors
/// Two settings contradict each other.
pub(crate) fn server_settings(
    config: &Config,
    rate: Option<RateLimiter>,
) -> anyhow::Result<server::Settings> {
    let server = config.server.clone();
    if server.dead_after <= server.ping_interval {
        bail!("the setting `server.dead_after` must be longer than `server.ping_interval`");
    }
    // Text takes up to twice as many bytes as JSON, unless it is mostly control characters.
    let least = config.limits.message_bytes.saturating_mul(2);
    for (name, value) in [
        ("server.body_limit", server.body_limit),
        ("server.message_limit", server.message_limit),
        ("limits.answer_bytes", config.limits.answer_bytes),
    ] {
        if value < least {
            bail!("the setting `{name}` must be at least {least}, twice `limits.message_bytes`, got {value}");
        }
    }
    if server.drain > server.shutdown_timeout {
        bail!("the setting `server.drain` must not be longer than `server.shutdown_timeout`");
    }
    Ok(server::Settings {
        max_connections: server.max_connections as usize,
        connections_per_address: server.connections_per_address.map(|most| most.get() as usize),
        header_limit: server.header_limit as usize,
        header_timeout: server.header_timeout,
        body_limit: server.body_limit as usize,
        body_timeout: server.body_timeout,
        lingering_bytes: server.lingering_bytes.into(),
        lingering_time: server.lingering_time,
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
        graphiql: config.introspection(),
        shares: config.shares.enabled,
        files: config.files.enabled && config.file_storage().is_some(),
        uploads: config.files.uploads as usize,
        uploads_per_owner: config.files.uploads_per_owner as usize,
        share_images: config.shares.images,
        share_views: config.shares.views_per_minute.map(|most| RateLimiter::new(most, most)),
        rate,
        webhooks: WebhookFigures::default(),
    })
}
