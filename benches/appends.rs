//! Durable appends a second, how long each takes and what it costs: `cargo bench --bench appends`.
//!
//! Some clients append to random conversations of theirs, each as soon as the one before is answered, over
//! HTTP, to servers and a PostgreSQL that are processes of their own on this machine. Every commit is on
//! disk before it is answered. Other programs to compare with are given by name,
//! `cargo bench --bench appends -- before=/path/to/scrollback`: all take turns, round after round, and the
//! medians are shown. `this=` is another one in the place of this. `seconds=` and `rounds=` make it longer,
//! `clients=` and `engines=` narrower. One whose name is `fenced` is behind PostgreSQL's row-level security:
//! `engines=PostgreSQL fenced=target/release/scrollback` measures what that costs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use it::harness::{APPEND, Client, Cluster, SECRET, token};

const USERS: usize = 50;
const CONVERSATIONS: usize = 10;

struct Options {
    programs: Vec<(String, PathBuf)>,
    seconds: u64,
    rounds: usize,
    clients: Vec<usize>,
    engines: Vec<String>,
}

fn options() -> Options {
    let mut options = Options {
        programs: vec![("this".into(), env!("CARGO_BIN_EXE_scrollback").into())],
        seconds: 3,
        rounds: 3,
        clients: vec![1, 16, 64, 256],
        engines: vec!["PostgreSQL".into(), "SQLite".into()],
    };
    for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with('-')) {
        let (name, value) = argument.split_once('=').expect("name=value");
        match name {
            "seconds" => options.seconds = value.parse().unwrap(),
            "rounds" => options.rounds = value.parse().unwrap(),
            "clients" => options.clients = value.split(',').map(|n| n.parse().unwrap()).collect(),
            "engines" => options.engines = value.split(',').map(ToOwned::to_owned).collect(),
            "this" => options.programs[0].1 = value.into(),
            _ => options.programs.push((name.into(), value.into())),
        }
    }
    options
}

/// A server, and requests that append to each of its conversations.
struct Server {
    _folder: TempDir,
    child: Child,
    address: String,
    requests: Arc<Vec<Vec<u8>>>,
}

impl Server {
    async fn start(program: &PathBuf, database: Option<String>, is_fenced: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command
            .args(["--listen", "127.0.0.1:0"])
            .env("SCROLLBACK_AUTH_JWT_SECRET", SECRET)
            .env("SCROLLBACK_LOG_LEVEL", "warn")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(url) = database {
            command.env("SCROLLBACK_DATABASE_URL", url);
        }
        if is_fenced {
            command.env("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", "on");
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("a line");
        let url = line.split_whitespace().last().unwrap().trim_end_matches("/graphql").to_owned();
        let address = url.trim_start_matches("http://").to_owned();
        let mut requests = Vec::new();
        for user in 0..USERS {
            let token = token(&format!("user-{user}"), Duration::from_secs(3600));
            let client = Client::new(&url, Some(token.clone()));
            for _ in 0..CONVERSATIONS {
                let id = client.new_conversation().await;
                requests.push(request(&address, &token, &id));
            }
        }
        Self { _folder: folder, child, address, requests: Arc::new(requests) }
    }
}

/// An append as it travels.
fn request(address: &str, token: &str, conversation: &str) -> Vec<u8> {
    let content = "A text of some length, as people write them. ".repeat(7);
    let input = json!({ "conversationId": conversation, "role": "USER", "content": content });
    let body = json!({ "query": APPEND, "variables": { "input": input } }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Appends until a time; how long each took, in microseconds.
async fn append(address: String, requests: Arc<Vec<Vec<u8>>>, until: Instant) -> Vec<u32> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = Vec::new();
    let mut took = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        let request = &requests[rand::rng().random_range(0..requests.len())];
        stream.write_all(request).await.unwrap();
        answer.clear();
        while !is_whole(&answer) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the server hung up");
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 200") && !text.contains("\"errors\""), "{text}");
        took.push(begun.elapsed().as_micros() as u32);
    }
    took
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    answer.len() >= end + 4 + length.trim().parse::<usize>().unwrap()
}

/// CPU that a process has taken, in microseconds; with its children, those that ended included.
fn cpu(process: u32) -> u64 {
    let times = |process: u32| -> Option<(u64, u64, u32)> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Some((ticks(11) + ticks(12), ticks(13) + ticks(14), fields[1].parse().unwrap()))
    };
    let (own, ended, _) = times(process).unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter_map(times).filter(|(.., parent)| *parent == process);
    // A tick is 10 ms.
    (own + ended + children.map(|(own, ..)| own).sum::<u64>()) * 10_000
}

/// The process that all of a cluster's are children of.
async fn postmaster(cluster: &Cluster) -> u32 {
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let backend: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    let stat = fs::read_to_string(format!("/proc/{backend}/stat")).unwrap();
    stat[stat.rfind(')').unwrap() + 2..].split(' ').nth(1).unwrap().parse().unwrap()
}

/// Appends a second, p50 and p99 in milliseconds, CPU of the server and of PostgreSQL an append in
/// microseconds.
async fn measure(server: &Server, postgres: Option<u32>, clients: usize, seconds: u64) -> [f64; 5] {
    let id = server.child.id().unwrap();
    let before = (cpu(id), postgres.map_or(0, cpu));
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for _ in 0..clients {
        running.spawn(append(server.address.clone(), server.requests.clone(), until));
    }
    let mut took: Vec<u32> = running.join_all().await.into_iter().flatten().collect();
    let elapsed = begun.elapsed().as_secs_f64();
    let after = (cpu(id), postgres.map_or(0, cpu));
    took.sort_unstable();
    let count = took.len() as f64;
    let at = |part: usize| f64::from(took[took.len() * part / 100]) / 1000.0;
    let each = |before: u64, after: u64| (after - before) as f64 / count;
    [count / elapsed, at(50), at(99), each(before.0, after.0), each(before.1, after.1)]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = options();
    println!("{} rounds of {} s each; medians", options.rounds, options.seconds);
    for engine in &options.engines {
        let cluster = (engine == "PostgreSQL").then(|| Cluster::start(&["max_wal_size=4GB"]));
        let postgres = match &cluster {
            Some(cluster) => Some(postmaster(cluster).await),
            None => None,
        };
        let mut servers = Vec::new();
        for (name, program) in &options.programs {
            let is_fenced = name == "fenced" && cluster.is_some();
            let database = match &cluster {
                Some(cluster) if is_fenced => Some(cluster.create_database_of_a_plain_role().await),
                Some(cluster) => Some(cluster.create_database().await),
                None => None,
            };
            servers.push((name, Server::start(program, database, is_fenced).await));
        }
        let mut found: BTreeMap<(usize, usize), Vec<[f64; 5]>> = BTreeMap::new();
        for _ in 0..options.rounds {
            for clients in &options.clients {
                for (nth, (_, server)) in servers.iter().enumerate() {
                    let figures = measure(server, postgres, *clients, options.seconds).await;
                    found.entry((*clients, nth)).or_default().push(figures);
                }
            }
        }
        println!("\n| {engine} | clients | appends/s | p50 ms | p99 ms | server µs | database µs |");
        println!("|---|--:|--:|--:|--:|--:|--:|");
        for ((clients, nth), rounds) in found {
            let median = |at: usize| {
                let mut column: Vec<f64> = rounds.iter().map(|figures| figures[at]).collect();
                column.sort_by(f64::total_cmp);
                column[column.len() / 2]
            };
            let [rate, p50, p99, server, database] = std::array::from_fn(median);
            let name = servers[nth].0;
            println!(
                "| {name} | {clients} | {rate:.0} | {p50:.2} | {p99:.1} | {server:.0} | {database:.0} |"
            );
        }
    }
}
