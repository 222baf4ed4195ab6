//! Operations that panic, with an extension for the test.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::{ServerResult, Value};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::app;
use crate::auth::{self, Issuer, Key, KeySetTiming, TokenRequirements};
use crate::config::Config;
use crate::feed::Feed;
use crate::graphql::{self, PersistedDocuments};
use crate::model::{OwnerId, Timestamp};
use crate::rate_limit::RateLimiter;
use crate::signals::Signals;
use crate::store::Process;
use crate::traces::Tracer;
use crate::webhooks::WebhookFigures;

/// Fields with the alias `boom` panic.
struct PanicExtension;

impl ExtensionFactory for PanicExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for PanicExtension {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        assert_ne!(info.alias, Some("boom"), "this is what the test is for");
        next.run(ctx, info).await
    }
}

/// A server with the extension, and a token.
async fn serve() -> (TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
    let (clock, signals) = (Clock::system(), Signals::default());
    let store = Store::connect(&app::database(&config, Process::Server), clock.clone(), signals.clone())
        .await
        .unwrap();
    let feed = Feed::new(&signals, config.feed.poll);
    let (limits, memory) = (app::limits(&config), app::memory(&config));
    let may = graphql::Settings {
        limits,
        content: app::content_limits(&config),
        documents: PersistedDocuments::default(),
        memory,
        subgraph: None,
    };
    let api = Api::new(store.clone(), feed, may).extended(PanicExtension);
    let secret = b"a secret that only this test knows";
    let issuer =
        Issuer { key: Key::Secrets(vec![secret[..].into()]), requirements: TokenRequirements::default() };
    let authenticator = Authenticator::new(vec![issuer], KeySetTiming::default()).unwrap();
    let expires_at = Timestamp(clock.now().0 + 600_000_000);
    let token =
        auth::sign(secret, &OwnerId::new("ada").unwrap(), expires_at, &TokenRequirements::default()).unwrap();
    let settings = app::server_settings(
        &config,
        RateLimiter::new(None),
        WebhookFigures::default(),
        JobFigures::default(),
        Tracer::default(),
    );
    let settings = settings.unwrap();
    let server = Server::new(api, store, authenticator, clock, settings).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(server.serve(listener.into(), std::future::pending()));
    (folder, address, token)
}

/// Checks the error of an operation that panicked: its code and the request id.
fn assert_internal_error(error: &serde_json::Value) {
    assert_eq!(error["message"], "internal server error");
    assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    let id = error["extensions"]["requestId"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
    assert!(!error.to_string().contains("this is what"), "nothing of the inside: {error}");
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn send(&mut self, message: serde_json::Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: String) {
        self.send(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    async fn receive(&mut self) -> serde_json::Value {
        let message = self.0.next().await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_panic_is_reported_with_its_request_id_and_affects_no_other_operation() {
    let (_folder, address, token) = serve().await;
    let http = reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap();
    let post = |query: &str, accept: &'static str| {
        let request = http.post(format!("http://{address}/graphql")).bearer_auth(&token);
        request.header("accept", accept).json(&json!({ "query": query })).send()
    };
    let broken = post("{ boom: viewer { id } }", "application/json").await.unwrap();
    assert_eq!(broken.status(), 500);
    let id = broken.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: serde_json::Value = broken.json().await.unwrap();
    assert_internal_error(&body["errors"][0]);
    assert_eq!(body["errors"][0]["extensions"]["requestId"], id.as_str());
    let create = "mutation { createConversation(input: { messages: [{ role: USER, content: \"first\" }] }) {
      conversation { id messages { pageInfo { endCursor } } }
    } }";
    let created: serde_json::Value = post(create, "application/json").await.unwrap().json().await.unwrap();
    let conversation = &created["data"]["createConversation"]["conversation"];
    let (id, after) = (&conversation["id"], &conversation["messages"]["pageInfo"]["endCursor"]);

    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let mut socket = Socket(connect_async(request).await.unwrap().0);
    let payload = json!({ "Authorization": format!("Bearer {token}") });
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    let follow = |field: &str| {
        format!("subscription {{ messageAdded(conversationId: {id}, after: {after}) {{ {field} }} }}")
    };
    // Events with a message's parent are rendered field by field.
    let brittle = follow("boom: cursor node { parent { id } }");
    socket.subscribe("sound", follow("cursor")).await;
    socket.subscribe("brittle", brittle.clone()).await;
    socket.subscribe("query", "{ boom: viewer { id } }".into()).await;
    let received = socket.receive().await;
    assert_eq!((&received["type"], &received["id"]), (&json!("error"), &json!("query")), "{received}");
    assert_internal_error(&received["payload"][0]);
    let stream = post(&brittle, "text/event-stream").await.unwrap();

    let input = format!("{{ conversationId: {id}, role: USER, content: \"second\" }}");
    let append = format!("mutation {{ appendMessage(input: {input}) {{ message {{ id }} }} }}");
    post(&append, "application/json").await.unwrap();
    let mut received = [socket.receive().await, socket.receive().await];
    received.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
    assert_eq!((&received[0]["type"], &received[0]["id"]), (&json!("error"), &json!("brittle")));
    assert_internal_error(&received[0]["payload"][0]);
    assert_eq!((&received[1]["type"], &received[1]["id"]), (&json!("next"), &json!("sound")));
    let text = stream.text().await.unwrap();
    let (event, rest) = text.split_once("\n\n").unwrap();
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    assert_internal_error(&serde_json::from_str::<serde_json::Value>(data).unwrap()["errors"][0]);
    assert!(rest.starts_with("event: complete"), "{rest}");
}
