//! Requests that are made to do harm are refused before anything works for them, and leave the
//! server as it was. How long each takes is measured by `cargo bench --bench hostile`.

pub(crate) mod documents;
mod large_responses;
mod memory_pressure;
mod requests;
mod slow_readers;
mod statements;

use rand::RngExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Client, Engine, EventStream, TestApp, on_each_database};
use documents::{Hostile, all, body, bomb, deep_body};

on_each_database!(
    documents_are_refused_over_http,
    documents_are_refused_over_a_socket,
    forged_last_event_ids_are_refused,
);

const QUERY: &str = "{ viewer { id } conversations { nodes { id } } }";

fn answer() -> Value {
    json!({ "viewer": { "id": "ada" }, "conversations": { "nodes": [] } })
}

/// Checks that the server still works.
async fn assert_well(client: &Client) {
    assert_eq!(client.data(QUERY, json!({})).await, answer());
}

/// One error, with the code and the limit that was to be expected.
fn assert_refused(hostile: &Hostile, errors: &Value) {
    let errors = errors.as_array().unwrap_or_else(|| panic!("{}", hostile.name));
    assert_eq!(errors.len(), 1, "{}", hostile.name);
    let extensions = &errors[0]["extensions"];
    if hostile.limit.is_empty() {
        assert_eq!(extensions, &json!({ "code": "GRAPHQL_VALIDATION_FAILED" }), "{}", hostile.name);
        return;
    }
    let (code, limit) = (&extensions["code"], &extensions["limit"]);
    assert_eq!((code, limit), (&json!("QUERY_TOO_COMPLEX"), &json!(hostile.limit)), "{}", hostile.name);
    let (maximum, actual) = (&extensions["maximum"], &extensions["actual"]);
    assert!(maximum.as_u64() < actual.as_u64(), "{extensions}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains(&format!(" {actual} ")), "{message}");
    assert!(message.ends_with(&format!(", at most {maximum} are allowed")), "{message}");
}

async fn documents_are_refused_over_http(app: TestApp) {
    let ada = app.client("ada");
    for hostile in all() {
        let answer = ada.run(&hostile.query, hostile.variables.clone()).await;
        assert_eq!((answer.status, answer.body.get("data")), (StatusCode::OK, None), "{}", hostile.name);
        assert_refused(&hostile, &answer.body["errors"]);
        assert_well(&ada).await;
    }
}

async fn forged_last_event_ids_are_refused(app: TestApp) {
    let ada = app.client("ada");
    let mut rng = rand::rng();
    let id = ada.new_conversation().await;
    let message = ada.append(&id, "x").await["id"].clone();
    let subscriptions = [
        "subscription($id: ID!) { messageAdded(conversationId: $id) { cursor } }",
        "subscription { changes { cursor } }",
        "subscription($message: ID!) { messageText(messageId: $message) { text } }",
    ];
    for number in 0..90 {
        let visible = (0..rng.random_range(1..60)).map(|_| char::from(rng.random_range(b'!'..=b'~')));
        let last: String = visible.collect::<String>() + "-";
        let variables = json!({ "id": id, "message": message });
        let mut stream = EventStream::open(&ada, subscriptions[number % 3], variables, Some(&last)).await;
        let error = stream.next().await.unwrap().data["errors"][0].clone();
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{last}: {error}");
        assert!(error["message"].as_str().unwrap().contains("must be a cursor of"), "{last}: {error}");
        assert_eq!(stream.next().await.unwrap().name, "complete");
    }
    assert_eq!(ada.data("{ viewer { id } }", json!({})).await["viewer"]["id"], "ada");
}

async fn documents_are_refused_over_a_socket(app: TestApp) {
    let mut socket = app.socket("ada").await;
    for hostile in all() {
        socket.subscribe(hostile.name, &hostile.query, hostile.variables.clone()).await;
        let message = socket.receive().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(hostile.name)));
        assert_refused(&hostile, &message["payload"]);
    }
    // The same socket goes on.
    socket.subscribe("well", QUERY, json!({})).await;
    let expected = json!({ "type": "next", "id": "well", "payload": { "data": answer() } });
    assert_eq!(socket.receive().await, expected);
    assert_well(&app.client("ada")).await;
}

#[tokio::test]
async fn get_and_event_streams_have_the_same_limits() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let parameters = form_urlencoded::Serializer::new(String::new()).append_pair("query", &bomb(30)).finish();
    let get = ada.request(Method::GET, &format!("/graphql?{parameters}"));
    let stream = ada.request(Method::POST, "/graphql").json(&json!({ "query": bomb(30) }));
    for request in [get, stream.header(ACCEPT, "text/event-stream")] {
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert!(answer.contains(r#""limit":"selections""#), "{answer}");
    }
    assert_well(&ada).await;
}

/// Sends a JSON body and returns the response.
async fn post(client: &Client, body: impl Into<Body>) -> (StatusCode, String, String) {
    let request = client.request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json");
    let response = request.body(body).send().await.unwrap();
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    let error = &answer["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (status, text(&error["extensions"]["code"]), text(&error["message"]))
}

#[tokio::test]
async fn deeply_nested_json_is_rejected() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let (status, code, message) = post(&ada, deep_body()).await;
    assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX"));
    assert_eq!(message, "the body nests too deep");
    let parameters = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", QUERY)
        .append_pair("variables", &format!("{{\"a\":{}}}", "[".repeat(250)))
        .finish();
    let response = ada.request(Method::GET, &format!("/graphql?{parameters}")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errors"][0]["message"], "`variables` nests too deep");
    // A message that cannot be read closes its socket, and no other.
    let (mut socket, mut other) = (app.socket("ada").await, app.socket("ada").await);
    let message = format!(r#"{{"type":"subscribe","id":"1","payload":{}}}"#, deep_body());
    socket.send_raw(Message::Text(message.into())).await;
    assert_eq!(socket.closed().await.code, 4400);
    other.settle().await;
    assert_well(&ada).await;
}

#[tokio::test]
async fn bodies_over_the_limit_are_not_read() {
    let settings = [("limits.message_bytes", "262144"), ("server.body_limit", "1048576")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    let refused = (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE".to_owned());
    let comment = |size: usize| body(&format!("{QUERY}#{}", "x".repeat(size)), &json!({}));
    let (status, code, _) = post(&ada, comment(2_000_000)).await;
    assert_eq!((status, code), refused);
    // The server does not wait for the rest; the client may see that first.
    for size in [5_000_000, 32 * 1024 * 1024] {
        assert_cut_off(&ada, comment(size).into()).await;
    }
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
    assert_cut_off(&ada, Body::wrap_stream(endless)).await;
    assert_well(&ada).await;
}

/// A body that is far over the limit is answered 413 before its end, or the connection is gone while
/// it is still being sent.
async fn assert_cut_off(client: &Client, body: Body) {
    let request = client.request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json");
    if let Ok(response) = request.body(body).send().await {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn limits_are_settings() {
    let app = TestApp::start_with(Engine::Sqlite, &[("limits.tokens", "6")]).await;
    let ada = app.client("ada");
    let (code, message) = ada.fault(QUERY, json!({})).await;
    let expected = "the document has 13 tokens, at most 6 are allowed";
    assert_eq!((code.as_str(), message.as_str()), ("QUERY_TOO_COMPLEX", expected));
    assert_eq!(ada.data("{viewer{id}}", json!({})).await, json!({ "viewer": { "id": "ada" } }));
}
