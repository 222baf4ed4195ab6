//! A user with 5,000 conversations keeps order: through the API and the command line, with kills in the middle.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, Engine, Program, TIMEOUT};

const CONVERSATIONS: u128 = 5000;
const AT_ONCE: usize = 16;

/// What the user wants of the conversation with a number.
struct Wanted {
    id: String,
    label: &'static str,
    pinned: bool,
    archived: bool,
    trashed: bool,
    unread: bool,
}

fn wanted(number: u128) -> Wanted {
    Wanted {
        id: Uuid::from_u128((0x0197_a1b2_c3d4_7e5f_8a6b << 48) + number).to_string(),
        label: ["Work", "Home", "Travel"][(number % 3) as usize],
        pinned: number.is_multiple_of(100),
        archived: number % 4 == 1,
        trashed: number % 10 == 2,
        unread: number.is_multiple_of(7),
    }
}

/// Writes a conversation and puts it in order. A repeat changes nothing.
async fn write(client: &Client, number: u128) -> Option<()> {
    let Wanted { id, label, pinned, archived, trashed, unread } = wanted(number);
    let role = if unread { "ASSISTANT" } else { "USER" };
    let mut messages = vec![json!({ "role": "USER", "content": format!("question {number}") })];
    messages.push(json!({ "role": role, "content": format!("answer {number}") }));
    let input = json!({ "id": id, "title": format!("conversation {number}"), "messages": messages });
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    client.attempt(create, json!({ "input": input })).await?;
    let input = json!({ "id": id, "pinned": pinned, "archived": archived, "addLabels": [label] });
    let update = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }";
    client.attempt(update, json!({ "input": input })).await?;
    if trashed {
        let trash = "mutation($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }";
        client.attempt(trash, json!({ "id": id })).await?;
    }
    Some(())
}

/// How many conversations are written, until one fails.
async fn write_all(client: &Client, numbers: impl Iterator<Item = u128>) -> usize {
    let mut written = stream::iter(numbers).map(|number| write(client, number)).buffer_unordered(AT_ONCE);
    let mut count = 0;
    while let Some(Some(())) = written.next().await {
        count += 1;
    }
    count
}

/// The number of conversations of a list, read in pages.
async fn count(client: &Client, filter: Value) -> usize {
    let query = "query($filter: ConversationFilter, $after: String) { conversations(first: 100, after: $after, filter: $filter) {
        nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut found, mut after) = (0, Value::Null);
    loop {
        let data = client.data(query, json!({ "filter": filter, "after": after })).await;
        let page = &data["conversations"];
        found += page["nodes"].as_array().unwrap().len();
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
    }
}

/// How often each kind of change is in the feed.
async fn changes(client: &Client) -> BTreeMap<String, usize> {
    let query = "query($after: String) { changes(first: 100, after: $after) { nodes { __typename } hasNextPage endCursor } }";
    let (mut found, mut after) = (BTreeMap::new(), Value::Null);
    loop {
        let data = client.data(query, json!({ "after": after })).await;
        for node in data["changes"]["nodes"].as_array().unwrap() {
            *found.entry(node["__typename"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        after = data["changes"]["endCursor"].clone();
        if data["changes"]["hasNextPage"] == false {
            return found;
        }
    }
}

async fn a_heavy_user_keeps_order(engine: Engine) {
    let program = Program::over(engine).await.with("SCROLLBACK_RETENTION_TRASH", "0s");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    // The server is killed in the middle. Everything is done again, and nothing is doubled.
    let half = tokio::spawn({
        let ada = ada.clone();
        async move { write_all(&ada, 0..CONVERSATIONS).await }
    });
    let some = async {
        while ada
            .attempt("{ viewer { conversationCount } }", json!({}))
            .await
            .is_none_or(|data| data["viewer"]["conversationCount"].as_i64() < Some(300))
        {}
    };
    tokio::time::timeout(4 * TIMEOUT, some).await.unwrap();
    server.kill().await;
    assert!(half.await.unwrap() < CONVERSATIONS as usize, "it was killed too late to say anything");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    assert_eq!(write_all(&ada, 0..CONVERSATIONS).await, CONVERSATIONS as usize);
    let all: Vec<Wanted> = (0..CONVERSATIONS).map(wanted).collect();
    let expect = |condition: &dyn Fn(&Wanted) -> bool| all.iter().filter(|one| condition(one)).count();
    let trashed = expect(&|one| one.trashed);
    for (filter, expected) in [
        (Value::Null, expect(&|one| !one.archived && !one.trashed)),
        (json!({ "archived": true }), expect(&|one| one.archived && !one.trashed)),
        (json!({ "archived": null }), expect(&|one| !one.trashed)),
        (json!({ "trashed": true }), trashed),
        (json!({ "pinned": true }), expect(&|one| one.pinned && !one.archived && !one.trashed)),
        (
            json!({ "label": "work", "unread": true, "archived": null }),
            expect(&|one| one.label == "Work" && one.unread && !one.trashed),
        ),
        (json!({ "query": "answer", "archived": null }), expect(&|one| !one.trashed)),
    ] {
        assert_eq!(count(&ada, filter.clone()).await, expected, "{filter}");
    }
    let data = ada
        .data(
            "{ labels { label conversationCount } viewer { conversationCount unreadConversationCount } }",
            json!({}),
        )
        .await;
    let labels: Vec<_> = ["Home", "Travel", "Work"]
        .iter()
        .map(|label| json!({ "label": label, "conversationCount": expect(&|one| one.label == *label && !one.trashed) }))
        .collect();
    assert_eq!(data["labels"], json!(labels));
    let viewer = json!({
        "conversationCount": expect(&|one| !one.trashed),
        "unreadConversationCount": expect(&|one| one.unread && !one.archived && !one.trashed),
    });
    assert_eq!(data["viewer"], viewer);
    // The trash is emptied by a command that is killed in the middle.
    let mut command = program.command(&["retention"]).spawn().unwrap();
    let in_trash = async || count(&ada, json!({ "trashed": true })).await;
    let begun = async { while in_trash().await == trashed {} };
    tokio::time::timeout(TIMEOUT, begun).await.unwrap();
    command.kill().await.unwrap();
    let left = in_trash().await;
    assert!(left > 0, "it was killed too late to say anything");
    assert_eq!(
        ada.data("{ viewer { conversationCount } }", json!({})).await["viewer"]["conversationCount"],
        viewer["conversationCount"]
    );
    program.printed(&["retention"]).await;
    assert_eq!(in_trash().await, 0);
    let told = changes(&ada).await;
    assert_eq!(told["ConversationCreated"], CONVERSATIONS as usize);
    assert_eq!(told["ConversationDeleted"], trashed);
    assert_eq!(told["ConversationUpdated"], CONVERSATIONS as usize + trashed, "each once");
    assert_eq!(
        count(&ada, json!({ "archived": null, "trashed": null })).await,
        CONVERSATIONS as usize - trashed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heavy_user_keeps_order_on_sqlite() {
    a_heavy_user_keeps_order(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heavy_user_keeps_order_on_postgres() {
    a_heavy_user_keeps_order(Engine::Postgres).await;
}
