//! Continuous replication with Litestream, as `docs/backup.md` says.

use std::fs::{self, File};

use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Load, USERS};
use crate::durability::contents;
use crate::harness::{Engine, Program, Running, TIMEOUT, files_in, litestream};

/// What Litestream prints.
const PRINTED: &str = "litestream.log";

/// Starts Litestream in the folder of a program. What it prints goes to a file there.
fn start(program: &Program, arguments: &[&str]) -> Child {
    let printed = File::create(program.folder().join(PRINTED)).unwrap();
    Command::new(litestream())
        .args(arguments)
        .current_dir(program.folder())
        .stdout(printed.try_clone().unwrap())
        .stderr(printed)
        .kill_on_drop(true)
        .spawn()
        .expect("Litestream is installed (`tests/run` installs it)")
}

async fn ended(program: &Program, mut child: Child) {
    let status = timeout(TIMEOUT, child.wait()).await.expect("an end in time").unwrap();
    assert!(status.success(), "{status}: {}", fs::read_to_string(program.folder().join(PRINTED)).unwrap());
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
    let replicate = start(&program, &["replicate", "data/scrollback.db", &replica]);
    // Until it has begun, there is nothing that it would send at its end.
    let begun = async {
        while files_in(&program.folder().join("replica")).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, begun).await.expect("Litestream begins");
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
    let old = program.serve(&[]).await;
    let all = all_contents(&old, &conversations).await;
    assert!(all.iter().all(|contents| !contents.is_empty()));
    // It sends what is new once a second.
    let sent = async { while restored(&replica, &conversations).await != all {} };
    if timeout(TIMEOUT, sent).await.is_err() {
        let printed = fs::read_to_string(program.folder().join(PRINTED)).unwrap();
        let count = |all: &[Vec<String>]| all.iter().map(Vec::len).collect::<Vec<_>>();
        let restored = restored(&replica, &conversations).await;
        panic!("the replica has {:?} of {:?} messages: {printed}", count(&restored), count(&all));
    }
    let id = replicate.id().unwrap().to_string();
    assert!(Command::new("sh").args(["-c", "kill -TERM $0", &id]).status().await.unwrap().success());
    ended(&program, replicate).await;
}

async fn all_contents(server: &Running, conversations: &[(usize, String)]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (user, conversation) in conversations {
        all.push(contents(&server.client(USERS[*user]), conversation).await);
    }
    all
}

/// What the replica has: restored elsewhere, checked, and served.
async fn restored(replica: &str, conversations: &[(usize, String)]) -> Vec<Vec<String>> {
    let elsewhere = Program::over(Engine::Sqlite).await;
    fs::create_dir(elsewhere.folder().join("data")).unwrap();
    let restore = start(&elsewhere, &["restore", "-o", "data/scrollback.db", replica]);
    ended(&elsewhere, restore).await;
    assert_eq!(elsewhere.printed(&["check"]).await.lines().last(), Some("sound"));
    all_contents(&elsewhere.serve(&[]).await, conversations).await
}
