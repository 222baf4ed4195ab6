//! Metrics and health, on a listener of their own.

mod figures;

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Engine, Program, Running, Socket, TIMEOUT, TestApp};

const FOLLOW: &str = "subscription($id: ID!) { messageAdded(conversationId: $id) { cursor } }";

/// A server with an admin listener, and where that is.
async fn serve(engine: Engine) -> (Program, Running, String) {
    serve_program(Program::over(engine).await).await
}

/// The same of a program with more settings.
pub(crate) async fn serve_program(program: Program) -> (Program, Running, String) {
    let program = program.with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let mut server = program.serve(&[]).await;
    let line = server.line().await;
    let admin = line.strip_prefix("Health and metrics: ").and_then(|url| url.strip_suffix("/metrics"));
    let admin = admin.unwrap_or_else(|| panic!("{line}")).to_owned();
    (program, server, admin)
}

pub(crate) async fn scrape(admin: &str) -> String {
    let answer = reqwest::get(format!("{admin}/metrics")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn the_process_is_described() {
    let (_program, _server, admin) = serve(Engine::Sqlite).await;
    let text = scrape(&admin).await;
    let version = concat!("scrollback_build_info{version=\"", env!("CARGO_PKG_VERSION"));
    assert!(text.lines().any(|line| line.starts_with(version) && line.ends_with("} 1")), "{text}");
    assert_eq!(value(&text, "scrollback_panics_total"), Some(0.0));
    assert!(value(&text, "process_max_fds") > value(&text, "process_open_fds"));
    assert!(value(&text, "process_start_time_seconds").unwrap() > 1_700_000_000.0);
}

#[tokio::test]
async fn open_metrics_are_for_those_that_accept_them() {
    let (_program, _server, admin) = serve(Engine::Sqlite).await;
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let request = reqwest::Client::new().get(format!("{admin}/metrics")).header("accept", accept);
    let answer = request.send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE scrollback_connections_refused counter\n"));
}

/// The value of one series.
pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Scrapes until a series has this value. Counters may be updated shortly after the client has the response.
async fn until(admin: &str, series: &str, expected: f64) {
    let start = Instant::now();
    loop {
        let text = scrape(admin).await;
        if value(&text, series) == Some(expected) {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "{series} is not {expected}:\n{text}");
        tokio::task::yield_now().await;
    }
}

async fn everything_is_counted(engine: Engine) {
    let (_program, server, admin) = serve(engine).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    ada.data("{ viewer { id } }", json!({})).await;
    ada.fault("query($id: ID!) { conversation(id: $id) { id } }", json!({ "id": uuid::Uuid::nil() })).await;
    let nested = "{ conversations(first: 100) { nodes { messages(last: 100) { nodes { id } } } } }";
    assert_eq!(ada.fault(nested, json!({})).await.0, "QUERY_TOO_COMPLEX");
    ada.with_token("nonsense").run("{ viewer { id } }", json!({})).await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(ada.token()).await;
    socket.subscribe("secret-name", FOLLOW, json!({ "id": id })).await;
    for (series, expected) in [
        (r#"scrollback_operations_total{kind="query",code="OK"}"#, 1.0),
        (r#"scrollback_operations_total{kind="query",code="NOT_FOUND"}"#, 1.0),
        (r#"scrollback_operations_total{kind="mutation",code="OK"}"#, 1.0),
        (r#"scrollback_operations_total{kind="unknown",code="QUERY_TOO_COMPLEX"}"#, 1.0),
        (r#"scrollback_operations_too_complex_total{limit="cost"}"#, 1.0),
        (r#"scrollback_operation_duration_seconds_count{kind="query"}"#, 2.0),
        (r#"scrollback_operation_duration_seconds_bucket{le="10.0",kind="mutation"}"#, 1.0),
        (r#"scrollback_http_answers_total{status="200"}"#, 4.0),
        (r#"scrollback_http_answers_total{status="401"}"#, 1.0),
        ("scrollback_sockets", 1.0),
        ("scrollback_subscriptions", 1.0),
        ("scrollback_feed_readers", 1.0),
        ("scrollback_connections_refused_total", 0.0),
    ] {
        until(&admin, series, expected).await;
    }
    let text = scrape(&admin).await;
    assert!(value(&text, "scrollback_connections").unwrap() >= 2.0, "{text}");
    let pool = [r#"{state="used"}"#, r#"{state="idle"}"#];
    let pool = pool.map(|state| value(&text, &format!("scrollback_database_connections{state}")).unwrap());
    assert!(pool[0] + pool[1] >= 1.0, "{text}");
    assert!(value(&text, "process_resident_memory_bytes").unwrap() > 1e6, "{text}");
    assert!(value(&text, "process_open_fds").unwrap() > 5.0, "{text}");
    for private in ["ada", id.as_str(), "secret-name", "viewer"] {
        assert!(!text.contains(private), "{private}:\n{text}");
    }
    drop(socket);
    until(&admin, "scrollback_sockets", 0.0).await;
    until(&admin, "scrollback_subscriptions", 0.0).await;
    until(&admin, "scrollback_feed_readers", 0.0).await;
    until(&admin, r#"scrollback_operations_total{kind="subscription",code="CANCELLED"}"#, 1.0).await;
}

#[tokio::test]
async fn everything_is_counted_on_sqlite() {
    everything_is_counted(Engine::Sqlite).await;
}

#[tokio::test]
async fn everything_is_counted_on_postgres() {
    everything_is_counted(Engine::Postgres).await;
}

#[tokio::test]
async fn metrics_and_health_have_their_own_listener() {
    let (_program, server, admin) = serve(Engine::Sqlite).await;
    let status = async |url: &str, path: &str| reqwest::get(format!("{url}{path}")).await.unwrap().status();
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(status(&server.url, path).await, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(status(&admin, path).await, StatusCode::OK, "{path}");
    }
    for path in ["/graphql", "/graphiql", "/"] {
        assert_eq!(status(&admin, path).await, StatusCode::NOT_FOUND, "{path}");
    }
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    // Without such a listener there are no metrics, and health is where GraphQL is.
    let app = TestApp::start(Engine::Sqlite).await;
    for (path, expected) in [("/livez", 200), ("/readyz", 200), ("/metrics", 404)] {
        assert_eq!(reqwest::get(format!("{}{path}", app.url)).await.unwrap().status(), expected, "{path}");
    }
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let (_program, server, admin) = serve(Engine::Sqlite).await;
    for (url, path) in [
        (&server.url, "/graphql"),
        (&server.url, "/graphql?query=%7Bviewer%7Bid%7D%7D"),
        (&server.url, "/nothing"),
        (&server.url, "/"),
        (&server.url, "/graphiql/main.js"),
        (&admin, "/metrics"),
        (&admin, "/readyz"),
        (&admin, "/nothing"),
    ] {
        let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("script-src") || path.starts_with("/graphiql") || path == "/", "{policy}");
        let cache = header("cache-control");
        assert_eq!(
            cache,
            if path == "/" || path.starts_with("/graphiql") { "no-cache" } else { "no-store" },
            "{path}"
        );
    }
}
