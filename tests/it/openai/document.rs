//! The OpenAPI document, and what Schemathesis finds with it.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Engine, TestApp, packaged_program};

#[tokio::test]
async fn the_document_is_served_without_a_token() {
    let app = TestApp::start(Engine::Sqlite).await;
    let response = app.anonymous().request(Method::GET, "/v1/openapi.json").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let served = response.text().await.unwrap();
    assert_eq!(served, fs::read_to_string("docs/openapi.json").unwrap());
    let document: Value = serde_json::from_str(&served).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let posted = app.anonymous().request(Method::POST, "/v1/openapi.json").send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

/// How long Schemathesis makes requests to a server: a minute for both databases.
const SECONDS: &str = "30";

/// The check that is left out: a valid request may be refused for what a schema cannot say, such as a text with NUL.
const EXCLUDED: &str = "positive_data_acceptance";

async fn schemathesis(engine: Engine) {
    let app = TestApp::start(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let document = fs::canonicalize("docs/openapi.json").unwrap();
    let mut command = Command::new(packaged_program("schemathesis"));
    command.current_dir(folder.path()).kill_on_drop(true).arg("run").arg(document);
    command.args(["--url", &app.url, "--max-time", SECONDS, "--no-color", "--exclude-checks", EXCLUDED]);
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["-H", &format!("Authorization: Bearer {}", app.client("ada").token())]);
    let output = timeout(Duration::from_secs(150), command.output()).await.expect("it ends in time").unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    // It did something.
    assert!(printed.contains("generated"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing_on_sqlite() {
    schemathesis(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing_on_postgres() {
    schemathesis(Engine::Postgres).await;
}
