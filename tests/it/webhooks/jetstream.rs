//! The publisher to NATS JetStream.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{on_each_engine, wait_until_registered};
use crate::harness::{Engine, Nats, TIMEOUT, TestApp};

on_each_engine!(all_changes_are_published_once_and_in_order_while_nats_crashes);

/// Calls the API of JetStream, as long as it takes until it answers.
async fn call(client: &Client, name: &str, body: &Value) -> Value {
    let called = async {
        loop {
            let body = body.to_string().into();
            if let Ok(answer) = client.request(format!("$JS.API.{name}"), body).await {
                return serde_json::from_slice(&answer.payload).unwrap();
            }
        }
    };
    tokio::time::timeout(TIMEOUT, called).await.expect("JetStream answers in time")
}

/// A message of the stream: the subject, the id and the body.
async fn message(client: &Client, number: u64) -> (String, String, Value) {
    let answer = call(client, "STREAM.MSG.GET.EVENTS", &json!({ "seq": number })).await;
    let decode =
        |value: &Value| String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    let headers = decode(&answer["message"]["hdrs"]);
    let id = headers.lines().find_map(|line| line.strip_prefix("Nats-Msg-Id: ")).unwrap().to_owned();
    let body = serde_json::from_str(&decode(&answer["message"]["data"])).unwrap();
    (answer["message"]["subject"].as_str().unwrap().to_owned(), id, body)
}

/// Waits until the stream has this number of messages.
async fn wait_for_messages(client: &Client, messages: u64) {
    let published = async {
        while call(client, "STREAM.INFO.EVENTS", &json!({})).await["state"]["messages"] != messages {
            tokio::task::yield_now().await;
        }
    };
    // The backoff after some failures.
    tokio::time::timeout(3 * TIMEOUT, published).await.expect("published in time");
}

async fn all_changes_are_published_once_and_in_order_while_nats_crashes(engine: Engine) {
    const USERS: u64 = 20;
    let mut nats = Nats::start_with_jetstream();
    let options = ConnectOptions::new().request_timeout(Some(Duration::from_secs(2)));
    let client = options.connect(nats.url()).await.unwrap();
    let stream =
        json!({ "name": "EVENTS", "subjects": ["chat.events.>"], "storage": "file", "retention": "limits" });
    let created = call(&client, "STREAM.CREATE.EVENTS", &stream).await;
    assert_eq!(created.get("error"), None, "{created}");
    let settings = [("jetstream.url", &*nats.url()), ("jetstream.subject", "chat.events")];
    let app = TestApp::start_with(engine, &settings).await;
    wait_until_registered(&app).await;
    let write = async |messages: usize| {
        for user in 0..USERS {
            let client = app.client(&format!("user {user}"));
            let id = client.new_conversation().await;
            for _ in 0..messages {
                client.append(&id, "a secret text").await;
            }
        }
    };
    write(1).await;
    nats.kill();
    write(2).await;
    nats.up();
    write(1).await;
    wait_for_messages(&client, 7 * USERS).await;
    let mut published: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for number in 1..=7 * USERS {
        let (subject, id, body) = message(&client, number).await;
        assert_eq!(subject, format!("chat.events.{}", body["type"].as_str().unwrap()));
        assert_eq!(id, body["data"]["cursor"].as_str().unwrap());
        assert!(!body.to_string().contains("a secret text"));
        let owner = body["data"]["owner"].as_str().unwrap().to_owned();
        published.entry(owner).or_default().push(body["data"]["revision"].as_i64().unwrap());
    }
    assert_eq!(published.len() as u64, USERS);
    for (owner, revisions) in published {
        assert_eq!(revisions, Vec::from_iter(1..=7), "{owner}: each once and in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_without_a_stream_is_a_fault() {
    let nats = Nats::start_with_jetstream();
    let app = TestApp::start_with(Engine::Sqlite, &[("jetstream.url", &nats.url())]).await;
    wait_until_registered(&app).await;
    app.client("ada").new_conversation().await;
    super::security::wait_for_fault(&app, "no stream").await;
}
