//! WebSockets as connections: origins, limits, and what closes them.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::{APPEND, Closed, Engine, Socket, TIMEOUT, TestApp, token};

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { position } }
}";

fn closed(code: u16, reason: &str) -> Closed {
    Closed { code, reason: reason.into() }
}

async fn with_socket_settings(settings: &[(&'static str, &str)]) -> TestApp {
    TestApp::start_with(Engine::Sqlite, settings).await
}

/// The status that an upgrade from a page of this origin is answered with.
async fn upgraded(app: &TestApp, origin: &str) -> u16 {
    let mut request = format!("{}/graphql", app.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    headers.insert("origin", HeaderValue::from_str(origin).unwrap());
    match connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_allowed_origins_can_open_sockets() {
    let app = with_socket_settings(&[("server.cors_origins", "https://chat.example")]).await;
    assert_eq!(upgraded(&app, "https://chat.example").await, 101);
    assert_eq!(upgraded(&app, &app.url).await, 101, "a page of the server itself");
    for foreign in ["https://evil.example", "http://chat.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(upgraded(&app, foreign).await, 403, "{foreign}");
    }
    app.socket("ada").await.settle().await;
}

#[tokio::test]
async fn sockets_are_limited_for_each_owner() {
    let app = with_socket_settings(&[("server.sockets_per_owner", "2")]).await;
    let (mut first, mut second) = (app.socket("ada").await, app.socket("ada").await);
    let third = async || {
        let mut third = Socket::open(&app.url).await;
        let payload = json!({ "Authorization": format!("Bearer {}", token("ada", TIMEOUT)) });
        third.send(json!({ "type": "connection_init", "payload": payload })).await;
        third.next().await
    };
    assert_eq!(third().await, Err(closed(1013, "an owner may have at most 2 sockets open")));
    app.socket("bob").await.settle().await;
    first.settle().await;
    second.settle().await;
    // However it ends, a socket makes room.
    drop(second);
    let start = Instant::now();
    while third().await.is_err() {
        assert!(start.elapsed() < TIMEOUT, "no room");
    }
}

#[tokio::test]
async fn a_socket_has_a_limit_of_operations() {
    let app = with_socket_settings(&[("server.operations_per_socket", "1")]).await;
    let id = app.client("ada").new_conversation().await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("1", FOLLOW, json!({ "id": id })).await;
    socket.subscribe("2", FOLLOW, json!({ "id": id })).await;
    let refused = socket.receive().await;
    assert_eq!(refused["payload"][0]["message"], "a WebSocket can run at most 1 operations at once");
}

#[tokio::test]
async fn a_message_over_the_limit_closes_the_socket() {
    let settings = [("limits.message_bytes", "262144"), ("server.message_limit", "1048576")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let sized = |size: usize| {
        let message = json!({ "type": "ping", "payload": { "padding": "" } }).to_string();
        message.replace("\"\"", &format!("\"{}\"", "x".repeat(size - message.len())))
    };
    const LIMIT: usize = 1024 * 1024;
    let mut socket = app.socket("ada").await;
    socket.send_raw(Message::text(sized(LIMIT))).await;
    assert_eq!(socket.receive().await["type"], "pong", "a message of just the limit");
    for size in [LIMIT + 1, 2 * LIMIT] {
        let mut socket = app.socket("ada").await;
        socket.send_raw(Message::text(sized(size))).await;
        assert_eq!(socket.next().await, Err(closed(1009, "a message must be at most 1048576 bytes")));
    }
    // What is far larger is dropped while it comes.
    for size in [5 * LIMIT, 32 * LIMIT] {
        let mut socket = app.socket("ada").await;
        timeout(TIMEOUT, socket.stream.send(Message::text(sized(size)))).await.unwrap().unwrap();
        assert_eq!(socket.closed().await.code, 1009, "{size}");
    }
}

#[tokio::test]
async fn binary_and_invalid_frames_close_the_socket() {
    let app = TestApp::start(Engine::Sqlite).await;
    let mut socket = app.socket("ada").await;
    let text = tokio_tungstenite::tungstenite::protocol::frame::Frame::message(
        vec![0xff, 0xfe],
        tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode::Data(
            tokio_tungstenite::tungstenite::protocol::frame::coding::Data::Text,
        ),
        true,
    );
    socket.send_raw(Message::Frame(text)).await;
    assert_eq!(socket.next().await, Err(closed(1007, "Messages must be UTF-8")));
    // A client that says goodbye is answered.
    let mut socket = app.socket("ada").await;
    socket.send_raw(Message::Close(None)).await;
    match timeout(TIMEOUT, socket.stream.next()).await.unwrap() {
        Some(Ok(Message::Close(_))) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_disconnected() {
    let settings = [("server.ping_interval", "300ms"), ("server.dead_after", "3s")];
    let app = with_socket_settings(&settings).await;
    let mut alive = app.socket("ada").await;
    // The server counts from the first message of a client.
    let start = Instant::now();
    let mut dead = app.socket("ada").await;
    let answering = async {
        while start.elapsed() < Duration::from_secs(5) {
            assert_eq!(alive.receive().await, json!({ "type": "ping" }));
            alive.send(json!({ "type": "pong" })).await;
        }
    };
    let silent = async {
        let mut pings = 0;
        // It reads, but says nothing.
        while let Ok(message) = dead.next().await {
            assert_eq!(message, json!({ "type": "ping" }));
            pings += 1;
        }
        assert!((2..=10).contains(&pings), "{pings}");
        assert!(start.elapsed() >= Duration::from_secs(3));
    };
    // The one that answers is there for longer than the silent one is borne.
    tokio::join!(answering, silent);
}

#[tokio::test]
async fn a_busy_operation_does_not_block_others() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    ada.append(&id, "first").await;
    let data = ada.data(query, json!({ "id": id })).await;
    let after = data["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let input = json!({ "conversationId": id, "role": "USER", "content": "x".repeat(20 * 1024) });
    const BACKLOG: usize = 400;
    for _ in 0..BACKLOG {
        ada.data(append, json!({ "input": input })).await;
    }
    let content = "subscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) { node { content } }
    }";
    let mut socket = app.socket("ada").await;
    for busy in ["a", "b", "c"] {
        socket.subscribe(busy, content, json!({ "id": id, "after": after })).await;
    }
    // They are under way.
    assert_eq!(socket.receive().await["type"], "next");
    socket.subscribe("q", "{ viewer { id } }", json!({})).await;
    let (mut events, mut answered_after) = (1, None);
    while events < 3 * BACKLOG {
        let message = socket.receive().await;
        match message["id"].as_str() {
            Some("q") => answered_after = answered_after.or(Some(events)),
            _ => events += 1,
        }
    }
    let answered_after = answered_after.expect("an answer before the end");
    assert!(answered_after < BACKLOG, "after {answered_after} events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_closes_sockets_one_after_another() {
    const SOCKETS: usize = 60;
    let mut app = with_socket_settings(&[("server.sockets_per_owner", "100")]).await;
    let id = app.client("ada").new_conversation().await;
    let mut open = tokio::task::JoinSet::new();
    for _ in 0..SOCKETS {
        let mut socket = app.socket("ada").await;
        socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
        socket.settle().await;
        open.spawn(async move {
            assert_eq!(socket.closed().await, closed(1001, "the server is shutting down"));
            Instant::now()
        });
    }
    app.stop().await;
    let mut times = open.join_all().await;
    times.sort();
    // They go at random within 300 ms: that none of sixty goes outside of a third of it does not happen.
    let spread = times[SOCKETS - 1] - times[0];
    assert!(spread > Duration::from_millis(100), "{spread:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_lets_mutations_of_sockets_finish() {
    let mut app = TestApp::start(Engine::Sqlite).await;
    let id = app.client("ada").new_conversation().await;
    let mut socket = app.socket("ada").await;
    let input = json!({ "conversationId": id, "role": "USER", "content": "last" });
    socket.subscribe("m", APPEND, json!({ "input": input })).await;
    // It has been taken when this is answered, and may or may not have been run.
    socket.send(json!({ "type": "ping" })).await;
    let mut seen = Vec::new();
    loop {
        let message: Value = socket.receive().await;
        let is_pong = message["type"] == "pong";
        seen.push(message);
        if is_pong {
            break;
        }
    }
    let (closed_with, ()) = tokio::join!(
        async {
            loop {
                match socket.next().await {
                    Ok(message) => seen.push(message),
                    Err(closed) => return closed,
                }
            }
        },
        app.stop()
    );
    assert_eq!(closed_with, closed(1001, "the server is shutting down"));
    let kinds: Vec<_> = seen.iter().filter_map(|message| message["type"].as_str()).collect();
    assert!(kinds.contains(&"next") && kinds.contains(&"complete"), "{kinds:?}");
}
