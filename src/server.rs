//! The HTTP server. Only this module depends on HTTP.
//!
//! - `listener`: TCP connections, their limits and timeouts, HTTP/1.1 and HTTP/2.
//! - `graphql`: the transports of GraphQL: HTTP, server-sent events and WebSockets. They authenticate a
//!   request before they read anything else of it.
//! - `admin`: health, metrics and the filter of the log.
//! - `shared`: shares, for readers without credentials.
//! - `exports` and `imports`: conversations as files.
//! - `openai`: conversations for the packages of OpenAI.
//! - `files`: uploads and downloads of attachments, with signed URLs.
//! - `pages`: GraphiQL.

mod admin;
mod drain;
mod exports;
mod files;
mod graphql;
mod imports;
mod jobs;
mod json_body;
mod listener;
mod metrics;
mod openai;
mod pages;
#[doc(hidden)]
pub mod probe;
mod process_signals;
mod query;
mod quota;
mod refusal;
mod reload;
mod request_header;
mod settings;
mod shared;
mod state;
mod trace_requests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::CorsLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::graphql::Api;
use crate::store::Store;

pub use admin::check::check_readiness;
pub use jobs::{JobFigure, JobFigures};
pub use listener::open_files::open_file_limit;
pub use process_signals::{reload_requested, terminated};
pub use reload::{ReloadHandle, ReloadedSettings};
pub use settings::Settings;

use admin::health;
use drain::Drain;
use graphql::{credentials, http, sse};
use listener::accept::{Acceptor, ConnectionLimits};
use listener::connection::ConnectionServer;
use listener::open_files;
use metrics::{Metrics, Scraped};
use pages::graphiql;
pub(crate) use pages::graphiql::licenses as graphiql_licenses;
use quota::Quota;
use state::{HandlerState, ServerState};
use trace_requests::trace_requests;

/// The sockets that the server listens on.
pub struct Listeners {
    /// GraphQL, and health checks if there is no other listener.
    pub public: TcpListener,
    /// Health checks and metrics.
    pub admin: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(public: TcpListener) -> Self {
        Self { public, admin: None }
    }
}

/// A server that is ready to serve.
pub struct Server {
    state: HandlerState,
    router: Router,
}

impl Server {
    /// Builds the routes.
    ///
    /// # Errors
    /// An origin in the settings is not valid.
    pub fn new(
        api: Api,
        store: Store,
        authenticator: Authenticator,
        clock: Clock,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let cors = cors(&settings.cors_origins)?;
        let (graphiql, shares, files) = (settings.graphiql, settings.shares, settings.files);
        let closing = CancellationToken::new();
        let drain = Drain::new(closing.clone(), settings.drain);
        let socket_quota = Quota::new(settings.sockets_per_owner);
        let stream_quota = Quota::new(settings.streams_per_owner);
        let upload_quota = Quota::new(settings.uploads_per_owner);
        let uploads = Semaphore::new(settings.uploads);
        let export_quota = Quota::new(settings.exports_per_owner);
        let exports = Arc::new(Semaphore::new(settings.exports_at_once));
        let import_quota = Quota::new(settings.imports_per_owner);
        let imports = Arc::new(Semaphore::new(settings.imports_at_once));
        let (has_exports, has_imports, has_openai) = (settings.exports, settings.imports, settings.openai);
        let scraped = Scraped::new(&api, &store, &settings);
        let shared = ServerState {
            api,
            store,
            authenticator,
            clock,
            rate: settings.rate.clone(),
            settings,
            metrics: Arc::new(Metrics::new(scraped)),
            closing,
            abort: CancellationToken::new(),
            drain,
            socket_quota,
            stream_quota,
            upload_quota,
            uploads,
            share_pages: Semaphore::new(shared::PAGES_AT_ONCE),
            export_quota,
            exports,
            import_quota,
            imports,
            tasks: TaskTracker::new(),
        };
        let state = HandlerState(Arc::new(shared));
        let mut router = Router::new().route("/graphql", any(http::graphql));
        if graphiql {
            router = router.merge(graphiql::router());
        }
        let router = if shares { router.merge(shared::router()) } else { router };
        let router = if has_exports { router.merge(exports::router()) } else { router };
        let router = if has_imports { router.merge(imports::router()) } else { router };
        let router = if has_openai { router.merge(openai::router()) } else { router };
        let is_compressible = DefaultPredicate::new().and(NotForContentType::const_new("application/zip"));
        let router = router.layer(CompressionLayer::new().gzip(true).compress_when(is_compressible));
        // Files are sent as they are: with their length, and in ranges.
        let router = if files { router.merge(files::router()) } else { router };
        let router = if files && shares { router.merge(shared::file_router()) } else { router };
        let router = router.layer(cors);
        let is_traced = state.0.settings.tracer.is_on();
        let traced = || middleware::from_fn_with_state(state.clone(), trace_requests);
        let router = if is_traced { router.layer(traced()) } else { router };
        let router = with_common_layers(router, &state);
        Ok(Self { state, router })
    }

    /// Changes the settings of this server while it runs.
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle(self.state.clone())
    }

    /// Serves until `shutdown` resolves, then waits for running operations within the configured time.
    ///
    /// # Errors
    /// None at present: errors of listeners and connections are logged.
    pub async fn serve(
        self,
        listeners: Listeners,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let Self { state, router } = self;
        let shared = state.0.clone();
        let settings = &shared.settings;
        open_files::raise_limit(settings.max_connections);
        let Listeners { public, admin } = listeners;
        let health = with_common_layers(health::router(), &state);
        let router = if admin.is_some() { router } else { router.merge(health.clone()) };
        let limits = ConnectionLimits {
            total: settings.max_connections,
            per_address: settings.connections_per_address,
        };
        let acceptor = Acceptor::new(ConnectionServer::new(settings), router, limits, &shared.metrics);
        let accepting = acceptor.run(public, &shared.closing, &shared.abort);
        let stopping = async {
            shutdown.await;
            tracing::info!("shutting down");
            shared.closing.cancel();
        };
        let serving = async {
            tokio::join!(accepting, stopping);
            shared.tasks.close();
            let finished = async { tokio::join!(acceptor.wait(), shared.tasks.wait()) };
            if tokio::time::timeout(settings.shutdown_timeout, finished).await.is_err() {
                tracing::warn!("some operations were still running after `server.shutdown_timeout`");
            }
            shared.abort.cancel();
        };
        let evicting = settings.share_views.clone().evict_full_buckets();
        let serving = async {
            tokio::select! {
                () = serving => {}
                () = evicting => {}
            }
        };
        match admin {
            None => serving.await,
            Some(admin) => {
                let own = admin::metrics::router().merge(admin::log::router());
                let router = health.merge(with_common_layers(own, &state));
                let limits = ConnectionLimits { total: MAX_ADMIN_CONNECTIONS, per_address: None };
                let acceptor =
                    Acceptor::new(ConnectionServer::new(settings), router, limits, &shared.metrics);
                // Open until the end of the shutdown, so that it can be monitored.
                let open = CancellationToken::new();
                tokio::select! {
                    () = serving => {}
                    () = acceptor.run(admin, &open, &shared.abort) => {}
                }
            }
        }
        Ok(())
    }
}

/// The most connections of the listener for health checks and metrics.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// Adds the layers that all routes have.
fn with_common_layers(router: Router<HandlerState>, state: &HandlerState) -> Router {
    router
        .layer(CatchPanicLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(X_CONTENT_TYPE_OPTIONS, value("nosniff")))
        .layer(SetResponseHeaderLayer::if_not_present(REFERRER_POLICY, value("no-referrer")))
        .layer(SetResponseHeaderLayer::if_not_present(CONTENT_SECURITY_POLICY, value(NO_CONTENT_POLICY)))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, value("no-store")))
        .with_state(state.clone())
}

/// The Content-Security-Policy of responses that are not pages.
const NO_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

fn cors(origins: &[String]) -> anyhow::Result<CorsLayer> {
    let origins = origins
        .iter()
        .map(|origin| HeaderValue::from_str(origin).with_context(|| format!("not an origin: {origin}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(
            openai::REQUEST_HEADERS
                .map(HeaderName::from_static)
                .into_iter()
                .chain([
                    header::AUTHORIZATION,
                    header::CONTENT_TYPE,
                    header::ACCEPT,
                    sse::LAST_EVENT_ID,
                    credentials::ACT_AS_HEADER,
                    header::CONTENT_RANGE,
                    header::RANGE,
                ])
                .collect::<Vec<_>>(),
        )
        .expose_headers([
            http::REQUEST_ID,
            header::RETRY_AFTER,
            header::CONTENT_RANGE,
            header::CONTENT_DISPOSITION,
            header::ETAG,
            files::error::UPLOAD_OFFSET,
            files::error::UPLOAD_LENGTH,
        ])
        .max_age(Duration::from_secs(3600)))
}

#[cfg(test)]
mod tests;
