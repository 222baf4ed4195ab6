//! Measures the delay between a commit and its delivery to a subscriber: `cargo bench --bench delivery`.
//!
//! Ten users append to one conversation each, 200 messages per second in total, even if the server is slower.
//! Each conversation has a subscriber over a WebSocket. Servers, databases and NATS are separate processes on
//! this machine with default settings: every commit is on disk.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use it::harness::{APPEND, Client, Cluster, Nats, Program, Running, Socket};

const USERS: usize = 10;
const PER_SECOND: usize = 200;
const WARM_UP: usize = 2 * PER_SECOND;
const MEASURED: usize = 20 * PER_SECOND;

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position role content } }
}";

#[tokio::main]
async fn main() {
    println!("{PER_SECOND} appends a second, {USERS} conversations, {MEASURED} messages; milliseconds\n");
    println!(
        "| | sent to answered, p50 | p99 | sent to received, p50 | p99 | answered to received, p50 | p99 |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let program = Program::believing();
    let one = program.serve(&[]).await;
    measure("SQLite", &one, &one).await;
    drop((one, program));

    let cluster = Cluster::start(&[]);
    let over = |database: String| Program::believing().with("SCROLLBACK_DATABASE_URL", database);
    let program = over(cluster.create_database().await);
    let (one, two) = (program.serve(&[]).await, program.serve(&[]).await);
    measure("PostgreSQL, same replica", &one, &one).await;
    measure("PostgreSQL, another replica, LISTEN and NOTIFY", &one, &two).await;
    drop((one, two));

    let nats = Nats::start();
    let program = over(cluster.create_database().await).with("SCROLLBACK_FEED_SIGNALS", nats.url());
    let (one, two) = (program.serve(&[]).await, program.serve(&[]).await);
    measure("PostgreSQL, another replica, NATS", &one, &two).await;
}

/// Appends on one server, subscribes on the other, and prints a line.
async fn measure(name: &str, here: &Running, there: &Running) {
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    let all = WARM_UP + MEASURED;
    for user in 0..USERS {
        let client = here.client(&format!("user-{user}"));
        let id = client.new_conversation().await;
        // From a cursor, so that no message is missed before the subscription starts.
        client.append(&id, "start").await;
        let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
        let data = client.data(query, json!({ "id": id })).await;
        let after = data["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
        let mut socket = Socket::open(&there.url).await;
        socket.introduce(client.token()).await;
        socket.subscribe("s", FOLLOW, json!({ "id": id, "after": after })).await;
        readers.push(read(socket, (user..all).step_by(USERS).count()));
        writers.push((client, id));
    }
    let mut appends = JoinSet::new();
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..all {
        tick.tick().await;
        let (client, id) = writers[number % USERS].clone();
        appends.spawn(async move { (number, append(client, id, number).await) });
    }
    let mut sent: Vec<Option<(Instant, Instant)>> = vec![None; all];
    while let Some(appended) = appends.join_next().await {
        let (number, times) = appended.unwrap();
        sent[number] = Some(times);
    }
    let mut lines: [Vec<f64>; 3] = Default::default();
    for reader in readers {
        for (number, received) in reader.await.unwrap() {
            let (sent, answered) = sent[number].unwrap();
            if number >= WARM_UP {
                let times = [between(sent, answered), between(sent, received), between(answered, received)];
                lines.iter_mut().zip(times).for_each(|(line, time)| line.push(time));
            }
        }
    }
    let columns = lines.map(|mut line| {
        assert_eq!(line.len(), MEASURED, "every message was received once");
        line.sort_by(f64::total_cmp);
        format!("{:.1} | {:.1}", line[MEASURED / 2], line[MEASURED * 99 / 100])
    });
    println!("| {name} | {} |", columns.join(" | "));
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
            let content = message["payload"]["data"]["messageAdded"]["node"]["content"].as_str();
            let number = content.unwrap_or_else(|| panic!("{message}")).split(' ').next().unwrap();
            received.push((number.parse().unwrap(), at));
        }
        received
    })
}
