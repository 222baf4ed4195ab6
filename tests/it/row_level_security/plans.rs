//! The owners are set within the statement itself and take effect before any row is read, whatever plan
//! PostgreSQL chooses.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::everything;
use crate::harness::{Client, Engine, TestApp, shared_cluster};

/// Ways that the planner would otherwise take, or not take.
const WAYS: [&[(&str, &str)]; 8] = [
    &[],
    &[("enable_nestloop", "off")],
    &[("enable_hashjoin", "off"), ("enable_mergejoin", "off")],
    &[("enable_indexscan", "off"), ("enable_bitmapscan", "off"), ("enable_indexonlyscan", "off")],
    &[("enable_nestloop", "off"), ("enable_indexscan", "off"), ("enable_bitmapscan", "off")],
    &[("enable_seqscan", "off"), ("enable_memoize", "off")],
    &[("plan_cache_mode", "force_generic_plan"), ("enable_material", "off")],
    &[("parallel_setup_cost", "0"), ("parallel_tuple_cost", "0"), ("min_parallel_table_scan_size", "0")],
];

/// All that is read of one conversation, in one way or another.
async fn read(client: &Client, id: &str) -> Value {
    let mut found = Vec::new();
    for query in [
        "query($id: ID!) { conversation(id: $id) { messageCount messages { nodes { id content status parent { id } siblings { id } } } } }",
        "query($id: ID!) { node(id: $id) { ... on Conversation { messages(first: 2) { nodes { content } pageInfo { hasNextPage } } } } }",
        "query($id: ID!) { conversation(id: $id) { id } conversations(first: 5) { nodes { id head { content } messages(last: 2) { nodes { content } } } } }",
        "query($id: ID!) { conversation(id: $id) { id } conversations(first: 5, filter: { titleContains: \"x\" }) { nodes { id } } }",
        "query($id: ID!) { conversation(id: $id) { id } changes(first: 50) { nodes { __typename ... on MessageAdded { message { content } } } } }",
        "query($id: ID!) { conversation(id: $id) { messages { nodes { feedback { rating } } } } viewer { usage(since: \"2000-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\", groupBy: [MODEL, CONVERSATION]) { conversationId messageCount inputTokens } } }",
        "query($id: ID!) { conversation(id: $id) { context(maxTokens: 5, tokenizer: ESTIMATE) { tokenCount messages { content } omitted { tokenCount ranges { first last } } } } }",
    ] {
        found.push(client.data(query, json!({ "id": id })).await);
    }
    Value::Array(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_plan_finds_the_same_rows() {
    let app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = everything(&ada).await;
    bob.new_conversation().await;
    let expected = read(&ada, &id).await;
    let url = app.config.database_url();
    let name = url.rsplit('/').next().unwrap();
    let mut admin = PgConnection::connect(&shared_cluster().url(name)).await.unwrap();
    for way in WAYS {
        for (setting, value) in way {
            let alter = format!("ALTER DATABASE {name} SET {setting} = '{value}'");
            sqlx::query(sqlx::AssertSqlSafe(alter)).execute(&mut admin).await.unwrap();
        }
        // Its sessions are new, and plan so.
        let replica = app.replica().await;
        let (ada, bob) = (replica.client("ada"), replica.client("bob"));
        assert_eq!(read(&ada, &id).await, expected, "{way:?}");
        let own = bob.new_conversation().await;
        bob.append(&own, "bob's").await;
        everything(&bob).await;
        let delete =
            "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
        bob.data(delete, json!({ "id": own })).await;
        let reset = format!("ALTER DATABASE {name} RESET ALL");
        sqlx::query(sqlx::AssertSqlSafe(reset)).execute(&mut admin).await.unwrap();
    }
}
