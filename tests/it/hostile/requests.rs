//! Memory of large requests: reserved while they are received and while they run. Subscriptions have none.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Client, EventStream, TIMEOUT, TestApp, on_each_database};

on_each_database!(
    large_bodies_are_limited_for_each_owner,
    large_subscriptions_are_refused,
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

async fn large_subscriptions_are_refused(app: TestApp) {
    let eve = app.client("eve");
    let id = eve.new_conversation().await;
    // What is read from a document takes 24 times as much as its text.
    let padded = |text: &str, bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
    let follow = "subscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) { node { parent { id } } }
    }";
    let query = padded("{ viewer { id } }", 16_000);
    let mut socket = app.socket("eve").await;
    let long = (padded(follow, 8200), json!({ "id": id }));
    let many_variables = (follow.to_owned(), json!({ "id": id, "after": "x".repeat(200_000) }));
    for (large, variables) in [long, many_variables] {
        socket.subscribe("s", &large, variables.clone()).await;
        let refused = socket.receive().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("s")), "{refused}");
        let mut stream = EventStream::open(&eve, &large, variables, None).await;
        let event = stream.next().await.unwrap();
        assert_eq!(stream.next().await.unwrap().name, "complete");
        for errors in [&refused["payload"], &event.data["errors"]] {
            let extensions = &errors[0]["extensions"];
            assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{errors}");
            assert_eq!(
                (&extensions["limit"], &extensions["maximum"]),
                (&json!("subscription_bytes"), &json!(196_608))
            );
            assert!(extensions["actual"].as_u64().unwrap() > 196_608);
            let message = errors[0]["message"].as_str().unwrap();
            assert!(
                message.starts_with("the document and the variables of the subscription take "),
                "{message}"
            );
            assert!(message.ends_with(" bytes of memory, at most 196608 are allowed"), "{message}");
        }
    }
    // Queries may be as large, and over the same transports.
    socket.subscribe("q", &query, json!({})).await;
    assert_eq!(socket.receive().await["payload"]["data"]["viewer"]["id"], "eve");
    assert_eq!(socket.receive().await, json!({ "type": "complete", "id": "q" }));
    let mut stream = EventStream::open(&eve, &query, json!({}), None).await;
    assert_eq!(stream.next().await.unwrap().data["data"]["viewer"]["id"], "eve");
    // A subscription of a usual size.
    socket.subscribe("s", &padded(follow, 8000), json!({ "id": id })).await;
    socket.settle().await;
    eve.append(&id, "first").await;
    let event = socket.receive().await;
    assert_eq!(event["payload"]["data"]["messageAdded"], json!({ "node": { "parent": null } }), "{event}");
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
