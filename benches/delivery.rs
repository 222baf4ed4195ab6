//! Measures the delay between a commit and its delivery to subscribers: `cargo bench --bench delivery`, and
//! `-- --help` for its options.
//!
//! Users append to one conversation each, at a fixed rate in total, even if the server is slower. Each conversation has
//! subscribers over WebSockets. Each message must reach each of them, once and in order. Servers, databases and NATS are
//! separate processes on this machine with default settings: every commit is on disk. `SCROLLBACK_PROGRAM` is the path of
//! another build of the server to measure.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "load/cpu.rs"]
#[expect(dead_code, reason = "another benchmark uses the rest")]
mod cpu;
#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use it::harness::{APPEND, Client, Cluster, Nats, Program, Running, Socket};

/// Measures the delay of subscriptions.
#[derive(Parser)]
struct Options {
    /// Conversations, each of another user.
    #[arg(long, default_value_t = 10)]
    conversations: usize,
    /// Subscribers of each conversation.
    #[arg(long, default_value_t = 1)]
    followers: usize,
    /// Appended messages per second.
    #[arg(long, default_value_t = 200)]
    rate: usize,
    /// Replicas on PostgreSQL.
    #[arg(long, default_value_t = 2)]
    replicas: usize,
    /// Measured seconds, after two seconds of warm-up.
    #[arg(long, default_value_t = 20)]
    seconds: usize,
    /// Only PostgreSQL with several replicas.
    #[arg(long)]
    only_replicas: bool,
    /// Passed by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

const WARM_UP_SECONDS: usize = 2;

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position role content } }
}";

#[tokio::main]
async fn main() {
    let options = Options::parse();
    println!(
        "{} appends a second to {} conversations with {} subscribers each, {} seconds; milliseconds, CPU of the servers \
         and of PostgreSQL for a message\n",
        options.rate, options.conversations, options.followers, options.seconds
    );
    println!(
        "| | sent to answered, p50 | p99 | sent to received, p50 | p99 | answered to received, p50 | p99 | CPU, servers \
         | PostgreSQL |"
    );
    println!("|---|{}", "--:|".repeat(8));
    let sockets = (options.conversations * options.followers) as u64;
    rlimit::increase_nofile_limit(2 * sockets + 1_000).unwrap();
    if !options.only_replicas {
        let program = Program::believing();
        let one = [program.serve(&[]).await];
        measure("SQLite", &one, None, &options).await;
    }
    let cluster = Cluster::start(&[]);
    let postmaster = Some(cpu::postmaster(&cluster).await);
    let over = |database: String| Program::believing().with("SCROLLBACK_DATABASE_URL", database);
    if !options.only_replicas {
        let program = over(cluster.create_database().await);
        let one = [program.serve(&[]).await];
        measure("PostgreSQL, same replica", &one, postmaster, &options).await;
    }
    let program = over(cluster.create_database().await);
    let servers = serve(&program, options.replicas).await;
    measure("PostgreSQL, other replicas, LISTEN and NOTIFY", &servers, postmaster, &options).await;
    drop(servers);

    let nats = Nats::start();
    let program = over(cluster.create_database().await).with("SCROLLBACK_FEED_SIGNALS", nats.url());
    let servers = serve(&program, options.replicas).await;
    measure("PostgreSQL, other replicas, NATS", &servers, postmaster, &options).await;
}

async fn serve(program: &Program, replicas: usize) -> Vec<Running> {
    let mut servers = Vec::new();
    for _ in 0..replicas {
        servers.push(program.serve(&[]).await);
    }
    servers
}

/// Appends to each conversation on one of the servers, subscribes on the next ones in turn, and prints a line.
async fn measure(name: &str, servers: &[Running], postmaster: Option<u32>, options: &Options) {
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    let warm_up = WARM_UP_SECONDS * options.rate;
    let all = warm_up + options.seconds * options.rate;
    for user in 0..options.conversations {
        let client = servers[user % servers.len()].client(&format!("user-{user}"));
        let id = client.new_conversation().await;
        // From a cursor, so that no message is missed before the subscription starts.
        client.append(&id, "start").await;
        let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
        let data = client.data(query, json!({ "id": id })).await;
        let after = data["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
        for follower in 0..options.followers {
            let there = &servers[(user + 1 + follower) % servers.len()];
            let mut socket = Socket::open(&there.url).await;
            socket.introduce(client.token()).await;
            socket.subscribe("s", FOLLOW, json!({ "id": id, "after": after })).await;
            readers.push(read(socket, (user..all).step_by(options.conversations).count()));
        }
        writers.push((client, id));
    }
    let mut appends = JoinSet::new();
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(options.rate).unwrap());
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut before = [0; 2];
    for number in 0..all {
        tick.tick().await;
        if number == warm_up {
            before = processor_times(servers, postmaster);
        }
        let (client, id) = writers[number % options.conversations].clone();
        appends.spawn(async move { (number, append(client, id, number).await) });
    }
    let mut sent: Vec<Option<(Instant, Instant)>> = vec![None; all];
    while let Some(appended) = appends.join_next().await {
        let (number, times) = appended.unwrap();
        sent[number] = Some(times);
    }
    let after = processor_times(servers, postmaster);
    let mut lines: [Vec<f64>; 3] = Default::default();
    for (number, (sent, answered)) in sent.iter().map(|times| times.unwrap()).enumerate() {
        if number >= warm_up {
            lines[0].push(between(sent, answered));
        }
    }
    for reader in readers {
        for (number, received) in reader.await.unwrap() {
            let (sent, answered) = sent[number].unwrap();
            if number >= warm_up {
                lines[1].push(between(sent, received));
                lines[2].push(between(answered, received));
            }
        }
    }
    let columns = lines.map(|mut line| {
        line.sort_by(f64::total_cmp);
        let at = |hundredths: usize| line.get(line.len() * hundredths / 100).copied().unwrap_or(f64::NAN);
        format!("{:.1} | {:.1}", at(50), at(99))
    });
    let messages = (all - warm_up) as f64 * 1000.0;
    let used = [0, 1].map(|at| (after[at] - before[at]) as f64 / messages);
    println!("| {name} | {} | {:.2} | {:.2} |", columns.join(" | "), used[0], used[1]);
}

/// The CPU time so far of all servers and of PostgreSQL, in microseconds.
fn processor_times(servers: &[Running], postmaster: Option<u32>) -> [u64; 2] {
    let servers = servers.iter().map(|server| cpu::of(server.process())).sum();
    [servers, postmaster.map_or(0, cpu::of_family)]
}

/// Milliseconds. Negative if the second came first, for example if a message is received before the response
/// of its append.
fn between(first: Instant, second: Instant) -> f64 {
    let seconds = second.saturating_duration_since(first).as_secs_f64()
        - first.saturating_duration_since(second).as_secs_f64();
    seconds * 1000.0
}

/// The times at which an append was sent and answered.
async fn append(client: Client, conversation: String, number: usize) -> (Instant, Instant) {
    let content = format!("{number} {}", "A text of some length, as people write them. ".repeat(10));
    let input = json!({ "conversationId": conversation, "role": "USER", "content": content });
    let sent = Instant::now();
    client.data(APPEND, json!({ "input": input })).await;
    (sent, Instant::now())
}

/// The times at which messages were received.
fn read(mut socket: Socket, count: usize) -> JoinHandle<Vec<(usize, Instant)>> {
    tokio::spawn(async move {
        let mut received = Vec::new();
        while received.len() < count {
            let message: Value = socket.receive().await;
            let at = Instant::now();
            if message["type"] == "ping" {
                // The server disconnects silent clients.
                socket.send(json!({ "type": "pong" })).await;
                continue;
            }
            let node = &message["payload"]["data"]["messageAdded"]["node"];
            assert_eq!(node["position"], received.len() + 2, "each message, once and in order");
            let content = node["content"].as_str();
            let number = content.unwrap_or_else(|| panic!("{message}")).split(' ').next().unwrap();
            received.push((number.parse().unwrap(), at));
        }
        received
    })
}
