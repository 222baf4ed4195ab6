//! `scrollback doctor`: what it finds, and that it changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::{Engine, Nats, Program, files_in, shared_cluster};

/// The findings, and the code at the end.
async fn findings(program: &Program) -> (Vec<Value>, i32) {
    let output = program.run(&["doctor", "--json"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let findings = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (findings, output.status.code().unwrap())
}

/// Topics about the machine of the test, which can be full or small.
const OF_MACHINE: [&str; 3] = ["disk", "memory", "open files"];

/// The findings that need a change, besides those about the machine.
fn wrong(findings: &[Value]) -> Vec<&Value> {
    let is_wrong = |found: &&Value| found["severity"] == "warning" || found["severity"] == "error";
    let of_machine = |found: &Value| OF_MACHINE.iter().any(|topic| found["topic"] == *topic);
    findings.iter().filter(is_wrong).filter(|found| !of_machine(found)).collect()
}

/// Whether there is a finding of this severity about a topic with this text.
fn has(findings: &[Value], severity: &str, topic: &str, text: &str) -> bool {
    findings.iter().any(|found| {
        found["severity"] == severity
            && found["topic"] == topic
            && found["text"].as_str().unwrap().contains(text)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_deployment_and_a_running_one_are_healthy() {
    let program = Program::believing().with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let (found, code) = findings(&program).await;
    let of_machine = found.iter().any(|found| found["severity"] == "warning");
    assert!(wrong(&found).is_empty() && code == if of_machine { 3 } else { 0 }, "{code}: {found:?}");
    assert!(has(&found, "advice", "database", "does not exist: the first start makes it"), "{found:?}");
    assert!(has(&found, "advice", "server", "none is ready here"), "{found:?}");
    assert_eq!(fs::read_dir(program.folder()).unwrap().count(), 0, "nothing was made");

    let mut server = program.serve(&[]).await;
    let admin = server.line().await;
    let admin = admin.strip_prefix("Health and metrics: http://").unwrap().strip_suffix("/metrics").unwrap();
    server.client("ada").new_conversation().await;
    let program = program.with("SCROLLBACK_SERVER_ADMIN_LISTEN", admin);
    let (found, _) = findings(&program).await;
    assert!(wrong(&found).is_empty(), "{found:?}");
    for topic in OF_MACHINE {
        assert!(found.iter().any(|found| found["topic"] == topic), "{topic}: {found:?}");
    }
    for (topic, text) in [
        ("settings", "they are valid"),
        ("permissions", "cannot read"),
        ("database", "SQLite, "),
        ("schema", "that of this version"),
        ("attachments", "can be written to"),
        ("server", "is ready"),
    ] {
        assert!(has(&found, "ok", topic, text), "{topic} {text}: {found:?}");
    }
    let objects = files_in(&program.folder().join("data/files"));
    assert!(objects.is_empty(), "the object that was written is deleted: {objects:?}");
    let printed = String::from_utf8(program.run(&["doctor"]).await.stdout).unwrap();
    assert!(printed.contains("ok       settings: they are valid\n"), "{printed}");

    fs::set_permissions(program.folder().join("data/scrollback.db"), fs::Permissions::from_mode(0o644))
        .unwrap();
    let (found, code) = findings(&program).await;
    assert_eq!(code, 3);
    assert!(has(&found, "warning", "permissions", "chmod 600"), "{found:?}");
    server.terminate().await;
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsafe_settings_of_postgresql_are_named() {
    // The cluster of the tests has them, to be quick.
    let program = Program::over(Engine::Postgres).await;
    let (found, code) = findings(&program).await;
    assert_eq!(code, 3);
    for (severity, topic, text) in [
        ("error", "database", "`fsync` of PostgreSQL is off"),
        ("error", "database", "`full_page_writes`"),
        ("advice", "database", "superuser"),
        ("ok", "clock", "agrees"),
        ("advice", "schema", "migrations are pending: the next start applies them"),
    ] {
        assert!(has(&found, severity, topic, text), "{text}: {found:?}");
    }
    // It can be asked again, and the schema was not made.
    let (found, _) = findings(&program.with("SCROLLBACK_DATABASE_MIGRATE", "false")).await;
    assert!(has(&found, "advice", "schema", "run `scrollback migrate up`"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_reached_is_named_without_passwords() {
    let mut nats = Nats::start();
    let signals = nats.url_as("nats", "user:hidden");
    let url = shared_cluster().url("nowhere").replace("scrollback@", "scrollback:hidden@");
    let program = Program::new()
        .with("SCROLLBACK_DATABASE_URL", url)
        .with("SCROLLBACK_FEED_SIGNALS", &signals)
        .with("SCROLLBACK_AUTH_JWKS_URL", "http://127.0.0.1:1/keys")
        .with("SCROLLBACK_SERVER_MEMORY", "4000000000")
        .with("SCROLLBACK_SERVER_MAX_CONNECTIONS", "4000000000");
    let (found, code) = findings(&program).await;
    assert_eq!(code, 3);
    assert!(has(&found, "error", "database", "\"nowhere\" does not exist"), "{found:?}");
    assert!(has(&found, "error", "keys", "cannot fetch the keys of http://127.0.0.1:1/keys"), "{found:?}");
    assert!(has(&found, "ok", "nats", "`feed.signals` answers"), "{found:?}");
    assert!(has(&found, "warning", "open files", "raise the limit"), "{found:?}");
    nats.kill();
    let (found, _) = findings(&program).await;
    assert!(has(&found, "error", "nats", "`feed.signals`: cannot connect"), "{found:?}");
    assert!(!format!("{found:?}").contains("hidden"), "{found:?}");
    // Settings that are not valid do not keep it from looking at the rest.
    let (found, _) = findings(&program.with("SCROLLBACK_SERVER_BODY_LIMIT", "1")).await;
    assert!(has(&found, "error", "settings", "server.body_limit"), "{found:?}");
    assert!(has(&found, "ok", "permissions", "private"), "{found:?}");
}
