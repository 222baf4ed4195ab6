//! A server at work while a newer version changes the schema beside it, and everything that clients ask of it: its statements
//! were prepared before. `tests/it/history/upgrades.rs` does the same under load.

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use super::fixture::Fixture;
use crate::harness::{Client, Engine, Program, Running, TIMEOUT};
use crate::history::FAULTS;
use crate::history::upgrades::expand;
use crate::migrate_data::fill_all;

/// Reads that [`fill_all`] does not do.
const READS: [&str; 6] = [
    "{ conversations(first: 3, filter: { titleContains: \"zeb\", query: \"zebra\" }) { nodes { id labels unreadCount
        shares { id } head { id } messages(first: 3) { nodes { id } } } } }",
    "{ conversations(first: 3, orderBy: { field: CREATED_AT, direction: ASC }) { nodes {
        context(maxTokens: 100000) { messages { id } tokenCount } } } }",
    "{ searchMessages(query: \"zebra -nothing\") { nodes { id } } }",
    "{ changes(first: 20) { nodes { cursor } } }",
    "{ labels { label } viewer { id } }",
    "{ viewer { usage(since: \"2020-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\", groupBy: [MODEL]) { model } } }",
];

async fn use_everything(server: &Running) {
    fill_all(server).await;
    let client = server.client("ada");
    for read in READS {
        client.data(read, json!({})).await;
    }
    let export = client.request(reqwest::Method::GET, "/v1/export").send().await.unwrap();
    assert!(export.status().is_success(), "{export:?}");
    export.text().await.unwrap();
    erase(&client, server).await;
}

/// A user of this call alone: nothing can be written for a while after an erasure.
async fn erase(client: &Client, server: &Running) {
    let user = format!("user-{}", scrollback::clock::Clock::system().new_id());
    server.client(&user).new_conversation().await;
    let token = crate::harness::token_with_scope("privacy", crate::harness::TIMEOUT, "scrollback:erase");
    let erase = "mutation($user: ID!) { eraseUser(input: { subject: $user }) { receipt { rowCount } } }";
    let erased: Value = client.with_token(token).data(erase, json!({ "user": user })).await;
    assert!(erased["eraseUser"]["receipt"]["rowCount"].as_i64() > Some(0));
}

async fn everything_works_after_a_newer_version_expanded_the_schema(engine: Engine) {
    // Few connections, so that each has prepared its statements.
    let program = Program::over(engine).await.with("SCROLLBACK_DATABASE_MAX_CONNECTIONS", "2");
    let program = program.with("SCROLLBACK_DATABASE_WRITE_WORKERS", "1");
    let server = program.serve(&[]).await;
    for _ in 0..2 {
        use_everything(&server).await;
    }
    for number in 0..FAULTS {
        expand(program.variable("SCROLLBACK_DATABASE_URL"), number).await;
    }
    for _ in 0..2 {
        use_everything(&server).await;
    }
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_after_a_newer_version_expanded_the_schema_on_postgres() {
    everything_works_after_a_newer_version_expanded_the_schema(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_after_a_newer_version_expanded_the_schema_behind_row_level_security() {
    everything_works_after_a_newer_version_expanded_the_schema(Engine::PostgresWithRowLevelSecurity).await;
}

/// A long read, such as a backup: the migration does not make everybody wait for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_lets_others_work_while_it_waits_for_a_table() {
    let program = Fixture::of(7).program(Engine::Postgres).await;
    let url = program.variable("SCROLLBACK_DATABASE_URL");
    let mut reader = PgConnection::connect(url).await.unwrap();
    reader.execute("BEGIN; LOCK TABLE conversation IN ACCESS SHARE MODE").await.unwrap();
    let mut server = program.command(&["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let waits =
        async { while !log.next_line().await.unwrap().expect("a line").contains("others use its tables") {} };
    timeout(TIMEOUT, waits).await.unwrap();
    // Those of an old server.
    let mut other = PgConnection::connect(url).await.unwrap();
    let write = other.execute("UPDATE conversation SET title = title");
    assert!(timeout(TIMEOUT, write).await.unwrap().unwrap().rows_affected() > 0);
    reader.execute("COMMIT").await.unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with("Scrollback is listening on "), "{first}");
}
