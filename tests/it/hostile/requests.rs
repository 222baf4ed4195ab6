//! Memory of large requests: reserved while they are received, while they run, and as long as a subscription
//! lasts.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Client, Socket, TIMEOUT, TestApp, on_each_database};

on_each_database!(
    large_bodies_are_limited_for_each_owner,
    large_subscriptions_are_limited_for_each_owner,
    variables_have_a_limit_of_values,
);

/// An owner's large requests may take 8 MiB, twice as much as they have bytes.
const SETTINGS: &[(&str, &str)] = &[
    ("limits.message_bytes", "262144"),
    ("limits.answer_bytes", "1048576"),
    ("server.body_limit", "1048576"),
    ("server.message_limit", "1048576"),
    ("server.memory_per_owner", "4194304"),
    ("server.memory", "33554432"),
];
const FITTING: usize = 4;

/// The limit of a body.
const BYTES: usize = 1024 * 1024;

/// A request of this size, most of which are unused variables.
fn question(bytes: usize) -> String {
    let question = |ignored: usize| json!({ "query": "{ viewer { id } }", "ignored": "x".repeat(ignored) });
    question(bytes - question(0).to_string().len()).to_string()
}

async fn ask(client: &Client, body: String) -> Response {
    let request = client.request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json");
    request.body(body).send().await.unwrap()
}

fn assert_crowded(errors: &Value) {
    let message = "too many large requests are in progress: retry later";
    let extensions = json!({ "code": "UNAVAILABLE", "retryable": true });
    assert_eq!(errors, &json!([{ "message": message, "extensions": extensions }]));
}

/// Sends all of a question but its end.
async fn begin(client: &Client, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(client.url().strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        client.token(),
        body.len()
    );
    let (begun, _) = body.split_at(body.len() - 1);
    stream.write_all(format!("{head}{begun}").as_bytes()).await.unwrap();
    stream
}

async fn large_bodies_are_limited_for_each_owner(app: TestApp) {
    let app = TestApp::start_with(app.engine, SETTINGS).await;
    let (eve, bob) = (app.client("eve"), app.client("bob"));
    let large = question(BYTES);
    let mut begun = Vec::new();
    // A question that is asked meanwhile may have the room that one of these comes for.
    let filled = async {
        loop {
            begun.push(begin(&eve, &large).await);
            let answer = ask(&eve, large.clone()).await;
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                return answer.json::<Value>().await.unwrap();
            }
        }
    };
    let refused = timeout(TIMEOUT, filled).await.expect("a refusal in time");
    assert_crowded(&refused["errors"]);
    assert_eq!(ask(&bob, large.clone()).await.status(), StatusCode::OK, "others have their own room");
    assert_eq!(ask(&eve, question(30_000)).await.status(), StatusCode::OK, "little needs none");

    let mut answered = 0;
    for stream in &mut begun {
        stream.write_all(&large.as_bytes()[BYTES - 1..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let is_refused = answer.starts_with("HTTP/1.1 503");
        assert!(
            is_refused || answer.starts_with("HTTP/1.1 200") && answer.contains(r#"{"id":"eve"}"#),
            "{answer}"
        );
        answered += usize::from(!is_refused);
    }
    assert_eq!(answered, FITTING);
    assert_eq!(ask(&eve, large).await.status(), StatusCode::OK, "there is room again");
}

async fn large_subscriptions_are_limited_for_each_owner(app: TestApp) {
    let app = TestApp::start_with(app.engine, SETTINGS).await;
    let eve = app.client("eve");
    let id = eve.new_conversation().await;
    // What is read from a document takes more than its text.
    let padded = |text: &str| format!("{text}{}", " ".repeat(16_000 - text.len()));
    // Events that are not prerendered need their document as long as the subscription runs.
    let follow =
        padded("subscription($id: ID!) { messageAdded(conversationId: $id) { node { parent { id } } } }");
    let mut socket = Socket::open(eve.url()).await;
    socket.introduce(eve.token()).await;
    for number in 0..=21 {
        socket.subscribe(&number.to_string(), &follow, json!({ "id": id })).await;
    }
    let first = socket.receive().await;
    assert_eq!(first["type"], "error", "{first}");
    assert_crowded(&first["payload"]);
    let question = padded("{ viewer { id } }");
    socket.subscribe("asked", &question, json!({})).await;
    let refused = socket.receive().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("asked")));
    // What one of them has is free once it is over.
    let over = if first["id"] == "0" { "1" } else { "0" };
    socket.send(json!({ "type": "complete", "id": over })).await;
    let answered = async {
        loop {
            socket.subscribe("asked", &question, json!({})).await;
            let answer = socket.receive().await;
            if answer["type"] == "next" {
                return answer;
            }
        }
    };
    let answered = timeout(TIMEOUT, answered).await.expect("room in time");
    assert_eq!(answered["payload"]["data"]["viewer"]["id"], "eve");
}

async fn variables_have_a_limit_of_values(app: TestApp) {
    let ada = app.client("ada");
    let create = "mutation($metadata: JSON) { createConversation(input: { metadata: $metadata }) { conversation { id } } }";
    let values = |count: usize| json!({ "metadata": { "a": vec![0; count - 2] } });
    let answer = ada.run(create, values(250_001)).await;
    let extensions =
        json!({ "code": "QUERY_TOO_COMPLEX", "limit": "values", "maximum": 250_000, "actual": 250_001 });
    assert_eq!(answer.body["errors"][0]["extensions"], extensions);
    // One less is for the field to refuse.
    let (code, message) = ada.fault(create, values(250_000)).await;
    assert!(code == "BAD_USER_INPUT" && message.contains("must be at most 65536 bytes"), "{code} {message}");
}
