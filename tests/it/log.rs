//! The log: slow operations, and levels of modules that change at run time.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Engine, Program, Running, Socket, TIMEOUT};

/// A server, and the address of its admin listener.
async fn serve(program: &Program) -> (Running, String) {
    let mut server = program.serve(&[]).await;
    let admin = server.line().await.replace("Health and metrics: ", "").replace("/metrics", "");
    (server, admin)
}

async fn with_admin(engine: Engine) -> Program {
    Program::over(engine).await.with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
}

/// The log of a server that ends now.
async fn log_of(server: Running) -> String {
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    log
}

async fn slow_operations_are_logged(engine: Engine) {
    let program = with_admin(engine).await.with("SCROLLBACK_LOG_FORMAT", "json");
    let program = program.with("SCROLLBACK_LOG_SLOW_OPERATION", "0s");
    let (server, _) = serve(&program).await;
    let ada = server.client("ada of the secret name");
    let id = ada.new_conversation().await;
    let append = "mutation Slow($id: ID!, $text: String!) { \
                  appendMessage(input: { conversationId: $id, role: USER, content: $text }) { message { id } } }";
    ada.data(append, json!({ "id": id, "text": "a secret text" })).await;
    let read = "query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { content } } } }";
    ada.data(read, json!({ "id": id })).await;
    ada.fault(read, json!({ "id": uuid::Uuid::nil() })).await;
    ada.fault("{ nothing }", json!({})).await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(ada.token()).await;
    let follow = "subscription { changes { conversationId } }";
    socket.subscribe("1", follow, json!({})).await;
    socket.subscribe("2", "query OnSocket { viewer { id } }", json!({})).await;
    assert_eq!(socket.receive().await["type"], "next");
    drop(socket);
    let token = ada.token().to_owned();
    let log = log_of(server).await;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
    let slow: Vec<Value> = lines.filter(|fields| fields["message"] == "a slow operation").collect();
    assert_eq!(slow.len(), 6, "{log}");
    let hash = |document: &str| {
        let digest = Sha256::digest(document);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let of = |name: &str| slow.iter().find(|fields| fields["name"] == name).unwrap();
    let appended = of("Slow");
    assert_eq!((&appended["kind"], &appended["code"]), (&json!("mutation"), &json!("OK")), "{log}");
    assert_eq!(appended["document_sha256"], hash(append), "{log}");
    let time = |fields: &Value, part: &str| fields[part].as_f64().unwrap();
    assert!(time(appended, "write_ms") > 0.0 && time(appended, "queue_wait_ms") > 0.0, "{log}");
    assert_eq!(time(appended, "commit_ms") > 0.0, engine == Engine::Sqlite, "{log}");
    assert!(time(appended, "duration_ms") >= time(appended, "write_ms"), "{log}");
    of("OnSocket");
    let reads: Vec<_> = slow.iter().filter(|fields| fields["document_sha256"] == hash(read)).collect();
    let codes: Vec<_> = reads.iter().map(|fields| fields["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["OK", "NOT_FOUND"], "{log}");
    assert!(time(reads[0], "read_ms") > 0.0 && time(reads[0], "write_ms") == 0.0, "{log}");
    let invalid = slow.iter().find(|fields| fields["code"] == "GRAPHQL_VALIDATION_FAILED").unwrap();
    assert!(time(invalid, "validate_ms") > 0.0, "{log}");
    for private in ["secret", token.as_str(), id.as_str(), "appendMessage", "nothing"] {
        assert!(!log.contains(private), "{private}: {log}");
    }
}

#[tokio::test]
async fn slow_operations_are_logged_on_sqlite() {
    slow_operations_are_logged(Engine::Sqlite).await;
}

#[tokio::test]
async fn slow_operations_are_logged_on_postgres() {
    slow_operations_are_logged(Engine::Postgres).await;
}

#[tokio::test]
async fn only_slow_operations_are_logged() {
    for limit in ["1h", "never"] {
        let program = with_admin(Engine::Sqlite).await.with("SCROLLBACK_LOG_SLOW_OPERATION", limit);
        let (server, _) = serve(&program).await;
        server.client("ada").new_conversation().await;
        let log = log_of(server).await;
        assert!(!log.contains("slow"), "{log}");
    }
}

async fn put(admin: &str, filter: &str) -> (StatusCode, String) {
    let request = reqwest::Client::new().put(format!("{admin}/log")).body(filter.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn shown(admin: &str) -> String {
    reqwest::get(format!("{admin}/log")).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_filter_changes_at_run_time() {
    for format in ["text", "json"] {
        let program = with_admin(Engine::Sqlite).await.with("SCROLLBACK_LOG_LEVEL", "error");
        let program = program.with("SCROLLBACK_LOG_FORMAT", format);
        let (server, admin) = serve(&program).await;
        assert_eq!(shown(&admin).await, "error\n");
        let filter = "error,scrollback::server=info,scrollback::telemetry=info";
        assert_eq!(put(&admin, filter).await, (StatusCode::OK, format!("{filter}\n")));
        let wrong = "scrollback=louder";
        let (status, reason) = put(&admin, wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(reason.contains("\"scrollback=louder\" is not a filter of the log"), "{reason}");
        assert_eq!(put(&admin, &"x".repeat(5000)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(shown(&admin).await, format!("{filter}\n"), "it stays");
        let public = reqwest::get(format!("{}/log", server.url)).await.unwrap();
        assert_eq!(public.status(), StatusCode::NOT_FOUND);
        let log = log_of(server).await;
        assert!(log.contains("changed the filter of the log") && log.contains("shutting down"), "{log}");
        // An empty one is that of the settings.
        let (server, admin) = serve(&program).await;
        assert_eq!(put(&admin, "debug").await.0, StatusCode::OK);
        assert_eq!(put(&admin, "").await, (StatusCode::OK, "error\n".to_owned()));
        let log = log_of(server).await;
        assert!(!log.contains("shutting down"), "{log}");
    }
}

#[tokio::test]
async fn a_new_level_in_the_settings_is_taken_on_sighup() {
    let program = with_admin(Engine::Sqlite).await.with("SCROLLBACK_CONFIG", "scrollback.toml");
    let file = program.folder().join("scrollback.toml");
    std::fs::write(&file, "[log]\nlevel = \"error\"\n").unwrap();
    let (server, admin) = serve(&program).await;
    assert_eq!(put(&admin, "debug").await.0, StatusCode::OK);
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    server.signal("HUP").await;
    let start = std::time::Instant::now();
    while shown(&admin).await != "info\n" {
        assert!(start.elapsed() < TIMEOUT);
        tokio::task::yield_now().await;
    }
    // An empty one is that of the new settings.
    assert_eq!(put(&admin, "off").await.0, StatusCode::OK);
    assert_eq!(put(&admin, "").await, (StatusCode::OK, "info\n".to_owned()));
    let log = log_of(server).await;
    assert!(log.contains("shutting down"), "{log}");
}
