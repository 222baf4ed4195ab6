//! Backups under load, and restores: nothing that was acknowledged before a backup began is missing after a restore.

mod files;
mod replication;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use scrollback::clock::Clock;
use serde_json::json;
use tokio::sync::mpsc;

use crate::check::database::Database;
use crate::durability::{contents, try_append};
use crate::harness::{Client, Engine, Program, Running};
use crate::user_erasure::fill;

/// Users and conversations that are written to, each by one writer more than there are conversations of a user.
const USERS: [&str; 2] = ["ada", "bob"];
const WRITERS: usize = 6;

/// An acknowledgement: the conversation, the position and the id.
type Acknowledged = (String, i64, String);

/// Writers that append until the server is gone.
struct Load {
    writers: Vec<tokio::task::JoinHandle<()>>,
    acknowledgements: mpsc::UnboundedReceiver<Acknowledged>,
    known: Vec<Acknowledged>,
    count: Arc<AtomicUsize>,
}

impl Load {
    fn start(server: &Running, conversations: &[(usize, String)]) -> Self {
        let (done, acknowledgements) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        let writer = |number: usize| {
            let (user, conversation) = conversations[number % conversations.len()].clone();
            let (client, done, count) = (server.client(USERS[user]), done.clone(), count.clone());
            tokio::spawn(async move {
                loop {
                    let id = Clock::system().new_id().to_string();
                    let Some(position) = try_append(&client, &conversation, &id).await else { return };
                    done.send((conversation.clone(), position, id)).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let writers = (0..WRITERS).map(writer).collect();
        Self { writers, acknowledgements, known: Vec::new(), count }
    }

    /// Everything that is acknowledged by now, after at least `more` acknowledgements from now on.
    async fn after(&mut self, more: usize) -> Vec<Acknowledged> {
        let wanted = self.known.len() + more;
        while self.known.len() < wanted {
            self.known.push(self.acknowledgements.recv().await.unwrap());
        }
        while let Ok(acknowledged) = self.acknowledgements.try_recv() {
            self.known.push(acknowledged);
        }
        self.known.clone()
    }

    fn written(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    async fn end(self) {
        for writer in self.writers {
            writer.await.unwrap();
        }
    }
}

/// Fills the database with some megabytes, so that a backup takes a while.
async fn fill_much(client: &Client) {
    let text = "all work and no play ".repeat(2000);
    let messages: Vec<_> = (0..50).map(|_| json!({ "role": "USER", "content": text })).collect();
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    for _ in 0..2 {
        client.data(create, json!({ "input": { "messages": messages } })).await;
    }
}

async fn everything_acknowledged_before_a_backup_is_restored(from: Engine, to: Engine) {
    let program = Program::over(from).await;
    let server = program.serve(&[]).await;
    let mut conversations = Vec::new();
    for (number, user) in USERS.into_iter().enumerate() {
        let client = server.client(user);
        fill(&client, "zebra").await;
        fill_much(&client).await;
        for _ in 0..2 {
            conversations.push((number, client.new_conversation().await));
        }
    }
    let mut load = Load::start(&server, &conversations);
    let before = load.after(100).await;
    let written = load.written();
    let backup: Output = program.run(&["backup", "backup.zst", "--rate", "2"]).await;
    assert!(backup.status.success() && backup.stdout.is_empty(), "{backup:?}");
    assert!(load.written() > written, "writers go on during a backup");
    load.after(50).await;
    server.kill().await;
    load.end().await;

    let elsewhere = Program::over(to).await;
    std::fs::copy(program.folder().join("backup.zst"), elsewhere.folder().join("backup.zst")).unwrap();
    if from == Engine::Sqlite {
        // The files of attachments are backed up after the database.
        copy_folder(&program.folder().join("data/files"), &elsewhere.folder().join("data/files"));
    }
    let restored = elsewhere.printed(&["restore", "backup.zst"]).await;
    assert_eq!(restored.lines().last(), Some("sound"), "{restored}");

    // The writers' server, as it was when it was killed, and the restored one.
    let (old, new) = (program.serve(&[]).await, elsewhere.serve(&[]).await);
    let mut by_conversation: BTreeMap<&str, BTreeMap<i64, &str>> = BTreeMap::new();
    for (conversation, position, id) in &before {
        by_conversation.entry(conversation).or_default().insert(*position, id);
    }
    for (user, conversation) in &conversations {
        let all = contents(&old.client(USERS[*user]), conversation).await;
        let there = contents(&new.client(USERS[*user]), conversation).await;
        assert!(there.len() <= all.len() && there == all[..there.len()], "one state, in order");
        assert_eq!(there.iter().collect::<BTreeSet<_>>().len(), there.len());
        for (position, id) in by_conversation.remove(conversation.as_str()).unwrap_or_default() {
            assert_eq!(there.get(usize::try_from(position).unwrap() - 1).map(String::as_str), Some(id));
        }
    }
    // It goes on from there.
    for (user, conversation) in &conversations {
        let client = new.client(USERS[*user]);
        let there = contents(&client, conversation).await.len();
        let id = Clock::system().new_id().to_string();
        assert_eq!(try_append(&client, conversation, &id).await, i64::try_from(there + 1).ok());
    }
    new.terminate().await;
    let (_, log) = new.ended().await;
    assert!(!log.contains("ERROR"), "{log}");
    assert_eq!(elsewhere.printed(&["check"]).await.lines().last(), Some("sound"));
}

pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_a_backup_is_restored_on_sqlite() {
    everything_acknowledged_before_a_backup_is_restored(Engine::Sqlite, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_a_backup_is_restored_on_postgres() {
    everything_acknowledged_before_a_backup_is_restored(Engine::Postgres, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_a_backup_of_postgres_is_restored_on_sqlite() {
    everything_acknowledged_before_a_backup_is_restored(Engine::Postgres, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_before_a_backup_is_restored_behind_row_level_security() {
    let engine = Engine::PostgresWithRowLevelSecurity;
    everything_acknowledged_before_a_backup_is_restored(engine, engine).await;
}

/// What a user's export says of the data, without its time, and without the feed and the log, which begin anew.
async fn data_of(program: &Program, user: &str) -> Vec<String> {
    let text = program.printed(&["export", "--user", user]).await;
    let begins = ["{\"header\"", "{\"change\"", "{\"audit\""];
    text.lines()
        .filter(|line| !begins.iter().any(|begin| line.starts_with(begin)))
        .map(str::to_owned)
        .collect()
}

async fn a_backup_of_users_has_everything_that_the_manual_says(to: Engine) {
    let program = Program::over(Engine::Postgres).await;
    let server = program.serve(&[]).await;
    for user in USERS {
        fill(&server.client(user), "zebra").await;
    }
    // The stream ends, as it does in a restored database.
    let streaming = "{ conversations { nodes { messages { nodes { id status } } } } }";
    for user in USERS {
        let client = server.client(user);
        let data = client.data(streaming, json!({})).await;
        let messages = data["conversations"]["nodes"][0]["messages"]["nodes"].as_array().unwrap();
        let open = messages.iter().find(|message| message["status"] == "STREAMING").unwrap()["id"].clone();
        let finish = crate::harness::FINISH;
        client.data(finish, json!({ "id": open, "status": "INTERRUPTED" })).await;
    }
    program.printed(&["retention", "set", "--user", "bob", "--inactive", "never"]).await;
    let key = program.printed(&["erase", "--public-key"]).await;
    let saved = program.run(&["backup", "-"]).await;
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let said = String::from_utf8(saved.stderr).unwrap();
    assert!(said.starts_with("the backup has 2 users, 2 conversations, "), "{said}");
    let log = program.printed(&["audit", "--action", "backup"]).await;
    assert_eq!(log.lines().count(), 1, "{log}");

    let elsewhere = Program::over(to).await;
    std::fs::write(elsewhere.folder().join("b.zst"), &saved.stdout).unwrap();
    let restored = elsewhere.printed(&["restore", "b.zst"]).await;
    assert!(restored.starts_with("restored 2 of 2 users, 2 conversations, "), "{restored}");
    for user in USERS {
        assert_eq!(data_of(&program, user).await, data_of(&elsewhere, user).await, "{user}");
    }
    assert_eq!(elsewhere.printed(&["erase", "--public-key"]).await, key);
    let kept =
        Database::of(to, &elsewhere).number("SELECT retention_after FROM account WHERE id = 'bob'").await;
    assert_eq!(kept, 0, "Bob's conversations are kept");
    // Once more: nothing is doubled.
    let said = elsewhere.refused(&["restore", "b.zst"]).await;
    assert!(said.contains("is not empty"), "{said}");
    let again = elsewhere.printed(&["restore", "b.zst", "--force"]).await;
    assert!(
        again.starts_with(
            "restored 2 of 2 users, 0 conversations, 0 messages; 2 conversations were there already"
        ),
        "{again}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_users_has_everything_that_the_manual_says_on_postgres() {
    a_backup_of_users_has_everything_that_the_manual_says(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_users_has_everything_that_the_manual_says_on_sqlite() {
    a_backup_of_users_has_everything_that_the_manual_says(Engine::Sqlite).await;
}

/// A kill at any moment leaves no file that looks like a backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_leaves_no_backup_and_the_server_goes_on() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    fill_much(&ada).await;
    let is_copying = Arc::new(AtomicBool::new(false));
    let mut command = program.command(&["backup", "backup.zst", "--rate", "1"]).spawn().unwrap();
    let begun = async {
        while !is_copying.load(Ordering::Relaxed) {
            let entries = std::fs::read_dir(program.folder()).unwrap();
            let names = entries.map(|entry| entry.unwrap());
            let copies = names.filter(|entry| {
                entry.file_name().to_string_lossy().starts_with(".scrollback-backup-")
                    && entry.metadata().is_ok_and(|found| found.len() > 0)
            });
            is_copying.store(copies.count() > 0, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::TIMEOUT, begun).await.unwrap();
    command.kill().await.unwrap();
    assert!(!program.folder().join("backup.zst").exists());
    let conversation = ada.new_conversation().await;
    ada.append(&conversation, "goes on").await;
    let output = program.run(&["backup", "backup.zst"]).await;
    assert!(output.status.success(), "{output:?}");
}
