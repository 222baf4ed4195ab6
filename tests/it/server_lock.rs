//! The lock of an SQLite database: one server at a time, and the commands that may run beside it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Engine, Program, Socket, TIMEOUT, token};

const CHANGES: &str = "subscription($after: String!) {
  changes(after: $after) { ... on ConversationCreated { conversation { title } } }
}";

/// The error of a second server on `path`, in one line.
fn refusal(path: &Path) -> String {
    format!(
        "scrollback: another Scrollback server uses the SQLite database {}: stop it, set `database.url` to \
         another file, or use PostgreSQL, which takes several servers\n",
        path.canonicalize().unwrap().display()
    )
}

#[tokio::test]
async fn a_second_server_is_refused_whatever_path_leads_to_the_database() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let database = program.folder().join("data/scrollback.db");
    let elsewhere = tempfile::tempdir().unwrap();
    let (folder, file) = (elsewhere.path().join("folder"), elsewhere.path().join("a.db"));
    symlink(program.folder().join("data"), &folder).unwrap();
    symlink(&database, &file).unwrap();
    let url = |path: &Path| format!("sqlite://{}", path.display());
    for arguments in [
        vec![],
        vec!["--data-dir", "./data/../data"],
        vec!["--data-dir", folder.to_str().unwrap()],
        vec!["--database-url", "sqlite://data/scrollback.db"],
        vec!["--database-url", &url(&database)],
        vec!["--database-url", &url(&file)],
        vec!["--database-url", "sqlite://data/scrollback.db?cache=private"],
    ] {
        let listen = ["--listen", "127.0.0.1:0"];
        let refused = program.refused(&[&listen, &arguments[..]].concat()).await;
        assert_eq!(refused, refusal(&database), "{arguments:?}");
    }
    ada.append(&id, "goes on").await;
    // Another file in the same folder is another database.
    let other = program.serve(&["--database-url", "sqlite://data/other.db"]).await;
    other.client("ada").new_conversation().await;
}

#[tokio::test]
async fn the_lock_is_released_when_the_server_ends() {
    let program = Program::over(Engine::Sqlite).await;
    let lock = program.folder().join("data/scrollback.db.lock");
    let server = program.serve(&[]).await;
    server.client("ada").new_conversation().await;
    server.kill().await;
    assert!(lock.is_file(), "what is left of it means nothing");
    let server = program.serve(&[]).await;
    server.client("ada").new_conversation().await;
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let server = program.serve(&[]).await;
    let data = server.client("ada").data("{ conversations { nodes { id } } }", json!({})).await;
    assert_eq!(data["conversations"]["nodes"].as_array().unwrap().len(), 2);
}

/// Tokens, the state of migrations and imports, beside a server whose subscribers get what is imported.
async fn commands_run_beside_a_server(engine: Engine, poll: &str) {
    let program = Program::over(engine).await.with("SCROLLBACK_FEED_POLL", poll);
    let server = program.serve(&[]).await;
    let page = server.client("ada").data("{ conversations { changeCursor } }", json!({})).await;
    let after = page["conversations"]["changeCursor"].clone();
    let token_of_ada = program.printed(&["token", "--user", "ada"]).await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(token_of_ada.trim_end()).await;
    socket.subscribe("s", CHANGES, json!({ "after": after })).await;
    socket.settle().await;
    let status = program.printed(&["migrate", "status"]).await;
    assert!(status.lines().all(|line| line.starts_with("applied ")), "{status}");
    let conversation = |n: usize| {
        let said = json!([{ "from": "human", "value": "Hi" }, { "from": "gpt", "value": "Hello" }]);
        json!({ "id": format!("c-{n}"), "title": format!("T{n}"), "conversations": said })
    };
    let file: Vec<Value> = (0..20).map(conversation).collect();
    fs::write(program.folder().join("a.json"), json!(file).to_string()).unwrap();
    let report = program.printed(&["import", "a.json", "--user", "ada"]).await;
    assert!(report.starts_with("20 conversations with 40 messages imported"), "{report}");
    let mut created = 0;
    while created < 20 {
        let message = socket.receive().await;
        if message["type"] == "ping" {
            continue;
        }
        assert_eq!(message["type"], "next", "{message}");
        created += usize::from(message["payload"]["data"]["changes"]["conversation"].is_object());
    }
}

#[tokio::test]
async fn commands_run_beside_a_server_on_sqlite() {
    commands_run_beside_a_server(Engine::Sqlite, "200ms").await;
}

#[tokio::test]
async fn commands_run_beside_a_server_on_postgres() {
    commands_run_beside_a_server(Engine::Postgres, "1h").await;
}

#[tokio::test]
async fn the_schema_is_not_migrated_while_a_server_runs() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let database = program.folder().join("data/scrollback.db");
    let refused = program.refused(&["migrate", "down", "--steps", "1"]).await;
    assert_eq!(refused, refusal(&database));
    assert!(program.run(&["migrate", "up"]).await.status.success(), "there is nothing to do");
    server.kill().await;
    program.printed(&["migrate", "down", "--steps", "1"]).await;
    let conversation = json!([{ "id": "c", "conversations": [{ "from": "human", "value": "Hi" }] }]);
    fs::write(program.folder().join("a.json"), conversation.to_string()).unwrap();
    // What a server of an older version holds.
    let lock = File::open(program.folder().join("data/scrollback.db.lock")).unwrap();
    lock.lock().unwrap();
    for arguments in [&["migrate", "up"][..], &["import", "a.json", "--user", "ada"], &[]] {
        assert_eq!(program.refused(arguments).await, refusal(&database), "{arguments:?}");
    }
    lock.unlock().unwrap();
    program.printed(&["migrate", "up"]).await;
    let server = program.serve(&[]).await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(&token("ada", TIMEOUT)).await;
}
