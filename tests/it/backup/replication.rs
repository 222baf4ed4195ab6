//! Continuous replication with Litestream, as `docs/backup.md` says.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tokio::time::timeout;

use super::{Load, USERS};
use crate::durability::contents;
use crate::harness::{Client, Engine, Program, Running, TIMEOUT, files_in, litestream};

/// Litestream's own lines go to standard error: the server writes to standard output.
const CONFIG: &str =
    "logging: { stderr: true }\ndbs: [{ path: data/scrollback.db, replica: { url: \"file://REPLICA\" } }]\n";

const DELETE: &str = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";

/// A program whose server runs below Litestream, and its replica.
struct Replicated {
    program: Program,
    replica: String,
}

impl Replicated {
    async fn new() -> Self {
        let program = Program::over(Engine::Sqlite).await;
        let replica = program.folder().join("replica").display().to_string();
        let config = CONFIG.replace("REPLICA", &replica);
        fs::write(program.folder().join("litestream.yml"), config).unwrap();
        Self { program, replica: format!("file://{replica}") }
    }

    async fn serve(&self) -> Running {
        let arguments = ["replicate", "-config", "litestream.yml", "-exec"];
        self.program.serve_below(&litestream(), &arguments).await
    }

    /// Waits until Litestream has sent something new: only then does it send the rest at its end.
    async fn sent(&self, before: &[PathBuf]) {
        let is_new = |file: &PathBuf| !before.contains(file);
        let sent = async {
            while !self.files().iter().any(is_new) {
                tokio::task::yield_now().await;
            }
        };
        timeout(TIMEOUT, sent).await.expect("Litestream sends something in time");
    }

    fn files(&self) -> Vec<PathBuf> {
        files_in(&self.program.folder().join("replica"))
    }

    /// What the replica has: restored elsewhere, checked, and served.
    async fn restored(&self, conversations: &[(usize, String)]) -> Vec<Vec<String>> {
        let elsewhere = Program::over(Engine::Sqlite).await;
        fs::create_dir(elsewhere.folder().join("data")).unwrap();
        let arguments = ["restore", "-o", "data/scrollback.db", &self.replica];
        elsewhere.printed_by(&litestream(), &arguments).await;
        assert_eq!(elsewhere.printed(&["check"]).await.lines().last(), Some("sound"));
        all_contents(&elsewhere.serve(&[]).await, conversations).await
    }
}

async fn all_contents(server: &Running, conversations: &[(usize, String)]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (user, conversation) in conversations {
        all.push(contents(&server.client(USERS[*user]), conversation).await);
    }
    all
}

/// Deletes messages, so the server truncates its log as often as it can.
async fn delete_messages(ada: &Client, load: &mut Load) {
    for _ in 0..5 {
        let scrap = ada.new_conversation().await;
        let message = ada.append(&scrap, "deleted at once").await;
        ada.data(DELETE, json!({ "id": message["id"] })).await;
        load.after(30).await;
    }
}

/// Whatever the server does with its log, and wherever it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_litestream_has_everything_that_was_sent() {
    let replicated = Replicated::new().await;
    let mut server = replicated.serve().await;
    let mut conversations = Vec::new();
    for _ in 0..3 {
        conversations.push((0, server.client(USERS[0]).new_conversation().await));
    }
    for _ in 0..2 {
        let before = replicated.files();
        let mut load = Load::start(&server, &conversations);
        delete_messages(&server.client(USERS[0]), &mut load).await;
        replicated.sent(&before).await;
        server.kill_child().await;
        load.end().await;
        // Litestream ends with the server. So the next one reads the log from the disk, as Litestream did.
        let (status, log) = server.ended().await;
        assert!(!status.success(), "{log}");
        server = replicated.serve().await;
    }
    let before = replicated.files();
    for (user, conversation) in &conversations {
        server.client(USERS[*user]).append(conversation, "after the crash").await;
    }
    let all = all_contents(&server, &conversations).await;
    assert!(all.iter().all(|contents| contents.len() > 1));
    replicated.sent(&before).await;
    // Asked to end, it asks the server to, and sends the rest.
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{status}: {log}");
    assert_eq!(replicated.restored(&conversations).await, all, "{log}");
}
