//! Subscribers that do not keep up: they are disconnected with a cursor, and do not affect others.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Client, Engine, EventStream, Program, Socket, TIMEOUT, TestApp, on_each_database};

on_each_database!(
    a_slow_socket_gets_a_cursor_and_does_not_block_others,
    a_slow_stream_gets_a_cursor_and_does_not_block_others,
);

/// In total more than the operating system and the server buffer for a client that does not read.
const MESSAGES: usize = 80;
const BYTES: usize = 150 * 1024;

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { position content } }
}";

/// Sockets that do not read are given time here.
const PATIENT: (&str, &str) = ("server.write_timeout", "1m");

/// A conversation with one message, and that message's cursor.
async fn conversation(ada: &Client) -> (String, Value) {
    let id = ada.new_conversation().await;
    ada.append(&id, "first").await;
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    let data = ada.data(query, json!({ "id": id })).await;
    (id, data["conversation"]["messages"]["pageInfo"]["endCursor"].clone())
}

/// The next message of an operation, whatever the server asks in between.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = socket.receive().await;
        if message["type"] != "ping" {
            return message;
        }
    }
}

/// Takes the message at `position`, and gives its cursor.
fn take(payload: &Value, position: usize) -> Value {
    let edge = &payload["data"]["messageAdded"];
    assert_eq!(edge["node"]["position"], position, "missed or told twice");
    assert_eq!(edge["node"]["content"].as_str().unwrap().len(), BYTES);
    edge["cursor"].clone()
}

/// Appends everything while another subscriber reads each message.
async fn append_all(app: &TestApp, id: &str, after: &Value) {
    let (ada, content) = (app.client("ada"), "x".repeat(BYTES));
    let mut quick = app.socket("ada").await;
    quick.subscribe("q", FOLLOW, json!({ "id": id, "after": after })).await;
    for position in 2..=MESSAGES + 1 {
        ada.append(id, &content).await;
        take(&next(&mut quick).await["payload"], position);
    }
}

async fn a_slow_socket_gets_a_cursor_and_does_not_block_others(app: TestApp) {
    let app = TestApp::start_with(app.engine, &[PATIENT]).await;
    let (id, mut cursor) = conversation(&app.client("ada")).await;
    let mut slow = app.socket("ada").await;
    slow.subscribe("s", FOLLOW, json!({ "id": id, "after": cursor })).await;
    append_all(&app, &id, &cursor).await;
    let mut position = 2;
    let end = loop {
        let message = next(&mut slow).await;
        assert_eq!(message["id"], "s");
        if message["type"] != "next" {
            break message;
        }
        cursor = take(&message["payload"], position);
        position += 1;
    };
    let message = "the subscriber is too slow: resume from the cursor";
    let extensions = json!({ "code": "SLOW_CONSUMER", "cursor": cursor, "retryable": true });
    assert_eq!(end["type"], "error", "{end}");
    assert_eq!(end["payload"].as_array().unwrap().len(), 1, "{end}");
    assert_eq!(end["payload"][0]["message"], message);
    assert_eq!(end["payload"][0]["extensions"], extensions);
    slow.subscribe("again", FOLLOW, json!({ "id": id, "after": cursor })).await;
    for position in position..=MESSAGES + 1 {
        take(&next(&mut slow).await["payload"], position);
    }
    slow.settle().await;
}

async fn a_slow_stream_gets_a_cursor_and_does_not_block_others(app: TestApp) {
    let ada = app.client("ada");
    let (id, mut cursor) = conversation(&ada).await;
    let variables = json!({ "id": id, "after": cursor });
    let mut slow = EventStream::open(&ada, FOLLOW, variables.clone(), None).await;
    append_all(&app, &id, &cursor).await;
    let (mut position, mut last) = (2, None);
    let end = loop {
        let event = slow.next().await.unwrap();
        assert_eq!(event.name, "next");
        if event.data.get("errors").is_some() {
            break event;
        }
        cursor = take(&event.data, position);
        assert_eq!(event.id.as_deref(), cursor.as_str());
        last = event.id;
        position += 1;
    };
    let extensions = json!({ "code": "SLOW_CONSUMER", "cursor": cursor, "retryable": true });
    assert_eq!(end.data["errors"][0]["extensions"], extensions);
    assert_eq!(slow.next().await.unwrap().name, "complete");
    assert!(slow.next().await.is_none());
    // A browser's own reconnection begins at the same place.
    let mut resumed = EventStream::open(&ada, FOLLOW, variables, last.as_deref()).await;
    for position in position..=MESSAGES + 1 {
        take(&resumed.next().await.unwrap().data, position);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_at_all_is_closed() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.write_timeout", "200ms")]).await;
    let (id, cursor) = conversation(&app.client("ada")).await;
    let mut stuck = app.socket("ada").await;
    stuck.subscribe("s", FOLLOW, json!({ "id": id, "after": cursor })).await;
    append_all(&app, &id, &cursor).await;
    // Writing to a socket that the other side has closed fails.
    let start = Instant::now();
    while stuck.try_send(json!({ "type": "ping" })).await.is_some() {
        assert!(start.elapsed() < TIMEOUT, "the socket is still open");
        tokio::task::yield_now().await;
    }
    let mut again = app.socket("ada").await;
    again.subscribe("s", FOLLOW, json!({ "id": id, "after": cursor })).await;
    for position in 2..=MESSAGES + 1 {
        take(&next(&mut again).await["payload"], position);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_slow_subscribers_are_bounded() {
    const SUBSCRIPTIONS: u64 = 50;
    const MOST_EACH: u64 = 3 * 1024 * 1024;
    let server = Program::over(Engine::Sqlite).await.with("SCROLLBACK_SERVER_WRITE_TIMEOUT", "1m");
    let server = server.serve(&[]).await;
    let ada = server.client("ada");
    let (id, cursor) = conversation(&ada).await;
    let content = "x".repeat(BYTES);
    for _ in 0..MESSAGES {
        ada.append(&id, &content).await;
    }
    let before = server.peak_memory();
    let variables = json!({ "id": id, "after": cursor });
    let mut stuck = Socket::open(&server.url).await;
    stuck.introduce(ada.token()).await;
    for number in 0..SUBSCRIPTIONS {
        stuck.subscribe(&number.to_string(), FOLLOW, variables.clone()).await;
    }
    // Others are served meanwhile.
    for _ in 0..3 {
        let mut stream = EventStream::open(&ada, FOLLOW, variables.clone(), None).await;
        for position in 2..=MESSAGES + 1 {
            take(&stream.next().await.unwrap().data, position);
        }
    }
    let grown = server.peak_growth(before);
    assert!(grown < SUBSCRIPTIONS * MOST_EACH, "{grown} bytes for {SUBSCRIPTIONS} subscriptions");
}
