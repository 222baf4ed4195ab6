//! Lists and counts of a user with 5,000 conversations: `cargo bench --bench lists`.
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

use serde_json::{Value, json};

use it::harness::{Client, Cluster, Program, Running};

const CONVERSATIONS: usize = 5000;
const OTHER_USERS: usize = 20;
const RUNS: usize = 300;

const CREATE: &str = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
const UPDATE: &str = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }";
const TRASH: &str = "mutation($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }";

const LIST: &str = "query($filter: ConversationFilter, $after: String, $order: ConversationOrder) {
  conversations(first: 20, after: $after, filter: $filter, orderBy: $order) {
    nodes { id title labels pinnedAt unreadCount updatedAt } pageInfo { endCursor hasNextPage } } }";

#[tokio::main]
async fn main() {
    println!("| 5,000 conversations | SQLite: p50 | p95 | PostgreSQL: p50 | p95 |");
    println!("|---|--:|--:|--:|--:|");
    let program = Program::believing();
    let sqlite = measure(&program.serve(&[]).await).await;
    let cluster = Cluster::start(&[]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", cluster.create_database().await);
    let postgres = measure(&program.serve(&[]).await).await;
    for ((name, sqlite), (_, postgres)) in sqlite.iter().zip(&postgres) {
        println!("| {name} | {sqlite} | {postgres} |");
    }
}

async fn measure(server: &Running) -> Vec<(&'static str, String)> {
    for user in 0..OTHER_USERS {
        fill(&server.client(&format!("user {user}")), CONVERSATIONS / OTHER_USERS).await;
    }
    let ada = server.client("ada");
    fill(&ada, CONVERSATIONS).await;
    let mut found = Vec::new();
    for (name, filter) in [
        ("a page of the default list", Value::Null),
        ("unread", json!({ "unread": true })),
        ("read", json!({ "unread": false })),
        ("a label that half have", json!({ "label": "half" })),
        ("a label that five have", json!({ "label": "RARE" })),
        ("pinned", json!({ "pinned": true })),
        ("archived", json!({ "archived": true })),
        ("archived or not", json!({ "archived": null })),
        ("in the trash", json!({ "trashed": true })),
        ("label, unread, not pinned", json!({ "label": "half", "unread": true, "pinned": false })),
        ("title", json!({ "titleContains": "number 4" })),
    ] {
        found.push((name, times(&ada, LIST, json!({ "filter": filter })).await));
    }
    let deep = cursor(&ada, 50).await;
    found.push(("the default list after 1,000", times(&ada, LIST, json!({ "after": deep })).await));
    let created = json!({ "order": { "field": "CREATED_AT", "direction": "DESC" } });
    found.push(("by time of creation", times(&ada, LIST, created).await));
    for (name, query) in [
        ("`labels`", "{ labels { label conversationCount } }"),
        ("`viewer.unreadConversationCount`", "{ viewer { unreadConversationCount } }"),
        ("`viewer.conversationCount`", "{ viewer { conversationCount } }"),
    ] {
        found.push((name, times(&ada, query, json!({})).await));
    }
    found
}

/// Of ten conversations one is in the trash, two are archived, half are labelled, a third unread.
async fn fill(client: &Client, conversations: usize) {
    for number in 0..conversations {
        let role = if number % 3 == 0 { "ASSISTANT" } else { "USER" };
        let messages = json!([{ "role": role, "content": "hello" }]);
        let input = json!({ "title": format!("conversation number {number}"), "messages": messages });
        let data = client.data(CREATE, json!({ "input": input })).await;
        let id = data["createConversation"]["conversation"]["id"].clone();
        let labels: Vec<&str> = [("half", 2), ("tenth", 10), ("rare", 1000)]
            .into_iter()
            .filter_map(|(label, of)| (number % of == 1).then_some(label))
            .collect();
        let (pinned, archived) = (number % 200 == 0, number % 5 == 2);
        if pinned || archived || !labels.is_empty() {
            let input = json!({ "id": id, "pinned": pinned, "archived": archived, "labels": labels });
            client.data(UPDATE, json!({ "input": input })).await;
        }
        if number % 10 == 9 {
            client.data(TRASH, json!({ "id": id })).await;
        }
    }
}

/// The cursor after some pages of the default list.
async fn cursor(client: &Client, pages: usize) -> Value {
    let mut after = Value::Null;
    for _ in 0..pages {
        let data = client.data(LIST, json!({ "after": after })).await;
        after = data["conversations"]["pageInfo"]["endCursor"].clone();
    }
    after
}

/// Percentiles in milliseconds.
async fn times(client: &Client, query: &str, variables: Value) -> String {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = Instant::now();
        client.data(query, variables.clone()).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| format!("{:.1} ms", times[RUNS * percent / 100].as_secs_f64() * 1000.0);
    [50, 95].map(at).join(" | ")
}
