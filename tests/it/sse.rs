//! GraphQL over SSE.

use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Client, Engine, EventStream, TIMEOUT, TestApp, on_each_database, token};

on_each_database!(
    events_after_the_response_headers_are_delivered,
    a_subscription_is_streamed_and_resumed_by_the_last_event_id,
    changes_are_streamed_with_their_cursors,
    queries_and_errors_are_streamed_as_events,
    a_stream_ends_when_credentials_expire_or_the_server_stops,
);

const FOLLOW: &str = "subscription Follow($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { position } }
}";

async fn last_cursor(ada: &Client, id: &str) -> Value {
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    ada.data(query, json!({ "id": id })).await["conversation"]["messages"]["pageInfo"]["endCursor"].clone()
}

async fn a_subscription_is_streamed_and_resumed_by_the_last_event_id(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "1").await;
    let variables = json!({ "id": id, "after": last_cursor(&ada, &id).await });
    let mut stream = EventStream::open(&ada, FOLLOW, variables.clone(), None).await;
    let mut last = None;
    for position in 2..=6 {
        ada.append(&id, "x").await;
        let event = stream.next().await.unwrap();
        assert_eq!(event.name, "next");
        let edge = &event.data["data"]["messageAdded"];
        assert_eq!(edge["node"]["position"], position);
        assert_eq!(event.id.as_deref(), edge["cursor"].as_str());
        if position == 4 {
            last = event.id;
        }
    }
    drop(stream);
    // A browser repeats its request unchanged; the id of the last event it saw says where it stands.
    let mut stream = EventStream::open(&ada, FOLLOW, variables, last.as_deref()).await;
    for position in 5..=6 {
        let event = stream.next().await.unwrap();
        assert_eq!(event.data["data"]["messageAdded"]["node"]["position"], position);
    }
    // The stream completes when the conversation is deleted.
    ada.data(
        "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }",
        json!({ "id": id }),
    )
    .await;
    assert_eq!(stream.next().await.unwrap().name, "complete");
    assert!(stream.next().await.is_none());
}

async fn changes_are_streamed_with_their_cursors(app: TestApp) {
    let ada = app.client("ada");
    let first = ada.new_conversation().await;
    let start =
        ada.data("{ conversations { changeCursor } }", json!({})).await["conversations"]["changeCursor"]
            .clone();
    let query = "subscription($after: String) { changes(after: $after) { conversationId } }";
    let second = ada.new_conversation().await;
    let mut stream = EventStream::open(&ada, query, json!({ "after": start }), None).await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.data["data"]["changes"]["conversationId"], second.as_str(), "not {first}");
    let third = ada.new_conversation().await;
    // The cursor is the event's id although the client did not select it.
    let mut resumed = EventStream::open(&ada, query, json!({ "after": start }), event.id.as_deref()).await;
    for stream in [&mut stream, &mut resumed] {
        let event = stream.next().await.unwrap();
        assert_eq!(event.data["data"]["changes"]["conversationId"], third.as_str());
    }
    // An id that is no cursor is refused, not ignored.
    let mut refused = EventStream::open(&ada, query, json!({}), Some("nonsense")).await;
    let event = refused.next().await.unwrap();
    assert_eq!(event.data["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(refused.next().await.unwrap().name, "complete");
}

async fn queries_and_errors_are_streamed_as_events(app: TestApp) {
    let ada = app.client("ada");
    let mut stream = EventStream::open(&ada, "{ viewer { id } }", json!({}), None).await;
    let event = stream.next().await.unwrap();
    assert_eq!(
        (event.name.as_str(), &event.data),
        ("next", &json!({ "data": { "viewer": { "id": "ada" } } }))
    );
    assert_eq!(stream.next().await.unwrap().name, "complete");
    for (query, code) in [("{", "GRAPHQL_PARSE_FAILED"), ("{ nope }", "GRAPHQL_VALIDATION_FAILED")] {
        let mut stream = EventStream::open(&ada, query, json!({}), None).await;
        assert_eq!(stream.next().await.unwrap().data["errors"][0]["extensions"]["code"], code);
        assert_eq!(stream.next().await.unwrap().name, "complete");
        assert!(stream.next().await.is_none());
    }
    let accept = "text/event-stream";
    let query = [("query", "{ viewer { id } }")];
    let get =
        ada.request(Method::GET, "/graphql").query(&query).header("accept", accept).send().await.unwrap();
    assert_eq!(get.headers()["content-type"], "text/event-stream");
    assert!(get.text().await.unwrap().contains("event: complete"));
    let anonymous = app.anonymous().request(Method::GET, "/graphql").query(&query).header("accept", accept);
    assert_eq!(anonymous.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let mutation = [("query", "mutation { createConversation(input: {}) { conversation { id } } }")];
    let get = ada.request(Method::GET, "/graphql").query(&mutation).header("accept", accept);
    assert_eq!(get.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

async fn a_stream_ends_when_credentials_expire_or_the_server_stops(app: TestApp) {
    let mut app = TestApp::start_with(app.engine, &[("auth.leeway", "0s")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let brief = ada.with_token(token("ada", std::time::Duration::from_secs(2)));
    let mut stream = EventStream::open(&brief, FOLLOW, json!({ "id": id }), None).await;
    assert!(stream.next().await.is_none(), "ended without `complete`: the client comes again");
    let mut stream = EventStream::open(&ada, FOLLOW, json!({ "id": id }), None).await;
    app.stop().await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_invalid_last_event_id_is_refused() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let body = json!({ "query": FOLLOW, "variables": { "id": id } });
    let asked = async |accept: &str, ids: &[&[u8]]| {
        let mut request = ada.request(Method::POST, "/graphql").header("accept", accept).json(&body);
        for id in ids {
            request = request.header("last-event-id", HeaderValue::from_bytes(id).unwrap());
        }
        request.send().await.unwrap()
    };
    let cases: [(&[&[u8]], &str); 3] = [
        (&["cursör".as_bytes()], "`Last-Event-ID` must be the id of an event: a cursor, in ASCII"),
        (&[b"\xff\xfe"], "`Last-Event-ID` must be the id of an event: a cursor, in ASCII"),
        (&[b"1", b"2"], "`Last-Event-ID` must be given once"),
    ];
    for (ids, message) in cases {
        let refused = asked("text/event-stream", ids).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{message}");
        let error = refused.json::<Value>().await.unwrap()["errors"][0].take();
        assert_eq!(error["message"], message);
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        // What is no stream is not resumed.
        assert_eq!(asked("application/json", ids).await.status(), StatusCode::NOT_ACCEPTABLE);
    }
    assert_eq!(asked("text/event-stream", &[b""]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_idle_stream_is_kept_open_and_never_compressed() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.ping_interval", "200ms")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let body = json!({ "query": FOLLOW, "variables": { "id": id } });
    let request = ada.request(Method::POST, "/graphql").header("accept", "text/event-stream");
    let mut response = request.header("accept-encoding", "gzip").json(&body).send().await.unwrap();
    assert_eq!(response.headers().get("content-encoding"), None);
    assert_eq!(response.headers()["cache-control"], "no-store");
    for _ in 0..3 {
        let chunk = timeout(TIMEOUT, response.chunk()).await.expect("a comment in time").unwrap().unwrap();
        assert_eq!(&chunk[..], b":\n\n");
    }
    // An event is there as soon as it is written, not when a buffer is full.
    ada.append(&id, "x").await;
    let mut text = String::new();
    while !text.contains("event: next") {
        let chunk = timeout(TIMEOUT, response.chunk()).await.expect("the event in time").unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn streams_are_limited_for_each_owner() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.streams_per_owner", "2")]).await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = ada.new_conversation().await;
    let first = EventStream::open(&ada, FOLLOW, json!({ "id": id }), None).await;
    let mut second = EventStream::open(&ada, FOLLOW, json!({ "id": id }), None).await;
    let body = json!({ "query": FOLLOW, "variables": { "id": id } });
    let third = async || {
        let request = ada.request(Method::POST, "/graphql").header("accept", "text/event-stream");
        request.json(&body).send().await.unwrap()
    };
    let refused = third().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let told: Value = refused.json().await.unwrap();
    assert_eq!(told["errors"][0]["message"], "an owner may have at most 2 streams open");
    let his = bob.new_conversation().await;
    EventStream::open(&bob, FOLLOW, json!({ "id": his }), None).await;
    // However it ends, a stream makes room; and what is no stream needs none.
    drop(first);
    let start = std::time::Instant::now();
    while third().await.status() != StatusCode::OK {
        assert!(start.elapsed() < TIMEOUT, "no room");
    }
    ada.append(&id, "x").await;
    assert_eq!(second.next().await.unwrap().name, "next");
}

/// Without a cursor: "from now on" begins no later than a client can tell that the server has answered.
async fn events_after_the_response_headers_are_delivered(app: TestApp) {
    let ada = app.client("ada");
    let message = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    let change = "subscription { changes { ... on MessageAdded { messageEdge { node { content } } } } }";
    for number in 0..40 {
        let id = ada.new_conversation().await;
        let (query, variables) =
            if number % 2 == 0 { (message, json!({ "id": id })) } else { (change, json!({})) };
        let mut stream = EventStream::open(&ada, query, variables, None).await;
        ada.append(&id, "first").await;
        let event = stream.next().await.unwrap();
        assert!(event.data.to_string().contains("first"), "{number}: {event:?}");
    }
}
