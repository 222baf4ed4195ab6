//! Rate limits of owners, on every transport; other owners are not affected.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, Socket, TestApp};

const WHO: &str = "{ viewer { id } }";

/// Three operations at once, and another after a minute.
async fn app() -> TestApp {
    let settings = [("rate.operations_per_minute", "1"), ("rate.burst", "3")];
    TestApp::start_with(Engine::Sqlite, &settings).await
}

async fn post(client: &Client, accept: &str) -> Response {
    let request = client.request(Method::POST, "/graphql").header("accept", accept);
    request.json(&json!({ "query": WHO })).send().await.unwrap()
}

fn wait(errors: &Value) -> u64 {
    assert_eq!(errors[0]["extensions"]["code"], "RATE_LIMITED", "{errors}");
    assert_eq!(errors[0]["extensions"]["retryable"], true);
    errors[0]["extensions"]["retryAfterMs"].as_u64().unwrap()
}

#[tokio::test]
async fn rate_limited_requests_say_when_to_retry() {
    let app = app().await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    for _ in 0..3 {
        ada.data(WHO, json!({})).await;
    }
    for accept in ["application/json", "application/graphql-response+json", "text/event-stream"] {
        let refused = post(&ada, accept).await;
        assert_eq!(refused.status(), 429);
        let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body.get("data"), None);
        let millis = wait(&body["errors"]);
        assert!((1..=60_000).contains(&millis) && seconds == millis.div_ceil(1000), "{millis} {seconds}");
    }
    // What is refused is not even read, and others have a bucket of their own.
    let unread = ada.request(Method::POST, "/graphql").body("not json").send().await.unwrap();
    assert_eq!(unread.status(), 429);
    bob.data(WHO, json!({})).await;
}

#[tokio::test]
async fn a_socket_counts_every_operation_and_stays_open() {
    let app = app().await;
    let mut socket = app.socket("ada").await;
    for id in ["1", "2"] {
        socket.subscribe(id, WHO, json!({})).await;
        assert_eq!(socket.receive().await["type"], "next");
        assert_eq!(socket.receive().await["type"], "complete");
    }
    // A subscription counts once, however much it tells.
    socket.subscribe("s", "subscription { changes { cursor } }", json!({})).await;
    socket.subscribe("late", WHO, json!({})).await;
    let refused = socket.receive().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("late")));
    assert!(wait(&refused["payload"]) > 0);
    socket.settle().await;
    // The bucket is the owner's: HTTP and a new socket find it empty too.
    assert_eq!(post(&app.client("ada"), "application/json").await.status(), 429);
    let mut another = app.socket("ada").await;
    another.subscribe("1", WHO, json!({})).await;
    assert_eq!(another.receive().await["type"], "error");
}

#[tokio::test]
async fn rate_limits_count_the_user_not_the_back_end() {
    let app = app().await;
    let back_end = app.back_end();
    for _ in 0..3 {
        back_end.acting_for("ada").data(WHO, json!({})).await;
    }
    assert_eq!(back_end.acting_for("ada").run(WHO, json!({})).await.status, 429);
    assert_eq!(app.client("ada").run(WHO, json!({})).await.status, 429);
    back_end.acting_for("bob").data(WHO, json!({})).await;
    back_end.data(WHO, json!({})).await;
}

#[tokio::test]
async fn credentials_are_checked_before_rate_limits() {
    let app = app().await;
    for _ in 0..10 {
        assert_eq!(app.anonymous().run(WHO, json!({})).await.status, 401);
        let mut socket = Socket::open(&app.url).await;
        socket.introduce(app.client("ada").token()).await;
    }
    app.client("ada").data(WHO, json!({})).await;
}
