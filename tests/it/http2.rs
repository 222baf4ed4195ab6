//! HTTP/2 at the frame level: WebSockets, and hostile clients.

use std::time::Duration;

use axum::http::{Method, Request};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{Engine, TIMEOUT, TestApp};

type Sender = SendRequest<axum::body::Bytes>;

/// A connection, and how it ended.
async fn connect(app: &TestApp) -> (Sender, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// A short text as a client's frame, masked with zeros (RFC 6455, 5.2).
fn frame(message: &Value) -> axum::body::Bytes {
    let text = message.to_string();
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat().into()
}

/// The next message, of a server that sends short ones.
async fn receive(stream: &mut RecvStream, unread: &mut Vec<u8>) -> Value {
    loop {
        if let Some(length) = unread.get(1).map(|length| usize::from(*length)) {
            assert!(unread[0] == 0x81 && length < 126, "{unread:?}");
            if unread.len() >= 2 + length {
                let message = serde_json::from_slice(&unread[2..2 + length]).unwrap();
                unread.drain(..2 + length);
                return message;
            }
        }
        let bytes = timeout(TIMEOUT, stream.data()).await.expect("a message in time").unwrap().unwrap();
        stream.flow_control().release_capacity(bytes.len()).unwrap();
        unread.extend_from_slice(&bytes);
    }
}

#[tokio::test]
async fn websockets_share_an_http2_connection() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.keep_alive", "300ms")]).await;
    let (mut sender, ended) = connect(&app).await;
    let get = || {
        let uri = format!("{}/graphql?query=%7Bviewer%7Bid%7D%7D", app.url);
        let authorization = format!("Bearer {}", app.client("ada").token());
        Request::get(uri).header("authorization", authorization).body(()).unwrap()
    };
    let (answer, _) = sender.send_request(get(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    assert!(sender.is_extended_connect_protocol_enabled());
    let upgrade = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("{}/graphql", app.url))
        .extension(Protocol::from_static("websocket"))
        .header("authorization", format!("Bearer {}", app.client("ada").token()))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "graphql-transport-ws")
        .header("origin", &app.url);
    let (answer, mut send) = sender.send_request(upgrade.body(()).unwrap(), false).unwrap();
    let answer = timeout(TIMEOUT, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let (mut stream, mut unread) = (answer.into_body(), Vec::new());
    send.send_data(frame(&json!({ "type": "connection_init" })), false).unwrap();
    assert_eq!(receive(&mut stream, &mut unread).await, json!({ "type": "connection_ack" }));
    // Longer than a connection may be idle.
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        send.send_data(frame(&json!({ "type": "ping" })), false).unwrap();
        assert_eq!(receive(&mut stream, &mut unread).await, json!({ "type": "pong" }));
    }
    let (answer, _) = sender.send_request(get(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    // Without its socket it is idle, and is closed in good order.
    send.send_reset(Reason::CANCEL);
    drop((send, stream, sender));
    timeout(TIMEOUT, ended).await.expect("closed in time").unwrap().unwrap();
}

#[tokio::test]
async fn rapid_stream_resets_end_the_connection() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (mut sender, ended) = connect(&app).await;
    let mut sent = 0;
    let attack = async {
        loop {
            let request = Request::get(format!("{}/graphql", app.url)).body(()).unwrap();
            let Ok(mut ready) = sender.clone().ready().await else { return };
            let Ok((_, mut stream)) = ready.send_request(request, true) else { return };
            stream.send_reset(Reason::CANCEL);
            sent += 1;
            sender = ready;
            // Some at a time, so that they reach the server together.
            if sent % 200 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(TIMEOUT, attack).await.expect("cut in time");
    let error = ended.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
    app.client("ada").data("{ viewer { id } }", json!({})).await;
}
