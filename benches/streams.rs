//! Measures many concurrent streaming messages: `cargo bench --bench streams`, and `-- --help` for its
//! options.
//!
//! Every message belongs to a different user. Its writer has a chunk ready at fixed times, even if the server
//! is slower, and sends one chunk after the other. Its readers subscribe over WebSockets. Every chunk must
//! reach every reader, once and in order. The server and its database are separate processes on this machine
//! with default settings: every commit is on disk. `SCROLLBACK_PROGRAM` is the path of another build of the
//! server to measure.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use it::harness::{APPEND, APPEND_TEXT, Client, Cluster, FINISH, Program, Running, Socket};

/// Measures streaming messages.
#[derive(Parser, Clone)]
struct Options {
    /// Concurrent streaming messages.
    #[arg(long, default_value_t = 100)]
    answers: u32,
    /// Chunks per second of each message.
    #[arg(long, default_value_t = 20)]
    pieces: u32,
    /// Readers of each message.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// Measured seconds, after two seconds of warm-up.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// One database instead of both.
    #[arg(long)]
    engine: Option<Engine>,
    /// Passed by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

const WARM_UP: Duration = Duration::from_secs(2);

/// Code points of a chunk: a few words.
const CHUNK_CODE_POINTS: usize = 24;

const FOLLOW: &str = "subscription($id: ID!) { messageText(messageId: $id) { offset text status } }";

#[tokio::main]
async fn main() {
    let options = Options::parse();
    println!(
        "{} answers, {} pieces a second each, {} readers each, {} seconds; milliseconds\n",
        options.answers, options.pieces, options.readers, options.seconds
    );
    println!(
        "| | pieces a second | wanted | refused | sent to acknowledged, p50 | p99 | acknowledged to received, p50 \
         | p99 | due to received, p50 | p99 | server: cores | CPU a piece | peak MiB | this load: cores |"
    );
    println!("|---|{}", "--:|".repeat(13));
    if options.engine != Some(Engine::Postgres) {
        let program = Program::believing();
        measure("SQLite", &program.serve(&[]).await, &options).await;
    }
    if options.engine != Some(Engine::Sqlite) {
        let cluster = Cluster::start(&[]);
        let database = cluster.create_database().await;
        let program = Program::believing().with("SCROLLBACK_DATABASE_URL", database);
        measure("PostgreSQL", &program.serve(&[]).await, &options).await;
    }
}

/// The times at which a chunk was due, sent and acknowledged.
#[derive(Clone, Copy)]
struct Sent {
    due: Instant,
    sent: Instant,
    acknowledged: Instant,
    /// How often it was rejected.
    refused: usize,
}

/// Runs the measurement and prints a line.
async fn measure(name: &str, server: &Running, options: &Options) {
    let mut prepared = Vec::new();
    for user in 0..options.answers {
        let client = server.client(&format!("user-{user}"));
        let conversation = client.new_conversation().await;
        let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING" });
        let data = client.data(APPEND, json!({ "input": input })).await;
        let id = data["appendMessage"]["message"]["id"].clone();
        let mut readers = Vec::new();
        for _ in 0..options.readers {
            let mut socket = Socket::open(&server.url).await;
            socket.introduce(client.token()).await;
            socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
            socket.settle().await;
            readers.push(tokio::spawn(read(socket)));
        }
        prepared.push((client, id, readers));
    }
    let start = Instant::now() + Duration::from_millis(100);
    let from = start + WARM_UP;
    let until = from + Duration::from_secs(options.seconds);
    let mut answers: Vec<(JoinHandle<Vec<Sent>>, _)> = Vec::new();
    for (number, (client, id, readers)) in (0..).zip(prepared) {
        // Spreads the starts.
        let every = Duration::from_secs(1) / options.pieces;
        let first = start + every * number / options.answers;
        answers.push((tokio::spawn(write(client, id, first, every, until)), readers));
    }
    sleep_until(from.into()).await;
    let before = [server.process(), std::process::id()].map(cpu_time);
    sleep_until(until.into()).await;
    let used = [server.process(), std::process::id()].map(cpu_time);
    let cores = [0, 1].map(|at| (used[at] - before[at]).as_secs_f64() / options.seconds as f64);

    let (mut count, mut refused) = (0_usize, 0);
    let mut times: [Vec<f64>; 3] = Default::default();
    for (writer, readers) in answers {
        let pieces = writer.await.unwrap();
        let counted = |piece: &Sent| piece.acknowledged >= from && piece.acknowledged < until;
        count += pieces.iter().filter(|piece| counted(piece)).count();
        refused += pieces.iter().map(|piece| piece.refused).sum::<usize>();
        times[0]
            .extend(pieces.iter().filter(|piece| counted(piece)).map(|it| between(it.sent, it.acknowledged)));
        for reader in readers {
            let received = reader.await.unwrap();
            assert_eq!(received.len(), pieces.len(), "{name}: every piece was received");
            for (piece, received) in pieces.iter().zip(received).filter(|(piece, _)| counted(piece)) {
                times[1].push(between(piece.acknowledged, received));
                times[2].push(between(piece.due, received));
            }
        }
    }
    let mut line = format!("| {name} | {:.0} | ", count as f64 / options.seconds as f64);
    write!(line, "{} | {refused}", options.answers * options.pieces).unwrap();
    for mut times in times {
        times.sort_by(f64::total_cmp);
        write!(line, " | {:.1} | {:.1}", times[times.len() / 2], times[times.len() * 99 / 100]).unwrap();
    }
    let per_piece = cores[0] * 1000.0 * options.seconds as f64 / count as f64;
    let peak = server.peak_memory() / (1024 * 1024);
    println!("{line} | {:.2} | {per_piece:.2} | {peak} | {:.2} |", cores[0], cores[1]);
}

/// The text of a chunk, unique within its message.
fn piece(number: usize) -> String {
    let text = format!("{number:06} and what it says ");
    assert_eq!(text.chars().count(), CHUNK_CODE_POINTS);
    text
}

/// Sends chunks as they become due, one after the other, and ends the message.
async fn write(client: Client, id: Value, first: Instant, every: Duration, until: Instant) -> Vec<Sent> {
    let mut pieces = Vec::new();
    let mut due = first;
    while due < until && Instant::now() < until {
        sleep_until(due.into()).await;
        let variables =
            json!({ "id": id, "offset": pieces.len() * CHUNK_CODE_POINTS, "text": piece(pieces.len()) });
        let sent = Instant::now();
        let mut refused = 0;
        let length = loop {
            match client.outcome(APPEND_TEXT, variables.clone()).await {
                Some(outcome) => break outcome.unwrap()["appendMessageText"]["length"].clone(),
                None => refused += 1,
            }
            sleep(Duration::from_millis(20)).await;
        };
        let acknowledged = Instant::now();
        pieces.push(Sent { due, sent, acknowledged, refused });
        assert_eq!(length, pieces.len() * CHUNK_CODE_POINTS, "every piece is there, and nothing else");
        due += every;
    }
    client.retry(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
    pieces
}

/// The times at which chunks were received. They must arrive in order, each once, until the message ends.
async fn read(mut socket: Socket) -> Vec<Instant> {
    let mut received = Vec::new();
    loop {
        let message = socket.receive().await;
        let at = Instant::now();
        if message["type"] == "ping" {
            // The server disconnects silent clients.
            socket.send(json!({ "type": "pong" })).await;
            continue;
        }
        let chunk = &message["payload"]["data"]["messageText"];
        let text = chunk["text"].as_str().unwrap_or_else(|| panic!("{message}"));
        assert_eq!(chunk["offset"], received.len() * CHUNK_CODE_POINTS, "a piece is missing, or came twice");
        let count = text.len() / CHUNK_CODE_POINTS;
        let expected: String = (received.len()..received.len() + count).map(piece).collect();
        assert_eq!(text, expected, "another text than was sent");
        received.extend([at].repeat(count));
        if chunk["status"] != "STREAMING" {
            assert_eq!(chunk["status"], "COMPLETE");
            return received;
        }
    }
}

/// Milliseconds. Negative if the second came first, for example if a chunk is received before its
/// acknowledgement.
fn between(first: Instant, second: Instant) -> f64 {
    let seconds = second.saturating_duration_since(first).as_secs_f64()
        - first.saturating_duration_since(second).as_secs_f64();
    seconds * 1000.0
}

/// The CPU time of a process so far, in user and kernel mode.
fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    // Linux counts hundredths of a second here.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}
