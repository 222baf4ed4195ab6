//! Traces: what a collector of OpenTelemetry gets, and what it does not.

mod outages;
mod parents;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Collector, Engine, Program, TestApp, attribute};

const APPEND: &str = "mutation Append($id: ID!, $text: String!) { \
     appendMessage(input: { conversationId: $id, role: USER, content: $text }) { \
     message { id } } }";
const HISTORY: &str =
    "query History($id: ID!) { conversation(id: $id) { title messages(last: 5) { nodes { content } } } }";

/// A server that sends its traces to this collector.
async fn traced(engine: Engine, collector: &Collector, settings: &[(&'static str, &str)]) -> TestApp {
    let endpoint = collector.endpoint();
    let settings = [&[("traces.endpoint", endpoint.as_str())], settings].concat();
    TestApp::start_with(engine, &settings).await
}

/// The one span with this name.
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

/// The spans within another.
fn within<'s>(spans: &'s [Span], parent: &Span) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect()
}

fn has_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

async fn requests_operations_and_statements_are_spans(engine: Engine) {
    let collector = Collector::start().await;
    let mut app = traced(engine, &collector, &[("traces.sample_ratio", "1")]).await;
    let ada = app.client("ada of the secret name");
    let id = ada.new_conversation().await;
    ada.data(APPEND, json!({ "id": id, "text": "a secret text" })).await;
    ada.data(HISTORY, json!({ "id": id })).await;
    ada.data("{ viewer { id } }", json!({})).await;
    app.stop().await;
    let spans = collector.spans();
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "POST /graphql").collect();
    assert_eq!(requests.len(), 4, "{spans:#?}");
    for request in &requests {
        assert_eq!((request.kind(), request.parent_span_id.len()), (SpanKind::Server, 0));
        let of = |name| attribute(request, name);
        assert_eq!(of("http.request.method").as_deref(), Some("POST"));
        assert_eq!(of("http.route").as_deref(), Some("/graphql"));
        assert_eq!(of("http.response.status_code").as_deref(), Some("200"));
        assert_eq!(within(&spans, request).len(), 1, "{spans:#?}");
    }
    let append = named(&spans, "mutation Append");
    let request = requests.iter().find(|request| request.span_id == append.parent_span_id).unwrap();
    assert_eq!(request.trace_id, append.trace_id);
    assert_eq!(attribute(append, "graphql.operation.name").as_deref(), Some("Append"));
    assert_eq!(attribute(append, "graphql.operation.type").as_deref(), Some("mutation"));
    let hash = attribute(append, "graphql.document.hash").unwrap();
    assert!(hash.len() == 71 && hash.starts_with("sha256:"), "{hash}");
    let of_sqlite = engine == Engine::Sqlite;
    let database = if of_sqlite { "sqlite" } else { "postgresql" };
    let mut parts: Vec<_> = within(&spans, append);
    parts.sort_by_key(|span| span.start_time_unix_nano);
    let names: Vec<_> = parts.iter().map(|span| span.name.as_str()).collect();
    let expected: &[&str] = if of_sqlite {
        &["validate", "queue wait", "write", "commit"]
    } else {
        &["validate", "queue wait", "write"]
    };
    assert_eq!(names, expected);
    for part in parts {
        assert!(part.start_time_unix_nano <= part.end_time_unix_nano);
        let is_of_database = ["write", "commit"].contains(&part.name.as_str());
        assert_eq!(part.kind() == SpanKind::Client, is_of_database, "{}", part.name);
        let system = attribute(part, "db.system.name");
        assert_eq!(system.as_deref(), is_of_database.then_some(database), "{}", part.name);
    }
    let history = named(&spans, "query History");
    let read = within(&spans, history).into_iter().find(|span| span.name == "read").unwrap();
    assert_eq!(attribute(read, "db.system.name").as_deref(), Some(database));
    assert_ne!(attribute(history, "graphql.document.hash"), Some(hash));
    // An operation without a name.
    named(&spans, "query");
    let whole: Vec<u8> = collector.exports().iter().flat_map(|export| export.body.to_vec()).collect();
    let whole = String::from_utf8_lossy(&whole);
    assert!(whole.contains("mutation Append"));
    for private in ["secret", ada.token(), id.as_str(), "appendMessage", "conversation(", "INSERT", "SELECT"]
    {
        assert!(!whole.contains(private), "{private}");
    }
    let export = &collector.exports()[0];
    assert_eq!(export.resource("service.name").as_deref(), Some("scrollback"));
    assert_eq!(export.resource("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_operations_and_statements_are_spans_on_sqlite() {
    requests_operations_and_statements_are_spans(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_operations_and_statements_are_spans_on_postgres() {
    requests_operations_and_statements_are_spans(Engine::Postgres).await;
}

async fn failures_set_the_status(engine: Engine) {
    let collector = Collector::start().await;
    let mut app = traced(engine, &collector, &[("traces.sample_ratio", "1")]).await;
    let ada = app.client("ada");
    let missing = json!({ "id": uuid::Uuid::nil() });
    let code = ada.fault("query Missing($id: ID!) { conversation(id: $id) { id } }", missing).await.0;
    assert_eq!(code, "NOT_FOUND");
    assert_eq!(ada.fault("{ nothing }", json!({})).await.0, "GRAPHQL_VALIDATION_FAILED");
    let refused = ada.with_token("a secret token").run("query Refused { viewer { id } }", json!({})).await;
    assert_eq!(refused.status, 401);
    let response = ada.request(Method::GET, "/shared/a-secret-path").send().await.unwrap();
    assert_eq!(response.status(), 404);
    app.stop().await;
    let spans = collector.spans();
    let missing = named(&spans, "query Missing");
    assert!(has_failed(missing));
    assert_eq!(attribute(missing, "error.type").as_deref(), Some("NOT_FOUND"));
    let invalid = named(&spans, "GraphQL Operation");
    assert!(has_failed(invalid));
    assert_eq!(attribute(invalid, "error.type").as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    // Faults of clients are none of the server (semantic conventions of HTTP).
    assert!(spans.iter().filter(|span| span.kind() == SpanKind::Server).all(|span| !has_failed(span)));
    let refused = |span: &&Span| attribute(span, "http.response.status_code").as_deref() == Some("401");
    let refused = spans.iter().find(refused).unwrap();
    assert_eq!(within(&spans, refused), Vec::<&Span>::new());
    named(&spans, "GET /shared/{secret}");
    assert!(collector.exports().iter().all(|export| !contains(&export.body, "a-secret-path")));
    assert!(collector.exports().iter().all(|export| !contains(&export.body, "a secret token")));
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_set_the_status_on_sqlite() {
    failures_set_the_status(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_set_the_status_on_postgres() {
    failures_set_the_status(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_if_nothing_is_sampled() {
    let collector = Collector::start().await;
    let mut app = traced(Engine::Sqlite, &collector, &[("traces.sample_ratio", "0")]).await;
    let ada = app.client("ada");
    for _ in 0..20 {
        ada.new_conversation().await;
    }
    app.stop().await;
    assert_eq!(collector.exports().len(), 0);
}

#[tokio::test]
async fn the_variables_of_opentelemetry_work() {
    let collector = Collector::start().await;
    let program = Program::believing()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone())
        .with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20KEY,x-team=chat")
        .with("OTEL_TRACES_SAMPLER", "always_on")
        .with("OTEL_SERVICE_NAME", "conversations")
        .with("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging");
    let server = program.serve(&[]).await;
    server.client("ada").new_conversation().await;
    collector.spans_when(|spans| spans.iter().any(|span| span.name == "POST /graphql")).await;
    let export = &collector.exports()[0];
    assert_eq!(
        (&export.headers["authorization"], &export.headers["x-team"]),
        (&"Bearer KEY".parse().unwrap(), &"chat".parse().unwrap())
    );
    assert_eq!(export.resource("service.name").as_deref(), Some("conversations"));
    assert_eq!(export.resource("deployment.environment.name").as_deref(), Some("staging"));
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success() && !log.contains("KEY"), "{log}");
    // What the configuration says has precedence.
    let elsewhere = Collector::start().await;
    let program = program
        .with("SCROLLBACK_TRACES_ENDPOINT", elsewhere.endpoint())
        .with("SCROLLBACK_TRACES_SERVICE_NAME", "chat");
    let server = program.serve(&[]).await;
    server.client("ada").new_conversation().await;
    elsewhere.spans_when(|spans| !spans.is_empty()).await;
    assert_eq!(elsewhere.exports()[0].resource("service.name").as_deref(), Some("chat"));
}

#[tokio::test]
async fn settings_that_are_not_valid_are_rejected() {
    for (variable, value, expected) in [
        ("SCROLLBACK_TRACES_ENDPOINT", "collector:4318", "`traces.endpoint`"),
        ("SCROLLBACK_TRACES_SAMPLE_RATIO", "1.5", "must be a number from 0 to 1, got 1.5"),
        ("SCROLLBACK_TRACES_SAMPLE_RATIO", "half", "must be a number from 0 to 1, got \"half\""),
        ("SCROLLBACK_TRACES_ATTRIBUTES", "production", "`traces.attributes`"),
        ("SCROLLBACK_TRACES_HEADERS", "Bearer SECRET", "`traces.headers`"),
        ("SCROLLBACK_TRACES_HEADERS_FILE", "missing", "cannot read `traces.headers_file`, missing"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "OTEL_TRACES_SAMPLER"),
    ] {
        let refused = Program::believing().with(variable, value).refused(&["config", "--check"]).await;
        assert!(refused.contains(expected) && !refused.contains("SECRET"), "{refused}");
    }
}
