//! Builds the server from the configuration. No other module selects a backend or reads the whole
//! configuration.

mod background_jobs;
mod credentials;
mod doctor;
mod documents;
mod erasure;
mod executor;
mod files;
mod indexing;
mod permissions;
mod reload;
pub(crate) mod retention;
mod revocations;
mod settings;
mod traces;
mod validation;
mod webhooks;

use std::collections::BTreeMap;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::auth::{Authenticator, RevocationList};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::feed::Feed;
use crate::graphql::{self, Api, PersistedDocuments};
use crate::model::OwnerPattern;
use crate::rate_limit::RateLimiter;
use crate::server::{JobFigures, Listeners, Server};
use crate::signals::{self, ReplicaLink, Signals};
use crate::store::{Process, Store};
use crate::traces::Tracer;
use crate::webhooks::{Webhook, WebhookFigures, Webhooks};

use revocations::Revocations;

pub use credentials::issuers;
pub use doctor::{Finding, Severity, examine};
pub use executor::Executor;
pub use settings::{content_limits, database, limits, subgraph};
pub(crate) use settings::{memory, server_settings};
pub use validation::validate;
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
    tracer: Tracer,
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
        let documents = documents::load(&config.documents, &limits(&config), subgraph(&config))?;
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
        Ok(Self {
            store,
            config,
            clock,
            feed,
            documents,
            webhook_owners,
            webhooks,
            tracer: Tracer::default(),
            replica_link,
        })
    }

    /// Serves until `shutdown` resolves and runs the background jobs meanwhile. Then it waits until queued
    /// writes are committed and closes the database.
    ///
    /// # Errors
    /// A setting is not valid, or the listener fails.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (_never, reloads) = mpsc::channel(1);
        self.serve_and_reload(listeners, shutdown, reloads).await
    }

    /// Like [`serve`](Self::serve), and uses the settings that come from `reloads`, as far as they can change while a
    /// server runs ([`Config::reload`]).
    ///
    /// # Errors
    /// As for [`serve`](Self::serve). New settings that are not valid are logged, and change nothing.
    pub async fn serve_and_reload(
        mut self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()> + Send + 'static,
        mut reloads: mpsc::Receiver<Config>,
    ) -> anyhow::Result<()> {
        let rate = self.rate_limiter();
        self.tracer = traces::start(&self.config)?;
        let figures = WebhookFigures::default();
        let mut webhooks = self.start_webhooks(&figures);
        let revocations = Revocations::load(&self.store, &self.clock).await?;
        let jobs = JobFigures::default();
        let parts = ServerParts {
            rate: rate.clone(),
            figures: figures.clone(),
            jobs: jobs.clone(),
            revocations: revocations.list(),
        };
        let server = self.server(parts)?;
        let mut tasks = self.background_tasks(rate, &jobs);
        tasks.spawn(revocations.follow());
        let handle = server.reload_handle();
        let mut serving = std::pin::pin!(server.serve(listeners.into(), shutdown));
        let served = loop {
            tokio::select! {
                served = &mut serving => break served,
                Some(new) = reloads.recv() => {
                    // Requests are served meanwhile.
                    let mut reload = std::pin::pin!(self.reload(new, &handle, &mut webhooks, &figures));
                    tokio::select! {
                        served = &mut serving => break served,
                        () = &mut reload => {}
                    }
                }
            }
        };
        drop(tasks);
        self.stop_webhooks(webhooks).await;
        let timeout = self.config.server.shutdown_timeout;
        let tracer = self.tracer.clone();
        self.close().await;
        tracer.shut_down(timeout).await;
        served
    }

    /// Runs operations inside another application that has its own HTTP server. Starts the background jobs,
    /// which run until the [`Embedded`] is closed or dropped.
    pub fn embed(mut self) -> Embedded {
        let webhooks = self.start_webhooks(&WebhookFigures::default());
        let rate = self.rate_limiter();
        let executor = Executor {
            api: self.api(),
            clock: self.clock.clone(),
            rate: rate.clone(),
            execution_timeout: self.config.server.execution_timeout,
            viewer: None,
        };
        let tasks = self.background_tasks(rate, &JobFigures::default());
        Embedded { executor, tasks, webhooks, app: self }
    }

    fn rate_limiter(&self) -> RateLimiter {
        RateLimiter::new(settings::rate(&self.config))
    }

    /// The configured webhooks with the users that each is about. None: all users.
    pub fn webhook_owners(&self) -> &BTreeMap<String, Vec<OwnerPattern>> {
        &self.webhook_owners
    }

    fn start_webhooks(&mut self, figures: &WebhookFigures) -> Webhooks {
        let webhooks = std::mem::take(&mut self.webhooks);
        Webhooks::start(&self.store, &self.clock, webhooks, figures, &self.tracer)
    }

    async fn stop_webhooks(&self, webhooks: Webhooks) {
        if tokio::time::timeout(self.config.server.shutdown_timeout, webhooks.stop()).await.is_err() {
            tracing::warn!("webhooks may repeat some deliveries: the database did not respond");
        }
    }

    fn background_tasks(&self, rate: RateLimiter, jobs: &JobFigures) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(rate.evict_full_buckets());
        tasks.spawn(background_jobs::delete_old_changes(
            jobs.add("delete_old_changes"),
            self.store.clone(),
            self.clock.clone(),
            &self.config.feed,
        ));
        tasks.spawn(background_jobs::interrupt_abandoned_messages(
            jobs.add("interrupt_abandoned_messages"),
            self.store.clone(),
            self.clock.clone(),
            &self.config.feed,
        ));
        tasks.spawn(indexing::index(self.store.clone(), jobs.add("index")));
        if let Some(job) = background_jobs::delete_old_audit_entries(
            jobs.add("delete_old_audit_entries"),
            self.store.clone(),
            self.clock.clone(),
            &self.config.audit,
        ) {
            tasks.spawn(job);
        }
        tasks.spawn(files::remove_objects(self.store.clone(), jobs.add("remove_objects")));
        tasks.spawn(background_jobs::delete_unused_attachments(
            jobs.add("delete_unused_attachments"),
            self.store.clone(),
            self.clock.clone(),
            &self.config.files,
        ));
        tasks.spawn(erasure::go_on(self.store.clone(), jobs.add("finish_erasures")));
        tasks.spawn(retention::apply(
            self.store.clone(),
            self.config.retention.clone(),
            jobs.add("apply_retention"),
        ));
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
            subgraph: subgraph(&self.config),
        };
        Api::new(self.store.clone(), self.feed.clone(), settings)
    }

    fn server(&self, parts: ServerParts) -> anyhow::Result<Server> {
        let ServerParts { rate, figures, jobs, revocations } = parts;
        let authenticator =
            Authenticator::new(issuers(&self.config)?, settings::key_set_timing(&self.config))?;
        let authenticator = authenticator.with_revocations(revocations);
        let settings = server_settings(&self.config, rate, figures, jobs, self.tracer.clone())?;
        Server::new(self.api(), self.store.clone(), authenticator, self.clock.clone(), settings)
    }
}

/// What a server shares with background tasks.
struct ServerParts {
    rate: RateLimiter,
    figures: WebhookFigures,
    jobs: JobFigures,
    revocations: RevocationList,
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
