//! HTTP, WebSocket, the playground and health. The only part that sees HTTP.
//!
//! Identity is settled here, from the credentials alone, before anything else looks at a request.
//! The transports follow their specifications where async-graphql's own do not: GraphQL over HTTP
//! (`http`), graphql-transport-ws (`websocket`), GraphQL over SSE (`sse`).

mod body;
mod credentials;
mod graphiql;
mod health;
mod http;
mod negotiate;
mod shutdown;
mod sse;
mod throttle;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::graphql::{Api, RequestId};
use crate::model::Viewer;
use crate::rate::Rate;
use crate::store::Store;

pub use shutdown::terminated;

/// How requests are taken.
#[derive(Clone)]
pub struct Settings {
    /// Largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long a WebSocket client may take to introduce itself.
    pub init_timeout: Duration,
    /// How long a WebSocket client may take to read a message.
    pub write_timeout: Duration,
    /// How long an operation may take.
    pub execution_timeout: Duration,
    /// How long running operations may go on once the shutdown has begun.
    pub shutdown_timeout: Duration,
    /// Origins of web front ends that may call from browsers.
    pub cors_origins: Vec<String>,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// How many operations an owner may begin; any number without one.
    pub rate: Option<Rate>,
}

/// What every handler is given.
#[derive(Clone)]
struct State(Arc<Shared>);

struct Shared {
    api: Api,
    store: Store,
    authenticator: Authenticator,
    clock: Clock,
    rate: Option<Rate>,
    settings: Settings,
    /// Cancelled when the shutdown begins.
    closing: CancellationToken,
    /// The sockets: they outlive the request that opened them.
    sockets: TaskTracker,
}

/// A server, ready to be given a listener.
pub struct Server {
    state: State,
    router: Router,
}

impl Server {
    /// Puts the routes together.
    ///
    /// # Errors
    /// An origin in the settings is not one.
    pub fn new(
        api: Api,
        store: Store,
        authenticator: Authenticator,
        clock: Clock,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let cors = cors(&settings.cors_origins)?;
        let graphiql = settings.graphiql;
        let shared = Shared {
            api,
            store,
            authenticator,
            clock,
            rate: settings.rate.clone(),
            settings,
            closing: CancellationToken::new(),
            sockets: TaskTracker::new(),
        };
        let state = State(Arc::new(shared));
        let mut router = Router::new().route("/graphql", any(http::graphql));
        if graphiql {
            router = router.merge(graphiql::router());
        }
        let router = router
            .layer(CompressionLayer::new().gzip(true))
            .layer(cors)
            .merge(health::router())
            .layer(CatchPanicLayer::custom(http::panicked))
            .with_state(state.clone());
        Ok(Self { state, router })
    }

    /// Serves until `shutdown` resolves; then finishes what is running, within the configured time.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let shared = self.state.0;
        let closing = shared.closing.clone();
        tokio::spawn(async move {
            shutdown.await;
            tracing::info!("shutting down");
            closing.cancel();
        });
        let closing = shared.closing.clone();
        let serving = axum::serve(listener, self.router).with_graceful_shutdown(closing.cancelled_owned());
        let overdue = async {
            shared.closing.cancelled().await;
            tokio::time::sleep(shared.settings.shutdown_timeout).await;
        };
        tokio::select! {
            served = serving => served.context("cannot serve")?,
            () = overdue => tracing::warn!("some operations were still running"),
        }
        shared.sockets.close();
        if tokio::time::timeout(shared.settings.shutdown_timeout, shared.sockets.wait()).await.is_err() {
            tracing::warn!("some sockets were still open");
        }
        shared.store.close().await;
        Ok(())
    }
}

/// The credentials of sockets and streams that never end: near enough to be added to an instant.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Shared {
    /// How long the viewer's credentials still hold.
    fn time_left(&self, viewer: &Viewer) -> Duration {
        viewer.expires_at.map_or(NEVER, |at| {
            let micros = at.0.saturating_sub(self.clock.now().0);
            Duration::from_micros(u64::try_from(micros).unwrap_or_default()).min(NEVER)
        })
    }

    /// Resolves when the viewer's credentials end or the shutdown begins.
    fn ended(&self, viewer: &Viewer) -> impl Future<Output = ()> + Send + use<> {
        let (closing, left) = (self.closing.clone(), self.time_left(viewer));
        async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    fn new_request(&self) -> RequestId {
        RequestId(self.clock.new_id())
    }
}

fn cors(origins: &[String]) -> anyhow::Result<CorsLayer> {
    let origins = origins
        .iter()
        .map(|origin| HeaderValue::from_str(origin).with_context(|| format!("not an origin: {origin}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            sse::LAST_EVENT_ID,
            credentials::ACT_AS_HEADER,
        ])
        .expose_headers([http::REQUEST_ID, header::RETRY_AFTER])
        .max_age(Duration::from_secs(3600)))
}
