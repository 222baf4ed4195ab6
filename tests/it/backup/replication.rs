//! Continuous replication with Litestream, as `docs/backup.md` says.

use std::process::Stdio;

use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Load, USERS};
use crate::durability::contents;
use crate::harness::{Engine, Program, TIMEOUT, litestream};

async fn ended(mut child: Child) {
    assert!(timeout(TIMEOUT, child.wait()).await.expect("an end in time").unwrap().success());
}

/// The server deletes messages meanwhile, so it truncates its log as often as it can. The replica has everything once
/// Litestream has sent what there is, and a writer never waits for its reads for long enough to fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_litestream_has_everything_that_was_sent() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let ada = server.client(USERS[0]);
    let mut conversations = Vec::new();
    for _ in 0..3 {
        conversations.push((0, ada.new_conversation().await));
    }
    let replica = format!("file://{}", program.folder().join("replica").display());
    let replicate = Command::new(litestream())
        .args(["replicate", "data/scrollback.db", &replica])
        .current_dir(program.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Litestream is installed (`tests/run` installs it)");
    let mut load = Load::start(&server, &conversations);
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    for _ in 0..10 {
        let scrap = ada.new_conversation().await;
        let message = ada.append(&scrap, "deleted at once").await;
        ada.data(delete, json!({ "id": message["id"] })).await;
        load.after(30).await;
    }
    server.kill().await;
    load.end().await;
    // It sends what there is before it ends.
    let id = replicate.id().unwrap().to_string();
    assert!(Command::new("sh").args(["-c", "kill -TERM $0", &id]).status().await.unwrap().success());
    ended(replicate).await;

    let elsewhere = Program::over(Engine::Sqlite).await;
    std::fs::create_dir(elsewhere.folder().join("data")).unwrap();
    let restore = Command::new(litestream())
        .args(["restore", "-o", "data/scrollback.db", &replica])
        .current_dir(elsewhere.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    ended(restore).await;
    assert_eq!(elsewhere.printed(&["check"]).await.lines().last(), Some("sound"));
    let (old, new) = (program.serve(&[]).await, elsewhere.serve(&[]).await);
    for (user, conversation) in &conversations {
        let all = contents(&old.client(USERS[*user]), conversation).await;
        assert!(!all.is_empty());
        assert_eq!(contents(&new.client(USERS[*user]), conversation).await, all);
    }
}
