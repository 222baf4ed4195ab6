//! An axum application with its own routes and its own users that stores its chats in Scrollback.
//!
//! ```sh
//! cargo run --example embed
//! curl http://127.0.0.1:8000/chat -H 'x-user: ada' -H 'content-type: application/json' \
//!   -d '{"query": "mutation { createConversation(input: {}) { conversation { id } } }"}'
//! ```

use async_graphql::Executor as _;
use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql_axum::{GraphQLProtocol, GraphQLRequest, GraphQLResponse, GraphQLWebSocket};
use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use scrollback::app::{App, Executor};
use scrollback::clock::Clock;
use scrollback::config::{self, Sources};
use scrollback::model::{OwnerId, Viewer};

/// Who asks. This application believes a header; yours knows its users by a session or a token.
fn viewer(headers: &HeaderMap) -> Result<Viewer, StatusCode> {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
    OwnerId::new(user).map(Viewer::new).map_err(|_| StatusCode::UNAUTHORIZED)
}

async fn chat(
    State(executor): State<Executor>,
    headers: HeaderMap,
    request: GraphQLRequest,
) -> Result<GraphQLResponse, StatusCode> {
    let executor = executor.for_viewer(viewer(&headers)?);
    Ok(executor.execute(request.into_inner()).await.into())
}

async fn follow(
    State(executor): State<Executor>,
    headers: HeaderMap,
    protocol: GraphQLProtocol,
    upgrade: WebSocketUpgrade,
) -> Result<Response, StatusCode> {
    let executor = executor.for_viewer(viewer(&headers)?);
    let upgrade = upgrade.protocols(ALL_WEBSOCKET_PROTOCOLS);
    Ok(upgrade.on_upgrade(move |socket| GraphQLWebSocket::new(socket, executor, protocol).serve()))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".into());
    let environment = config::environment(std::env::vars_os())?;
    let config = config::load(Sources { environment, ..Sources::default() })?;
    let scrollback = App::open(config, Clock::system()).await?.embed();
    let router = Router::new()
        .route("/hello", get(async || "hello"))
        .route("/chat", post(chat).get(follow))
        .with_state(scrollback.executor().clone());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).with_graceful_shutdown(scrollback::server::terminated()).await?;
    scrollback.close().await;
    Ok(())
}
