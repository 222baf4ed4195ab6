//! `examples/embed`: Scrollback in another axum application, by way of async-graphql-axum.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::harness::{Engine, TIMEOUT, shared_cluster};

/// The example while it runs.
struct Embedding {
    url: String,
    _folder: TempDir,
    child: Child,
}

impl Embedding {
    async fn start(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_scrollback")).with_file_name("examples/embed");
        // `cargo test` builds examples, unless targets are selected.
        assert!(program.exists(), "run `cargo build --example embed` first");
        let mut command = Command::new(program);
        command.arg("127.0.0.1:0").current_dir(folder.path()).stdout(Stdio::piped()).kill_on_drop(true);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SCROLLBACK_")) {
            command.env_remove(name);
        }
        if engine == Engine::Postgres {
            command.env("SCROLLBACK_DATABASE_URL", shared_cluster().create_database().await);
        }
        command.env("SCROLLBACK_LIMITS_COST", "3000");
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap().unwrap();
        let url = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { url, _folder: folder, child }
    }

    async fn run(&self, user: &str, query: &str, variables: Value) -> Value {
        let request = reqwest::Client::new().post(format!("{}/chat", self.url)).header("x-user", user);
        let body = json!({ "query": query, "variables": variables });
        request.json(&body).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_serves_chats_of_its_own_users_on_sqlite() {
    an_application_serves_chats_of_its_own_users(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_serves_chats_of_its_own_users_on_postgres() {
    an_application_serves_chats_of_its_own_users(Engine::Postgres).await;
}

async fn an_application_serves_chats_of_its_own_users(engine: Engine) {
    let mut app = Embedding::start(engine).await;
    let text = reqwest::get(format!("{}/hello", app.url)).await.unwrap().text().await.unwrap();
    assert_eq!(text, "hello");
    let nobody = reqwest::Client::new()
        .post(format!("{}/chat", app.url))
        .json(&json!({ "query": "{ viewer { id } }" }));
    assert_eq!(nobody.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    let create = "mutation($m: JSON) { createConversation(input: { title: \"a\", metadata: $m }) { conversation { id } } }";
    let metadata = json!({ "z": 1.5, "a": [true, null, "x"] });
    let created = app.run("ada", create, json!({ "m": metadata })).await;
    let id = created["data"]["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();

    let mut request = format!("{}/chat", app.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    request.headers_mut().insert("x-user", HeaderValue::from_static("ada"));
    let (mut socket, _) = connect_async(request).await.unwrap();
    let follow = "subscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) { cursor node { position content metadata } }
    }";
    let append = "mutation($id: ID!, $content: String!) {
      appendMessage(input: { conversationId: $id, role: USER, content: $content, metadata: { n: 1e2 } }) {
        messageEdge { cursor }
      }
    }";
    let first = app.run("ada", append, json!({ "id": id, "content": "first" })).await;
    let cursor = &first["data"]["appendMessage"]["messageEdge"]["cursor"];
    let payload = json!({ "query": follow, "variables": { "id": id, "after": cursor } });
    for message in
        [json!({ "type": "connection_init" }), json!({ "type": "subscribe", "id": "s", "payload": payload })]
    {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    app.run("ada", append, json!({ "id": id, "content": "second" })).await;
    let told = loop {
        let message = timeout(TIMEOUT, socket.next()).await.expect("a message in time").unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "next" {
            break message["payload"]["data"]["messageAdded"]["node"].clone();
        }
    };
    assert_eq!(told, json!({ "position": 2, "content": "second", "metadata": { "n": 100.0 } }));

    let read = "query($id: ID!) { conversation(id: $id) { metadata messages { nodes { content } edges { node { position } } } } }";
    let conversation = app.run("ada", read, json!({ "id": id })).await["data"]["conversation"].take();
    assert_eq!(conversation["metadata"], metadata);
    assert_eq!(conversation["messages"]["nodes"], json!([{ "content": "first" }, { "content": "second" }]));
    assert_eq!(conversation["messages"]["edges"][1]["node"]["position"], 2);
    // Foreign ids look like missing ones, and limits apply.
    let code = async |user: &str, query: &str| {
        let answer = app.run(user, query, json!({ "id": id })).await;
        answer["errors"][0]["extensions"]["code"].clone()
    };
    assert_eq!(code("bob", read).await, "NOT_FOUND");
    let large = "query($id: ID!) { conversations(first: 100) { nodes { messages(last: 100) { nodes { id } } } } conversation(id: $id) { id } }";
    assert_eq!(code("ada", large).await, "QUERY_TOO_COMPLEX");
    assert_eq!(
        code("ada", "query($id: ID!) { conversation(id: $id) { nothing } }").await,
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(code("ada", "query($id: ID!) { conversation(id: $id) {").await, "GRAPHQL_PARSE_FAILED");

    // It shuts down on SIGTERM.
    let signal = Command::new("kill").arg(app.child.id().unwrap().to_string()).status().await.unwrap();
    assert!(signal.success());
    drop(socket);
    let ended =
        timeout(TIMEOUT + Duration::from_secs(10), app.child.wait()).await.expect("an end in time").unwrap();
    assert!(ended.success(), "{ended}");
}
