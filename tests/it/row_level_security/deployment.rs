//! Creating and removing the policies while servers run.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::{TABLES, connections, count, everything};
use crate::harness::{Client, Engine, Program, TIMEOUT, TestApp, shared_cluster};

const SETTING: &str = "database.row_level_security";

/// A server over this database that does this about it.
async fn server(url: &str, mode: &str) -> TestApp {
    TestApp::start_with(Engine::Postgres, &[("database.url", url), (SETTING, mode)]).await
}

fn program(url: &str, mode: &str) -> Program {
    Program::believing()
        .with("SCROLLBACK_DATABASE_URL", url)
        .with("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", mode)
}

/// How many tables are behind it.
async fn protected_tables(url: &str) -> i64 {
    let mut session = PgConnection::connect(url).await.unwrap();
    let query = "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity";
    sqlx::query_scalar(query).fetch_one(&mut session).await.unwrap()
}

/// Waits until PostgreSQL has ended the sessions of a server that has gone.
async fn gone(url: &str) {
    let mut session = PgConnection::connect(url).await.unwrap();
    let query = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'scrollback'";
    let wait =
        async { while sqlx::query_scalar::<_, i64>(query).fetch_one(&mut session).await.unwrap() > 0 {} };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap();
}

/// Checks that a client can read its messages and append another.
async fn works(client: &Client, conversation: &str) {
    let before = messages(client, conversation).await;
    client.append(conversation, "and more").await;
    assert_eq!(messages(client, conversation).await, before + 1);
}

async fn messages(client: &Client, conversation: &str) -> i64 {
    let query = "query($id: ID!) { conversation(id: $id) { messageCount } }";
    let found = client.data(query, json!({ "id": conversation })).await;
    found["conversation"]["messageCount"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_created_and_removed_while_servers_run() {
    let url = shared_cluster().create_database_of_a_plain_role().await;
    let mut off = server(&url, "off").await;
    let id = everything(&off.client("ada")).await;
    let ready = server(&url, "ready").await;
    for app in [&off, &ready] {
        works(&app.client("ada"), &id).await;
    }
    assert_eq!(protected_tables(&url).await, 0);
    // One that says nothing would find nothing from then on, so it does not go up under it.
    let refused = program(&url, "on").refused(&[]).await;
    assert!(refused.contains(SETTING) && refused.contains("\"ready\" on all servers"), "{refused}");
    works(&off.client("ada"), &id).await;
    off.stop().await;
    gone(&url).await;
    let on = server(&url, "on").await;
    assert_eq!(protected_tables(&url).await, TABLES.len() as i64);
    for app in [&ready, &on] {
        works(&app.client("ada"), &id).await;
    }
    // Nor does one start over it.
    let refused = program(&url, "off").refused(&[]).await;
    assert!(refused.contains(SETTING) && refused.contains("\"ready\""), "{refused}");
    // And back.
    let ready = server(&url, "ready").await;
    assert_eq!(protected_tables(&url).await, 0);
    let off = server(&url, "off").await;
    for app in [&on, &ready, &off] {
        works(&app.client("ada"), &id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_replicas_create_the_policies_once() {
    let url = shared_cluster().create_database_of_a_plain_role().await;
    let replicas = join_all((0..4).map(|_| server(&url, "on"))).await;
    assert_eq!(protected_tables(&url).await, TABLES.len() as i64);
    let id = replicas[0].client("ada").new_conversation().await;
    for replica in &replicas {
        works(&replica.client("ada"), &id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_bypasses_policies_is_rejected() {
    let mut admin = PgConnection::connect(&shared_cluster().url("postgres")).await.unwrap();
    admin.execute("CREATE ROLE passes LOGIN BYPASSRLS").await.unwrap();
    let own = shared_cluster().create_database().await;
    let passing = shared_cluster().create_database_of_a_plain_role().await.replace("plain@", "passes@");
    for (url, why) in
        [(own, "the role `scrollback` is a superuser"), (passing, "the role `passes` has BYPASSRLS")]
    {
        for mode in ["ready", "on"] {
            let refused = program(&url, mode).refused(&[]).await;
            assert!(refused.contains(SETTING) && refused.contains(why), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_does_not_own_the_tables_is_supported() {
    let mut admin = PgConnection::connect(&shared_cluster().url("postgres")).await.unwrap();
    admin.execute("CREATE ROLE serves LOGIN").await.unwrap();
    let url = shared_cluster().create_database_of_a_plain_role().await;
    program(&url, "off").printed(&["migrate", "up"]).await;
    gone(&url).await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO serves").await.unwrap();
    let serving = url.replace("plain@", "serves@");
    let refused = program(&serving, "on").refused(&[]).await;
    assert!(refused.contains(SETTING) && refused.contains("must be owner"), "{refused}");
    program(&url, "on").printed(&["migrate", "up"]).await;
    let app = server(&serving, "on").await;
    let id = app.client("ada").new_conversation().await;
    works(&app.client("ada"), &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_see_every_row_and_keep_the_policies() {
    let mut app = TestApp::start(Engine::PostgresWithRowLevelSecurity).await;
    let id = app.client("ada").new_conversation().await;
    for text in ["one", "two"] {
        app.client("ada").append(&id, text).await;
    }
    app.stop().await;
    let url = app.config.database_url();
    // The second migration fills a column in for the rows that are there.
    program(&url, "on").undo_migrations_from("branches").await;
    assert_eq!(protected_tables(&url).await, 4, "the tables that are left");
    program(&url, "on").printed(&["migrate", "up"]).await;
    assert_eq!(protected_tables(&url).await, TABLES.len() as i64);
    let (mut session, mut admin) = connections(&app).await;
    let wrong = "SELECT count(*) FROM conversation WHERE head_position <> 2";
    assert_eq!(sqlx::query_scalar::<_, i64>(wrong).fetch_one(&mut admin).await.unwrap(), 0);
    assert_eq!(count(&mut session, "conversation").await, 0);
    let app = server(&url, "on").await;
    works(&app.client("ada"), &id).await;
}
