//! Several replicas on one PostgreSQL: changes of one are delivered by the others.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

use crate::harness::{APPEND, APPEND_TEXT, Engine, Nats, Socket, TestApp};

/// Nobody looks without having been woken, so whatever arrives was signalled.
const NEVER_POLL: (&str, &str) = ("feed.poll", "1h");

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { node { position } }
}";

const FOLLOW_TEXT: &str = "subscription($id: ID!) { messageText(messageId: $id) { offset text } }";

const CHANGES: &str = "subscription($after: String) { changes(after: $after) { conversationId } }";

/// Subscribes on one replica and appends on the other, in both directions.
async fn told_between(one: &TestApp, two: &TestApp) {
    for (here, there) in [(one, two), (two, one)] {
        let ada = here.client("ada");
        let id = ada.new_conversation().await;
        let cursor =
            ada.data("{ conversations { changeCursor } }", json!({})).await["conversations"]["changeCursor"]
                .clone();
        ada.append(&id, "first").await;
        let after = ada
            .data(
                "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }",
                json!({ "id": id }),
            )
            .await["conversation"]["messages"]["pageInfo"]["endCursor"]
            .clone();
        let mut messages = there.socket("ada").await;
        messages.subscribe("m", FOLLOW, json!({ "id": id, "after": after })).await;
        let mut changes = there.socket("ada").await;
        changes.subscribe("c", CHANGES, json!({ "after": cursor })).await;
        assert_eq!(changes.receive().await["payload"]["data"]["changes"]["conversationId"], id.as_str());
        for position in 2..=20 {
            ada.append(&id, "next").await;
            expect(&mut messages, &json!({ "messageAdded": { "node": { "position": position } } })).await;
            expect(&mut changes, &json!({ "changes": { "conversationId": id } })).await;
        }
    }
}

/// The text of a message reaches the subscribers of both replicas, whichever of them writes a chunk.
async fn text_told_between(one: &TestApp, two: &TestApp) {
    let replicas = [one, two];
    let ada = one.client("ada");
    let id = ada.new_conversation().await;
    let input = json!({ "conversationId": id, "role": "ASSISTANT", "status": "STREAMING" });
    let message = ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    let mut sockets = Vec::new();
    for replica in replicas {
        let mut socket = replica.socket("ada").await;
        socket.subscribe("t", FOLLOW_TEXT, json!({ "id": message })).await;
        sockets.push(socket);
    }
    // One replica writes a few chunks, then the other. Now and then everything has to have arrived.
    let mut received = 0;
    for number in 0..60 {
        let writer = replicas[[0, 0, 1, 0, 1, 1, 1][number % 7]].client("ada");
        let text = json!({ "id": message, "offset": number, "text": char::from(b'a' + (number % 26) as u8) });
        writer.data(APPEND_TEXT, text).await;
        if number % 5 > 0 {
            continue;
        }
        let expected: String = (received..=number).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        for socket in &mut sockets {
            let mut text = String::new();
            while text.len() < expected.len() {
                let data = socket.receive().await["payload"]["data"].clone();
                assert_eq!(data["messageText"]["offset"], received + text.len());
                text.push_str(data["messageText"]["text"].as_str().unwrap());
            }
            assert_eq!(text, expected);
        }
        received = number + 1;
    }
}

async fn expect(socket: &mut Socket, data: &Value) {
    assert_eq!(&socket.receive().await["payload"]["data"], data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_signal_each_other_through_postgresql() {
    let one = TestApp::start_with(Engine::Postgres, &[NEVER_POLL]).await;
    let two = one.replica().await;
    told_between(&one, &two).await;
    text_told_between(&one, &two).await;
    // The sessions that listen and notify are ended; they come back, and what was said meanwhile is
    // looked for.
    let mut admin = PgConnection::connect(&one.config.database_url()).await.unwrap();
    for _ in 0..3 {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'scrollback signals' AND datname = current_database()";
        let ended = admin.execute(end).await.unwrap().rows_affected();
        assert!(ended >= 2, "both replicas listen: {ended}");
        told_between(&one, &two).await;
        wait_for_listeners(&mut admin).await;
    }
}

/// Until both replicas listen again.
async fn wait_for_listeners(admin: &mut PgConnection) {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scrollback signals' \
                 AND datname = current_database() AND query LIKE 'LISTEN%'";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let listening: i64 = sqlx::query_scalar(count).fetch_one(&mut *admin).await.unwrap();
        if listening >= 2 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listening} listen");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_signal_each_other_through_nats() {
    let mut nats = Nats::start();
    let one = TestApp::start_with(Engine::Postgres, &[NEVER_POLL, ("feed.signals", &nats.url())]).await;
    let two = one.replica().await;
    told_between(&one, &two).await;
    text_told_between(&one, &two).await;
    nats.kill();
    nats.up();
    told_between(&one, &two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_finds_changes_without_signals() {
    // The two hear nothing of each other: one talks through a NATS that is not there.
    let settings = [("feed.poll", "50ms"), ("feed.signals", "nats://127.0.0.1:1")];
    let one = TestApp::start_with(Engine::Postgres, &settings).await;
    let two = one.replica().await;
    told_between(&one, &two).await;
    text_told_between(&one, &two).await;
}
