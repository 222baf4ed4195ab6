//! Windows of a conversation with 10,000 messages: `cargo bench --bench context`.
//!
//! The server and its database are processes of their own on this machine, with their defaults. `SCROLLBACK_PROGRAM` names
//! another build of the server to measure.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use it::harness::{Client, Cluster, Program, Running};

const MESSAGES: usize = 10_000;
const MAX_TOKENS: i64 = 8000;
const RUNS: usize = 500;

const SENTENCES: [&str; 6] = [
    "The feed is read from the cursor that the client has seen last, in pages of at most a hundred changes. ",
    "If two writers append at the same time, both positions are given under the lock of the conversation's row. ",
    "Das Ergebnis hängt nicht davon ab, welche der beiden Datenbanken verwendet wird. ",
    "```rust\nfn span(after: i64, upto: i64) -> i64 {\n    upto.saturating_sub(after)\n}\n```\n",
    "1. Open the settings. 2. Choose a project. 3. Press \"Export\" and wait for the mail. ",
    "それぞれの会話には所有者が一人だけいます。 ",
];

#[tokio::main]
async fn main() {
    println!("| | messages a second that are counted | p50 | p95 | p99 | with `omitted`: p50 | p95 | p99 |");
    println!("|---|{}", "--:|".repeat(7));
    let program = Program::believing();
    measure("SQLite", &program.serve(&[]).await).await;
    let cluster = Cluster::start(&[]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", cluster.create_database().await);
    measure("PostgreSQL", &program.serve(&[]).await).await;
}

async fn measure(name: &str, server: &Running) {
    let client = server.client("ada");
    let conversation = fill(&client).await;
    let omitted = "omitted { messageCount tokenCount ranges { first last } }";
    let first = window(&client, &conversation, omitted).await;
    let counted = MESSAGES as f64 / first.as_secs_f64();
    let [alone, with_omitted] =
        [times(&client, &conversation, "").await, times(&client, &conversation, omitted).await];
    println!("| {name} | {counted:.0} | {alone} | {with_omitted} |");
}

/// A conversation of messages as people and models write them.
async fn fill(client: &Client) -> String {
    let conversation = client.new_conversation().await;
    let append =
        "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    for start in (0..MESSAGES).step_by(100) {
        let message = |at: usize| {
            let role = match at {
                0 => "SYSTEM",
                _ if at % 2 == 1 => "USER",
                _ => "ASSISTANT",
            };
            let sentences = if role == "ASSISTANT" { 6 } else { 2 };
            let content: String =
                (0..sentences).map(|sentence| SENTENCES[(at / 2 + sentence) % SENTENCES.len()]).collect();
            json!({ "role": role, "content": content })
        };
        let messages: Vec<Value> = (start..start + 100).map(message).collect();
        client
            .data(append, json!({ "input": { "conversationId": conversation, "messages": messages } }))
            .await;
    }
    conversation
}

async fn window(client: &Client, conversation: &str, more: &str) -> Duration {
    let query = format!(
        "query($id: ID!, $max: Int!) {{ conversation(id: $id) {{ context(maxTokens: $max) {{ \
         messages {{ id role content }} tokenCount {more} }} }} }}"
    );
    let begun = Instant::now();
    let data = client.data(&query, json!({ "id": conversation, "max": MAX_TOKENS })).await;
    let time = begun.elapsed();
    let tokens = data["conversation"]["context"]["tokenCount"].as_i64().unwrap();
    assert!((MAX_TOKENS * 9 / 10..=MAX_TOKENS).contains(&tokens), "{tokens}");
    time
}

/// Percentiles in milliseconds.
async fn times(client: &Client, conversation: &str, more: &str) -> String {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        times.push(window(client, conversation, more).await);
    }
    times.sort_unstable();
    let at = |percent: usize| format!("{:.1} ms", times[RUNS * percent / 100].as_secs_f64() * 1000.0);
    [50, 95, 99].map(at).join(" | ")
}
