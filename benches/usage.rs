//! Sums of the token usage of a user with 200,000 messages: `cargo bench --bench usage`.
//!
//! The server and its database are processes of their own on this machine, with their defaults. `SCROLLBACK_PROGRAM` names
//! another build of the server to measure.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::time::Instant;

use scrollback::clock::Clock;
use scrollback::model::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};

use it::harness::{Client, Cluster, Program, Running};

const CONVERSATIONS: usize = 400;
const MESSAGES: usize = 500;
const PER_APPEND: usize = 100;
const RUNS: usize = 40;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Messages are created now. This spreads them over a year.
const SPREAD: &str = "UPDATE message SET created_at = created_at - (position % 365) * 86400000000";

/// What is measured: the days of the period, and the groups.
const QUERIES: [(&str, i64, &[&str]); 4] = [
    ("a year, one sum", 366, &[]),
    ("a year by model and day", 366, &["MODEL", "DAY"]),
    ("a year by conversation", 366, &["CONVERSATION"]),
    ("30 days by model and day", 30, &["MODEL", "DAY"]),
];

#[tokio::main]
async fn main() {
    let query = "query | sums | p50 | p95";
    println!("| | {query} |\n|---|---|--:|--:|--:|");
    let program = Program::believing();
    let server = program.serve(&[]).await;
    let client = server.client("ada");
    fill(&client).await;
    let url = format!("sqlite://{}/data/scrollback.db", program.folder().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(SPREAD).execute(&mut connection).await.unwrap();
    drop(connection);
    measure("SQLite", &server).await;
    drop(server);

    let cluster = Cluster::start(&["max_wal_size=2GB"]);
    let url = cluster.create_database().await;
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", &url);
    let server = program.serve(&[]).await;
    fill(&server.client("ada")).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query(SPREAD).execute(&mut connection).await.unwrap();
    // As autovacuum does, only sooner.
    sqlx::query("VACUUM (ANALYZE) message").execute(&mut connection).await.unwrap();
    measure("PostgreSQL", &server).await;
}

/// Conversations whose messages all have a usage.
async fn fill(client: &Client) {
    let append =
        "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    let content = "The feed is read from the cursor that the client has seen last. ".repeat(8);
    for conversation in 0..CONVERSATIONS {
        let id = client.new_conversation().await;
        for start in (0..MESSAGES).step_by(PER_APPEND) {
            let message = |at: usize| {
                let number = conversation * MESSAGES + at;
                let usage = json!({ "inputTokens": 900 + number % 7919, "outputTokens": 100 + number % 997,
                    "totalTokens": 1000 + number % 7919 + number % 997, "cachedInputTokens": number % 613 });
                json!({ "role": "ASSISTANT", "content": content, "model": format!("model-{}", number % 5), "usage": usage })
            };
            let messages: Vec<Value> = (start..start + PER_APPEND).map(message).collect();
            let input = json!({ "conversationId": id, "messages": messages });
            client.data(append, json!({ "input": input })).await;
        }
    }
}

async fn measure(name: &str, server: &Running) {
    // The first token has expired if filling took long.
    let client = server.client("ada");
    let query = "query($since: DateTime!, $until: DateTime!, $groupBy: [UsageGroup!]) { viewer {
        usage(since: $since, until: $until, groupBy: $groupBy) { model day conversationId messageCount inputTokens outputTokens totalTokens } } }";
    for (label, days, groups) in QUERIES {
        let Timestamp(now) = Clock::system().now();
        let (since, until) = (Timestamp(now - days * DAY).to_string(), Timestamp(now + DAY).to_string());
        let variables = json!({ "since": since, "until": until, "groupBy": groups });
        let (mut times, mut sums) = (Vec::with_capacity(RUNS), 0);
        for _ in 0..RUNS {
            let begun = Instant::now();
            let data = client.data(query, variables.clone()).await;
            times.push(begun.elapsed());
            let usage = data["viewer"]["usage"].as_array().unwrap();
            sums = usage.len();
            let messages: i64 = usage.iter().map(|sum| sum["messageCount"].as_i64().unwrap()).sum();
            assert_eq!(messages == (CONVERSATIONS * MESSAGES) as i64, days > 365, "{messages}");
        }
        times.sort_unstable();
        let at = |percent: usize| format!("{:.0} ms", times[RUNS * percent / 100].as_secs_f64() * 1000.0);
        println!("| {name} | {label} | {sums} | {} | {} |", at(50), at(95));
    }
}
