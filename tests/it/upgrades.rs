//! Databases of older versions: this version upgrades them, and what they have stays. Newer databases are refused, and an
//! upgrade that fails changes nothing.
//!
//! `tests/data/upgrade` has a folder for each version of the schema that is kept, by the number of its migrations.

mod failures;
mod fixture;
mod make;
mod rolling;
mod rules;

use serde_json::{Value, json};

use crate::harness::{Client, Engine, Running};
use fixture::Fixture;

/// What every version of the API can tell of a user.
const EVERYTHING: &str = "query($changes: String) {
  conversations(first: 30) { nodes {
    id title metadata createdAt updatedAt messageCount
    messages(first: 100) { nodes { id position role content metadata createdAt status } }
  } }
  changes(after: $changes, first: 100) { nodes { __typename cursor changedAt conversationId } endCursor }
}";

async fn everything(client: &Client) -> Value {
    client.data(EVERYTHING, json!({})).await
}

/// A conversation that goes on where it was.
async fn assert_it_goes_on(server: &Running, user: &str, known: &Value) {
    let client = server.client(user);
    for conversation in known["conversations"]["nodes"].as_array().unwrap() {
        let id = conversation["id"].as_str().unwrap();
        let query = "query($id: ID!) { conversation(id: $id) { messageCount
            messages(last: 1, includeDeleted: true) { nodes { position } } } }";
        let before = client.data(query, json!({ "id": id })).await;
        let appended = client.append(id, "later xylophone").await;
        let last = &before["conversation"]["messages"]["nodes"][0]["position"];
        assert!(appended["position"].as_i64() > last.as_i64(), "{user}: {appended} {before}");
        let after = client.data(query, json!({ "id": id })).await;
        assert_eq!(after["conversation"]["messages"]["nodes"][0]["position"], appended["position"]);
        let count = |data: &Value| data["conversation"]["messageCount"].as_i64().unwrap();
        assert_eq!(count(&after), count(&before) + 1);
    }
    // Old messages are found, and new ones.
    for word in ["zebra", "xylophone"] {
        let query = "query($word: String!) { searchMessages(query: $word) { nodes { id } } }";
        let found = client.data(query, json!({ "word": word })).await;
        assert!(!found["searchMessages"]["nodes"].as_array().unwrap().is_empty(), "{user}: {word}");
    }
    let changes = client.data(EVERYTHING, json!({ "changes": known["changes"]["endCursor"] })).await;
    let kinds = changes["changes"]["nodes"].as_array().unwrap();
    assert!(kinds.iter().all(|change| change["__typename"] == "MessageAdded"), "{changes}");
    assert_eq!(kinds.len(), known["conversations"]["nodes"].as_array().unwrap().len());
}

async fn every_older_database_is_upgraded(engine: Engine) {
    let fixtures = Fixture::all();
    assert!(fixtures.len() >= 3, "{fixtures:?}");
    for fixture in fixtures {
        let program = fixture.program(engine).await;
        let server = program.serve(&[]).await;
        for (user, known) in fixture.known() {
            assert_eq!(everything(&server.client(&user)).await, known, "{fixture:?}: {user}");
            assert_it_goes_on(&server, &user, &known).await;
        }
        server.terminate().await;
        let (status, log) = server.ended().await;
        assert!(status.success() && !log.contains("ERROR"), "{fixture:?}: {log}");
        let checked = program.printed(&["check"]).await;
        assert_eq!(checked.lines().last(), Some("sound"), "{fixture:?}: {checked}");
        let applied = program.printed(&["migrate", "status"]).await;
        assert!(applied.lines().all(|line| line.starts_with("applied ")), "{applied}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_older_database_is_upgraded_on_sqlite() {
    every_older_database_is_upgraded(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_older_database_is_upgraded_on_postgres() {
    every_older_database_is_upgraded(Engine::Postgres).await;
}
