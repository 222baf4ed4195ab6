//! HTTP, WebSocket, the playground and health. The only part that sees HTTP.
//!
//! Identity is settled here, from the credentials alone, before anything else looks at a request.
//! The transports follow their specifications where async-graphql's own do not: GraphQL over HTTP
//! (`http`), graphql-transport-ws (`websocket`), GraphQL over SSE (`sse`).

mod accept;
mod body;
mod connection;
mod drain;
mod files;
mod graphiql;
mod health;
mod http;
mod negotiate;
mod origin;
mod quota;
mod settings;
mod shutdown;
mod sse;
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
use crate::store::Store;

pub use settings::Settings;
pub use shutdown::terminated;

use accept::Acceptor;
use connection::Protocol;
use drain::Drain;
use quota::Quota;

/// What every handler is given.
#[derive(Clone)]
struct State(Arc<Shared>);

struct Shared {
    api: Api,
    store: Store,
    authenticator: Authenticator,
    clock: Clock,
    settings: Settings,
    /// Cancelled when the shutdown begins.
    closing: CancellationToken,
    /// Cancelled when whoever is left has had their time.
    cut: CancellationToken,
    drain: Arc<Drain>,
    /// Sockets that owners have open.
    seats: Arc<Quota>,
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
        let closing = CancellationToken::new();
        let drain = Drain::new(closing.clone(), settings.drain);
        let seats = Quota::new(settings.sockets_per_owner);
        let shared = Shared {
            api,
            store,
            authenticator,
            clock,
            settings,
            closing,
            cut: CancellationToken::new(),
            drain,
            seats,
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
            .layer(CatchPanicLayer::new())
            .with_state(state.clone());
        Ok(Self { state, router })
    }

    /// Serves until `shutdown` resolves; then finishes what is running, within the configured time.
    ///
    /// # Errors
    /// None so far: what goes wrong with a listener or a connection passes.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let shared = self.state.0;
        let settings = &shared.settings;
        files::make_room(settings.max_connections);
        let acceptor = Acceptor::new(Protocol::new(settings), self.router, settings.max_connections);
        let taking = acceptor.run(listener, &shared.closing, &shared.cut);
        let stopping = async {
            shutdown.await;
            tracing::info!("shutting down");
            shared.closing.cancel();
        };
        tokio::join!(taking, stopping);
        shared.sockets.close();
        let finished = async { tokio::join!(acceptor.finished(), shared.sockets.wait()) };
        if tokio::time::timeout(settings.shutdown_timeout, finished).await.is_err() {
            tracing::warn!("some operations were still running");
        }
        shared.cut.cancel();
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

    /// Resolves when the viewer's credentials end, or the server shuts down and it is time to go.
    fn ended(&self, viewer: &Viewer) -> impl Future<Output = ()> + Send + use<> {
        let (guest, left) = (self.drain.enter(), self.time_left(viewer));
        async move {
            tokio::select! {
                () = guest.dismissed() => {}
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
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, sse::LAST_EVENT_ID])
        .expose_headers([http::REQUEST_ID])
        .max_age(Duration::from_secs(3600)))
}

#[cfg(test)]
mod tests;
