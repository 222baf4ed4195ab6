//! Responses that are sent before the body was read: real clients that are still sending can read them.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Request;
use h2::Reason;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Engine, Program, TIMEOUT, TestApp, run_python, run_script_with};

const MIB: usize = 1024 * 1024;

const SMALL_BODIES: &[(&str, &str)] = &[("limits.message_bytes", "262144"), ("server.body_limit", "1048576")];

/// A request to `/graphql` of so many bytes, and its answer.
fn case(bytes: usize, status: u16, code: &str, headers: &Value) -> Value {
    json!({ "method": "POST", "path": "/graphql", "headers": headers, "bytes": bytes, "status": status, "code": code })
}

/// Each client sends each request, and reads its answer.
async fn refused(app: &TestApp, cases: &[Value]) {
    let text = json!(cases).to_string();
    run_script_with(app, "refusals.mjs", &[("CASES", &text)]).await;
    run_python(app, "refusals.py", &[("CASES", &text)]).await;
    let http1 = reqwest::Client::builder().http1_only().build().unwrap();
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for case in cases {
        for (http, is_http2) in [(&http1, false), (&http2, true)] {
            if is_http2 && case["http2"] == false {
                continue;
            }
            let method: Method = case["method"].as_str().unwrap().parse().unwrap();
            let mut request = http
                .request(method, format!("{}{}", app.url, case["path"].as_str().unwrap()))
                .header("authorization", format!("Bearer {}", app.client("ada").token()))
                .header("content-type", "application/json")
                .body(" ".repeat(usize::try_from(case["bytes"].as_u64().unwrap()).unwrap()));
            let headers = case["headers"].as_object().unwrap();
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()));
            request = request.headers(headers.collect());
            let response = timeout(TIMEOUT, request.send()).await.expect("an answer in time");
            let response = response.unwrap_or_else(|error| panic!("{case}, HTTP/2 {is_http2}: {error:?}"));
            let status = response.status().as_u16();
            let text = response.text().await.unwrap_or_else(|error| panic!("{case}, {is_http2}: {error:?}"));
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            let code = &body["errors"][0]["extensions"]["code"];
            assert_eq!((json!(status), code), (case["status"].clone(), &case["code"]), "{case}, {is_http2}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_read_why_a_body_is_too_large() {
    let app = TestApp::start_with(Engine::Sqlite, SMALL_BODIES).await;
    let sizes = [MIB + MIB / 10, 5 * MIB, 32 * MIB];
    refused(&app, &sizes.map(|bytes| case(bytes, 413, "PAYLOAD_TOO_LARGE", &json!({})))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_read_every_other_early_response() {
    let app = TestApp::start(Engine::Sqlite).await;
    let mut put = case(5 * MIB, 405, "BAD_REQUEST", &json!({}));
    put["method"] = json!("PUT");
    let mut nowhere = case(5 * MIB, 404, "", &json!({}));
    (nowhere["path"], nowhere["code"]) = (json!("/nowhere"), Value::Null);
    let mut large_head = case(5 * MIB, 431, "", &json!({ "x-large": "x".repeat(20_000) }));
    // HTTP/2 has no such answer once the limit of the settings frame is passed: the client refuses to send.
    (large_head["http2"], large_head["code"]) = (json!(false), Value::Null);
    refused(
        &app,
        &[
            case(5 * MIB, 401, "UNAUTHENTICATED", &json!({ "authorization": "Bearer nonsense" })),
            case(5 * MIB, 403, "FORBIDDEN", &json!({ "scrollback-act-as": "eve" })),
            case(5 * MIB, 406, "BAD_REQUEST", &json!({ "accept": "text/html" })),
            case(5 * MIB, 415, "BAD_REQUEST", &json!({ "content-type": "text/plain" })),
            put,
            nowhere,
            large_head,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_read_a_rate_limit_error() {
    let settings = [("rate.operations_per_minute", "1"), ("rate.burst", "1")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    app.client("ada").data("{ viewer { id } }", json!({})).await;
    refused(&app, &[case(5 * MIB, 429, "RATE_LIMITED", &json!({}))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_read_the_refusal_of_a_connection() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.max_connections", "1")]).await;
    let _busy = app.socket("ada").await;
    refused(&app, &[case(5 * MIB, 503, "UNAVAILABLE", &json!({}))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_read_that_keys_are_unavailable() {
    // Nothing listens there.
    let settings = [("auth.jwt_secret", ""), ("auth.jwks_url", "http://127.0.0.1:9/keys")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    refused(&app, &[case(5 * MIB, 503, "UNAVAILABLE", &json!({}))]).await;
}

/// The head of a request of ada's, with more headers.
fn head(app: &TestApp, method: &str, path: &str, headers: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{headers}\r\n\r\n",
        app.client("ada").token()
    )
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap()
}

#[tokio::test]
async fn clients_that_wait_for_100_continue_are_refused_without_their_bodies() {
    let app = TestApp::start_with(Engine::Sqlite, SMALL_BODIES).await;
    for (method, path, header, status) in [
        ("POST", "/graphql", "Content-Type: application/json", "413"),
        ("POST", "/graphql", "Content-Type: text/plain", "415"),
        ("POST", "/graphql", "Content-Type: application/json\r\nAccept: text/html", "406"),
        ("POST", "/graphql", "Scrollback-Act-As: eve", "403"),
        ("PUT", "/graphql", "Content-Type: application/json", "405"),
        ("POST", "/nowhere", "Content-Type: application/json", "404"),
    ] {
        for length in ["Content-Length: 5242880", "Transfer-Encoding: chunked"] {
            if status == "413" && length.starts_with("Transfer") {
                continue;
            }
            let mut stream = connect(&app).await;
            let headers = format!("{header}\r\n{length}\r\nExpect: 100-continue");
            stream.write_all(head(&app, method, path, &headers).as_bytes()).await.unwrap();
            let mut answer = String::new();
            let read = stream.read_to_string(&mut answer);
            timeout(TIMEOUT, read).await.expect("an end in time").unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{header}: {answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{header}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_small_body_that_is_left_unread_does_not_end_the_connection() {
    let app = TestApp::start(Engine::Sqlite).await;
    let mut stream = connect(&app).await;
    let request = head(&app, "POST", "/graphql", "Content-Type: text/plain\r\nContent-Length: 5") + "hello";
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}}]}") {
            answer.push(timeout(TIMEOUT, stream.read_u8()).await.expect("an answer in time").unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 415") && !answer.contains("connection: close"), "{answer}");
    }
}

/// Sends a body that is too large, and then a little of it at a time. How long until the server ends that.
async fn trickle(app: &TestApp) -> Duration {
    let mut stream = connect(app).await;
    let headers = "Content-Type: application/json\r\nContent-Length: 104857600";
    stream.write_all(head(app, "POST", "/graphql", headers).as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(TIMEOUT, stream.read_to_string(&mut answer)).await.expect("the server's end in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let start = Instant::now();
    // Writing to a connection that the other side has closed for good fails.
    while stream.write_all(b" ").await.is_ok() {
        assert!(start.elapsed() < TIMEOUT, "still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn a_refused_client_holds_its_connection_no_longer_than_the_limit() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.lingering_time", "1s")]).await;
    let elapsed = trickle(&app).await;
    assert!(elapsed > Duration::from_millis(500) && elapsed < Duration::from_secs(10), "{elapsed:?}");
    // Nor can it send more than the limit.
    let settings = [("server.lingering_time", "10m"), ("server.lingering_bytes", "50")];
    trickle(&TestApp::start_with(Engine::Sqlite, &settings).await).await;
}

#[tokio::test]
async fn a_refused_client_frees_its_connection_slot() {
    let settings = [("server.lingering_time", "10m"), ("server.max_connections", "1")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ended = trickle(&app);
    let others = async {
        // The refused one is there first, or it would be refused a place.
        tokio::time::sleep(Duration::from_millis(500)).await;
        loop {
            let request = app.client("ada").request(Method::POST, "/graphql");
            let answer = request.json(&json!({ "query": "{ viewer { id } }" })).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return;
            }
        }
    };
    tokio::join!(ended, async { timeout(TIMEOUT, others).await.expect("a place in time") });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_bodies_cost_no_memory() {
    let server = Program::over(Engine::Sqlite).await.serve(&[]).await;
    let ada = server.client("ada");
    let body = Bytes::from(vec![b' '; 32 * MIB]);
    let send = async || {
        let request = ada.request(Method::POST, "/graphql").header("content-type", "application/json");
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    };
    send().await;
    let before = server.peak_memory();
    for _ in 0..4 {
        futures_util::future::join_all(std::iter::repeat_with(send).take(4)).await;
    }
    let grown = server.peak_growth(before);
    assert!(grown < 8 * MIB as u64, "{grown} bytes for 16 bodies of 32 MiB");
}

#[tokio::test]
async fn http_2_refuses_one_stream_and_the_connection_goes_on() {
    let app = TestApp::start(Engine::Sqlite).await;
    let (mut sender, connection) = h2::client::handshake(connect(&app).await).await.unwrap();
    tokio::spawn(connection);
    let authorization = format!("Bearer {}", app.client("ada").token());
    let request = |length: usize| {
        let request = Request::post(format!("{}/graphql", app.url)).header("authorization", &authorization);
        request.header("content-type", "application/json").header("content-length", length).body(()).unwrap()
    };
    let piece = Bytes::from(vec![b' '; 16 * 1024]);
    // More than the connection's window in all, so that it is given back.
    for _ in 0..20 {
        sender = sender.ready().await.unwrap();
        let (answer, mut body) = sender.send_request(request(32 * MIB), false).unwrap();
        let sending = async {
            loop {
                body.reserve_capacity(piece.len());
                let capacity = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                let Some(Ok(capacity)) = capacity else { break };
                if body.send_data(piece.slice(..capacity.min(piece.len())), false).is_err() {
                    break;
                }
            }
            std::future::poll_fn(|cx| body.poll_reset(cx)).await.unwrap()
        };
        let reading = async {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 413);
            let mut body = answer.into_body();
            let text = body.data().await.unwrap().unwrap();
            assert!(std::str::from_utf8(&text).unwrap().contains("PAYLOAD_TOO_LARGE"));
        };
        let (reason, ()) = timeout(TIMEOUT, async { tokio::join!(sending, reading) }).await.unwrap();
        assert_eq!(reason, Reason::NO_ERROR);
    }
    let small = json!({ "query": "{ viewer { id } }" }).to_string();
    sender = sender.ready().await.unwrap();
    let (answer, mut body) = sender.send_request(request(small.len()), false).unwrap();
    body.send_data(small.into(), true).unwrap();
    assert_eq!(timeout(TIMEOUT, answer).await.unwrap().unwrap().status(), 200);
}
