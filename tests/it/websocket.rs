//! GraphQL over WebSocket, to the letter of graphql-transport-ws:
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.

use std::time::Duration;

use futures_util::StreamExt;
use scrollback::auth::{TokenRequirements, sign};
use scrollback::clock::Clock;
use scrollback::model::{OwnerId, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::harness::{APPEND, Closed, Engine, SECRET, Socket, TestApp, on_each_database, token};

on_each_database!(
    a_client_is_acknowledged_and_its_pings_are_answered,
    an_invalid_message_closes_the_socket,
    credentials_are_accepted_once_and_first,
    credentials_may_come_with_the_upgrade,
    other_subprotocols_are_rejected,
    queries_and_mutations_answer_once_and_complete,
    a_refused_operation_leaves_the_socket_open,
    an_id_in_use_closes_the_socket,
    operations_run_concurrently,
    completing_an_operation_stops_it_and_frees_its_id,
    the_fifty_first_operation_on_a_socket_is_refused,
    a_shutdown_closes_every_socket,
);

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

const FOLLOW: &str = "subscription Follow($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { node { content } }
}";

fn closed(code: u16, reason: &str) -> Closed {
    Closed { code, reason: reason.into() }
}

/// A token that ends so many seconds from now.
fn ending_in(seconds: i64) -> String {
    let at = Timestamp(Clock::system().now().0 + seconds * 1_000_000);
    sign(SECRET.as_bytes(), &OwnerId::new("ada").unwrap(), at, &TokenRequirements::default()).unwrap()
}

/// A conversation of ada's with a first message, and that message's cursor.
async fn conversation(app: &TestApp) -> (String, Value) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "first").await;
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    let data = ada.data(query, json!({ "id": id })).await;
    (id, data["conversation"]["messages"]["pageInfo"]["endCursor"].clone())
}

/// The event of an appended message.
fn told(id: &str, content: &str) -> Value {
    let data = json!({ "messageAdded": { "node": { "content": content } } });
    json!({ "type": "next", "id": id, "payload": { "data": data } })
}

async fn a_client_is_acknowledged_and_its_pings_are_answered(app: TestApp) {
    let mut socket = Socket::open(&app.url).await;
    // Before the introduction and after.
    socket.settle().await;
    socket.introduce(&ending_in(600)).await;
    socket.send(json!({ "type": "ping", "payload": { "at": 1, "deep": [null] } })).await;
    assert_eq!(socket.receive().await, json!({ "type": "pong", "payload": { "at": 1, "deep": [null] } }));
    socket.send(json!({ "type": "pong", "payload": { "unasked": true } })).await;
    socket.send(json!({ "type": "ping", "payload": null })).await;
    assert_eq!(socket.receive().await, json!({ "type": "pong" }));
    socket.send_raw(Message::Ping("frame".into())).await;
    socket.settle().await;
}

async fn an_invalid_message_closes_the_socket(app: TestApp) {
    let invalid = "Invalid message received";
    for (message, reason) in [
        (Message::text("{"), invalid),
        (Message::text("[]"), invalid),
        (Message::text(r#"{"type":"start","id":"1"}"#), invalid),
        (Message::text(r#"{"type":"connection_ack"}"#), invalid),
        (Message::text(r#"{"id":"1"}"#), invalid),
        (Message::text(r#"{"type":"ping","payload":"x"}"#), invalid),
        (Message::text(r#"{"type":"subscribe","payload":{"query":"{viewer{id}}"}}"#), invalid),
        (Message::text(r#"{"type":"subscribe","id":1,"payload":{"query":"{viewer{id}}"}}"#), invalid),
        (Message::text(r#"{"type":"subscribe","id":"1"}"#), invalid),
        (Message::text(r#"{"type":"complete"}"#), invalid),
        (Message::text(r#"{"type":"subscribe","id":"1","payload":{}}"#), "`query` must be given as a string"),
        (
            Message::text(
                r#"{"type":"subscribe","id":"1","payload":{"query":"{viewer{id}}","variables":[]}}"#,
            ),
            "`variables` must be an object",
        ),
        (Message::binary(r#"{"type":"ping"}"#), "Messages must be text"),
    ] {
        let mut socket = app.socket("ada").await;
        socket.send_raw(message.clone()).await;
        assert_eq!(socket.next().await, Err(closed(4400, reason)), "{message}");
    }
}

async fn credentials_are_accepted_once_and_first(app: TestApp) {
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ viewer { id } }" } });
    let mut socket = Socket::open(&app.url).await;
    socket.send(subscribe).await;
    assert_eq!(socket.next().await, Err(closed(4401, "Unauthorized")));
    let init = |authorization: Value| json!({ "type": "connection_init", "payload": authorization });
    let bearer = |token: String| json!({ "Authorization": format!("Bearer {token}") });
    let forged = token("ada", Duration::from_secs(600)) + "x";
    let missing = "credentials are missing: send `Authorization: Bearer <token>`";
    for (payload, reason) in [
        (Value::Null, missing),
        (json!({}), missing),
        (json!({ "Authorization": 1 }), missing),
        (bearer(forged), "the token is not valid"),
        (bearer(ending_in(-600)), "the token has expired"),
    ] {
        let mut socket = Socket::open(&app.url).await;
        socket.send(init(payload.clone())).await;
        assert_eq!(socket.next().await, Err(closed(4403, reason)), "{payload}");
    }
    let mut socket = app.socket("ada").await;
    socket.send(init(bearer(ending_in(600)))).await;
    assert_eq!(socket.next().await, Err(closed(4429, "Too many initialisation requests")));
}

async fn credentials_may_come_with_the_upgrade(app: TestApp) {
    let viewer = "{ viewer { id } }";
    let bearer = |user: &str| format!("Bearer {}", token(user, Duration::from_secs(600)));
    for (payload, expected) in [(Value::Null, "ada"), (json!({ "authorization": bearer("bob") }), "bob")] {
        let header = bearer("ada");
        let mut socket = Socket::open_with(&app.url, &[PROTOCOL, ("authorization", &header)]).await;
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.receive().await, json!({ "type": "connection_ack" }));
        socket.subscribe("1", viewer, json!({})).await;
        assert_eq!(socket.receive().await["payload"]["data"]["viewer"]["id"], expected);
    }
    // They are not believed before the client has introduced itself, nor where its own are bad.
    let header = bearer("ada");
    let mut socket = Socket::open_with(&app.url, &[PROTOCOL, ("authorization", &header)]).await;
    socket.subscribe("1", viewer, json!({})).await;
    assert_eq!(socket.next().await, Err(closed(4401, "Unauthorized")));
    let mut socket = Socket::open_with(&app.url, &[PROTOCOL, ("authorization", &header)]).await;
    socket.send(json!({ "type": "connection_init", "payload": { "Authorization": "Bearer x" } })).await;
    assert_eq!(socket.next().await, Err(closed(4403, "the token is not valid")));
}

async fn other_subprotocols_are_rejected(app: TestApp) {
    let mut socket = Socket::open_with(&app.url, &[]).await;
    assert_eq!(socket.next().await, Err(closed(4406, "")));
    // The client library refuses a server that does not choose, so this one shakes hands by itself.
    let address = app.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /graphql HTTP/1.1\r\nHost: {address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: graphql-ws\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && !answer.contains("sec-websocket-protocol"), "{answer}");
    let mut stream = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    match stream.next().await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 4406),
        other => panic!("{other:?}"),
    }
    let both = ("sec-websocket-protocol", "graphql-ws, graphql-transport-ws");
    Socket::open_with(&app.url, &[both]).await.introduce(&ending_in(600)).await;
}

async fn queries_and_mutations_answer_once_and_complete(app: TestApp) {
    let (id, _) = conversation(&app).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("q", "{ viewer { id } }", json!({})).await;
    let next = json!({ "type": "next", "id": "q", "payload": { "data": { "viewer": { "id": "ada" } } } });
    assert_eq!(socket.receive().await, next);
    assert_eq!(socket.receive().await, json!({ "type": "complete", "id": "q" }));
    let input = json!({ "conversationId": id, "role": "USER", "content": "over the socket" });
    socket.subscribe("q", APPEND, json!({ "input": input })).await;
    let answer = socket.receive().await;
    assert_eq!(answer["payload"]["data"]["appendMessage"]["message"]["position"], 2, "{answer}");
    assert_eq!(socket.receive().await, json!({ "type": "complete", "id": "q" }));
    // An error in the execution is part of a result.
    let unknown = json!({ "id": uuid::Uuid::nil() });
    socket.subscribe("q", "query($id: ID!) { viewer { id } conversation(id: $id) { id } }", unknown).await;
    let answer = socket.receive().await;
    assert_eq!(answer["type"], "next");
    assert_eq!(answer["payload"]["data"], json!({ "viewer": { "id": "ada" }, "conversation": null }));
    assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(socket.receive().await, json!({ "type": "complete", "id": "q" }));
}

async fn a_refused_operation_leaves_the_socket_open(app: TestApp) {
    let mut socket = app.socket("ada").await;
    let follow =
        format!("subscription {{ messageAdded(conversationId: \"{}\") {{ cursor }} }}", uuid::Uuid::nil());
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { messageAdded { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { viewer { id } } query B { viewer { id } }", "OPERATION_RESOLUTION_FAILURE"),
        (&follow, "NOT_FOUND"),
    ] {
        socket.subscribe("x", query, json!({})).await;
        let refused = socket.receive().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("x")), "{query}: {refused}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{query}");
    }
    // No `complete` follows an `error`, and the id may be used again.
    socket.settle().await;
}

async fn an_id_in_use_closes_the_socket(app: TestApp) {
    let (id, _) = conversation(&app).await;
    let mut socket = app.socket("ada").await;
    for _ in 0..2 {
        socket.subscribe("same", FOLLOW, json!({ "id": id })).await;
    }
    assert_eq!(socket.next().await, Err(closed(4409, "Subscriber for same already exists")));
}

async fn operations_run_concurrently(app: TestApp) {
    let ((one, after_one), (two, after_two)) = (conversation(&app).await, conversation(&app).await);
    let (ada, mut socket) = (app.client("ada"), app.socket("ada").await);
    socket.subscribe("1", FOLLOW, json!({ "id": one, "after": after_one })).await;
    socket.subscribe("2", FOLLOW, json!({ "id": two, "after": after_two })).await;
    for round in ["a", "b", "c"] {
        ada.append(&two, round).await;
        assert_eq!(socket.receive().await, told("2", round));
        socket.subscribe("q", "{ viewer { id } }", json!({})).await;
        assert_eq!(socket.receive().await["payload"]["data"]["viewer"]["id"], "ada");
        assert_eq!(socket.receive().await, json!({ "type": "complete", "id": "q" }));
        ada.append(&one, round).await;
        assert_eq!(socket.receive().await, told("1", round));
    }
}

async fn completing_an_operation_stops_it_and_frees_its_id(app: TestApp) {
    let (id, after) = conversation(&app).await;
    let (ada, mut socket) = (app.client("ada"), app.socket("ada").await);
    socket.subscribe("s", FOLLOW, json!({ "id": id, "after": after })).await;
    ada.append(&id, "second").await;
    assert_eq!(socket.receive().await, told("s", "second"));
    socket.send(json!({ "type": "complete", "id": "s" })).await;
    socket.settle().await;
    ada.append(&id, "third").await;
    // Whatever the first operation still had to say would come before this one's "second".
    socket.subscribe("s", FOLLOW, json!({ "id": id, "after": after })).await;
    for content in ["second", "third"] {
        assert_eq!(socket.receive().await, told("s", content));
    }
    // Completing what is not there, as happens when both sides complete at once, does nothing.
    socket.send(json!({ "type": "complete", "id": "unknown" })).await;
    socket.settle().await;
}

async fn the_fifty_first_operation_on_a_socket_is_refused(app: TestApp) {
    let (id, after) = conversation(&app).await;
    let (ada, mut socket) = (app.client("ada"), app.socket("ada").await);
    let all_are_told = async |socket: &mut Socket, content: &str| {
        let mut left: Vec<_> = (1..=50).map(|number| told(&format!("s{number}"), content)).collect();
        while !left.is_empty() {
            let event = socket.receive().await;
            let at = left.iter().position(|expected| *expected == event);
            left.remove(at.unwrap_or_else(|| panic!("unexpected: {event}")));
        }
    };
    ada.append(&id, "second").await;
    for number in 1..=50 {
        socket.subscribe(&format!("s{number}"), FOLLOW, json!({ "id": id, "after": after })).await;
    }
    all_are_told(&mut socket, "second").await;
    socket.subscribe("s51", FOLLOW, json!({ "id": id, "after": after })).await;
    let refused = socket.receive().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("s51")));
    let message = "a WebSocket can run at most 50 operations at once";
    let error = json!({ "message": message, "extensions": { "code": "BAD_REQUEST" } });
    assert_eq!(refused["payload"], json!([error]));
    ada.append(&id, "third").await;
    all_are_told(&mut socket, "third").await;
    socket.send(json!({ "type": "complete", "id": "s50" })).await;
    socket.subscribe("s51", FOLLOW, json!({ "id": id, "after": after })).await;
    assert_eq!(socket.receive().await, told("s51", "second"));
}

async fn a_shutdown_closes_every_socket(mut app: TestApp) {
    let (id, _) = conversation(&app).await;
    let mut silent = Socket::open(&app.url).await;
    silent.settle().await;
    let mut following = app.socket("ada").await;
    following.subscribe("s", FOLLOW, json!({ "id": id })).await;
    following.settle().await;
    app.stop().await;
    for mut socket in [silent, following] {
        assert_eq!(socket.next().await, Err(closed(1001, "the server is shutting down")));
    }
}

#[tokio::test]
async fn a_client_without_connection_init_is_disconnected() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.init_timeout", "2s")]).await;
    let mut known = app.socket("ada").await;
    let mut unknown = Socket::open(&app.url).await;
    unknown.settle().await;
    assert_eq!(unknown.next().await, Err(closed(4408, "Connection initialisation timeout")));
    known.settle().await;
}

#[tokio::test]
async fn a_socket_closes_when_its_credentials_expire() {
    let app = TestApp::start_with(Engine::Sqlite, &[("auth.leeway", "0s")]).await;
    let (id, _) = conversation(&app).await;
    let mut socket = Socket::open(&app.url).await;
    socket.introduce(&ending_in(2)).await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    socket.settle().await;
    assert_eq!(socket.next().await, Err(closed(4403, "the credentials have expired")));
}

#[tokio::test]
async fn leeway_applies_to_sockets() {
    let app = TestApp::start_with(Engine::Sqlite, &[("auth.leeway", "10m")]).await;
    let mut socket = Socket::open(&app.url).await;
    socket.introduce(&ending_in(-60)).await;
    for _ in 0..200 {
        socket.settle().await;
    }
}
