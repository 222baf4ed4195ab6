//! A product follows all changes of 1,000 users from outside, through public interfaces only, and loses none while both
//! sides crash.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use uuid::Uuid;

use super::receiver::SECRET;
use crate::harness::{Client, Engine, Program, Running, TIMEOUT, back_end_token};

const USERS: usize = 1000;
const AT_ONCE: usize = 16;

/// Each user creates a conversation with a message, and appends two.
const CHANGES: usize = 4;

/// How often each side is killed.
const CRASHES: usize = 3;

/// The longest time without progress: the lease of a server that died runs out.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver in Node.js that can be killed.
struct NodeReceiver {
    file: PathBuf,
    port: u16,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The events that were accepted, as far as its output was read.
    count: usize,
}

impl NodeReceiver {
    async fn start(file: PathBuf, port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/webhook-receiver.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("FILE", &file)
            .env("PORT", port.to_string())
            .env("SECRET", SECRET)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js is installed (`tests/run` installs it)");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(TIMEOUT, lines.next_line()).await.expect("it listens in time").unwrap();
        let port = line.expect("it listens").parse().unwrap();
        let count = std::fs::read_to_string(&file).unwrap().lines().count();
        Self { file, port, child, lines, count }
    }

    /// As `kill -9` does, and starts it again on the same port.
    async fn crash(mut self) -> Self {
        self.child.kill().await.unwrap();
        Self::start(self.file, self.port).await
    }

    /// The ids of the events that were accepted, of each user in order.
    fn accepted(&self) -> BTreeMap<String, Vec<String>> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let mut accepted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let (owner, revision, id): (String, i64, String) = serde_json::from_str(line).unwrap();
            assert_ne!(owner, "fault", "{id}");
            let ids = accepted.entry(owner).or_default();
            ids.push(id);
            assert_eq!(i64::try_from(ids.len()).unwrap(), revision);
        }
        accepted
    }

    /// Waits until this number of events was accepted.
    async fn wait(&mut self, events: usize) {
        while self.count < events {
            let line = timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("{} of {events} events", self.count)).unwrap();
            assert!(line.is_some(), "the receiver ended");
            self.count += 1;
        }
    }
}

fn back_end(server: &Running) -> Client {
    Client::new(&server.url, Some(back_end_token(Duration::from_secs(600))))
}

/// Runs a mutation until it succeeds. `None`: the server was killed. A repeat changes nothing.
async fn run(client: &Client, query: &str, input: Value, is_killed: &AtomicBool) -> Option<()> {
    while client.attempt(query, json!({ "input": input })).await.is_none() {
        if is_killed.load(Ordering::Relaxed) {
            return None;
        }
    }
    Some(())
}

async fn write(client: &Client, user: usize, is_killed: &AtomicBool) -> Option<()> {
    let id = |number: u128| Uuid::from_u128((0x0197_a1b2_c3d4_7e5f_8a6b << 48) + 10 * user as u128 + number);
    let acting = client.acting_for(&format!("user {user}"));
    let input = json!({ "id": id(0), "messages": [{ "id": id(1), "role": "USER", "content": "1" }] });
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    run(&acting, create, input, is_killed).await?;
    for number in 2..4 {
        let append =
            "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
        let input = json!({ "conversationId": id(0), "id": id(number), "role": "USER", "content": "next" });
        run(&acting, append, input, is_killed).await?;
    }
    Some(())
}

/// Writes what users write until all is written or the server is killed. Returns how many are done.
async fn write_all(client: &Client, users: Range<usize>, is_killed: &AtomicBool) -> usize {
    let begin = users.start;
    let mut written = stream::iter(users).map(|user| write(client, user, is_killed)).buffered(AT_ONCE);
    let mut count = begin;
    while let Some(Some(())) = written.next().await {
        count += 1;
    }
    count
}

/// The ids of all changes of a user, as the API gives them.
async fn feed(client: &Client, user: &str) -> Vec<String> {
    let cursor = "... on ConversationCreated { cursor } ... on MessageAdded { cursor }";
    let query = format!("{{ changes(first: 100) {{ nodes {{ {cursor} }} hasNextPage }} }}");
    let data = client.acting_for(user).data(&query, json!({})).await;
    assert_eq!(data["changes"]["hasNextPage"], false);
    let nodes = data["changes"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node: &Value| node["cursor"].as_str().unwrap().to_owned()).collect()
}

async fn changes_of_1_000_users_are_followed_while_both_sides_crash(engine: Engine) {
    let program = Program::over(engine).await;
    let mut receiver = NodeReceiver::start(program.folder().join("events"), 0).await;
    let config = format!(
        "[[webhooks]]\nname = \"product\"\nurl = \"http://127.0.0.1:{}/\"\nsecret = \"{SECRET}\"\nallow_http = true\n\
         allow_private_addresses = true\n",
        receiver.port
    );
    std::fs::write(program.folder().join("scrollback.toml"), config).unwrap();
    let mut server = program.serve(&["--config", "scrollback.toml"]).await;
    let mut written = 0;
    for crash in 1..=CRASHES {
        let client = back_end(&server);
        let until = USERS * crash / (CRASHES + 1);
        // The server dies while it writes and delivers.
        let is_killed = AtomicBool::new(false);
        let killed = async {
            receiver.wait(CHANGES * until / 2).await;
            is_killed.store(true, Ordering::Relaxed);
            server.kill().await;
        };
        (written, ()) = tokio::join!(write_all(&client, written..until + 50, &is_killed), killed);
        server = program.serve(&["--config", "scrollback.toml"]).await;
        // The receiver dies while it gets events.
        let client = back_end(&server);
        let is_killed = AtomicBool::new(false);
        let crashed = async {
            receiver.wait(CHANGES * until / 2 + 10).await;
            receiver.crash().await
        };
        (written, receiver) = tokio::join!(write_all(&client, written..until + 100, &is_killed), crashed);
    }
    let client = back_end(&server);
    assert_eq!(write_all(&client, written..USERS, &AtomicBool::new(false)).await, USERS);
    receiver.wait(CHANGES * USERS).await;
    let accepted = receiver.accepted();
    assert_eq!(accepted.len(), USERS);
    for (user, ids) in &accepted {
        assert_eq!(&feed(&client, user).await, ids, "{user}: every change once, in the order of the feed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_1_000_users_are_followed_while_both_sides_crash_on_sqlite() {
    changes_of_1_000_users_are_followed_while_both_sides_crash(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_1_000_users_are_followed_while_both_sides_crash_on_postgres() {
    changes_of_1_000_users_are_followed_while_both_sides_crash(Engine::Postgres).await;
}
