//! The caller's part of a trace, from requests and from sockets.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use super::{HISTORY, named, traced, within};
use crate::harness::{Client, Collector, Engine, Socket, TestApp};

const FOLLOW: &str = "subscription Follow($id: ID!) { messageAdded(conversationId: $id) { cursor } }";

const CHANGES: &str =
    "subscription Changes { changes { ... on MessageAdded { message { content conversation { title } } } } }";

/// The parent of the span `number` of the trace `number`.
fn parent(number: u8, is_sampled: bool) -> String {
    format!("00-{0:032x}-{0:016x}-0{1}", number, u8::from(is_sampled))
}

fn is_child_of(span: &Span, number: u8) -> bool {
    span.trace_id == u128::from(number).to_be_bytes()
        && span.parent_span_id == u64::from(number).to_be_bytes()
}

async fn query(client: &Client, name: &str, headers: &[(&str, &str)]) {
    let body = json!({ "query": format!("query {name} {{ viewer {{ id }} }}") });
    let mut request = client.request(reqwest::Method::POST, "/graphql").json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer.get("errors"), None, "{answer}");
}

async fn callers_decide_and_their_spans_are_parents(engine: Engine) {
    let collector = Collector::start().await;
    let mut app = traced(engine, &collector, &[("traces.sample_ratio", "0")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    query(&ada, "Sampled", &[("traceparent", &parent(1, true)), ("tracestate", "vendor=1")]).await;
    query(&ada, "Unsampled", &[("traceparent", &parent(2, false))]).await;
    query(&ada, "Invalid", &[("traceparent", "00-1-1-01")]).await;
    let mut socket = Socket::open(&app.url).await;
    let payload =
        json!({ "Authorization": format!("Bearer {}", ada.token()), "traceparent": parent(3, true) });
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    socket.subscribe("1", HISTORY, json!({ "id": id })).await;
    assert_eq!(socket.receive().await["type"], "next");
    assert_eq!(socket.receive().await["type"], "complete");
    let own =
        json!({ "query": "query Own { viewer { id } }", "extensions": { "traceparent": parent(4, true) } });
    socket.send(json!({ "type": "subscribe", "id": "2", "payload": own })).await;
    assert_eq!(socket.receive().await["type"], "next");
    assert_eq!(socket.receive().await["type"], "complete");
    // The span of a subscription ends when it has started, not with the subscription.
    socket.subscribe("3", FOLLOW, json!({ "id": id })).await;
    let follows = |spans: &[Span]| spans.iter().any(|span| span.name == "subscription Follow");
    collector.spans_when(follows).await;
    // What its events read is not part of the trace.
    socket.subscribe("4", CHANGES, json!({})).await;
    ada.append(&id, "text").await;
    let mut received = [socket.receive().await, socket.receive().await].map(|message| message["id"].clone());
    received.sort_by_key(Value::to_string);
    assert_eq!(received, ["3", "4"]);
    drop(socket);
    app.stop().await;
    let spans = collector.spans();
    let request = named(&spans, "POST /graphql");
    assert!(is_child_of(request, 1), "{spans:#?}");
    assert_eq!(request.trace_state, "vendor=1");
    assert_eq!(named(&spans, "query Sampled").parent_span_id, request.span_id);
    assert!(is_child_of(named(&spans, "query History"), 3), "{spans:#?}");
    assert!(is_child_of(named(&spans, "query Own"), 4), "{spans:#?}");
    assert!(is_child_of(named(&spans, "subscription Follow"), 3), "{spans:#?}");
    let changes = named(&spans, "subscription Changes");
    let names: Vec<_> = within(&spans, changes).into_iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["validate"]);
    assert!(spans.iter().all(|span| !span.name.contains("Unsampled") && !span.name.contains("Invalid")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_decide_and_their_spans_are_parents_on_sqlite() {
    callers_decide_and_their_spans_are_parents(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_decide_and_their_spans_are_parents_on_postgres() {
    callers_decide_and_their_spans_are_parents(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_can_be_ignored() {
    let collector = Collector::start().await;
    let mut sampled = [None, None];
    for (ratio, sampled) in ["0", "1"].into_iter().zip(&mut sampled) {
        let settings = [("traces.sample_ratio", ratio), ("traces.accept_parents", "false")];
        let mut app: TestApp = traced(Engine::Sqlite, &collector, &settings).await;
        query(&app.client("ada"), "Ignored", &[("traceparent", &parent(1, ratio == "0"))]).await;
        app.stop().await;
        *sampled = Some(collector.spans());
    }
    let [none, all] = sampled.map(Option::unwrap);
    assert_eq!(none, []);
    assert!(!is_child_of(named(&all, "POST /graphql"), 1));
}
