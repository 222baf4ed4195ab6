//! Slow statements: they end at the statement timeout.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::harness::{Engine, TestApp, on_each_database};

on_each_database!(a_search_has_a_statement_timeout);

/// So many conversations that looking through all titles takes several times as long as a statement may.
const SQLITE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 120000) \
     INSERT INTO conversation (id, owner_id, title, title_folded, metadata, created_at, updated_at, message_count, \
     last_position) SELECT randomblob(16), 'ada', printf('%0200d', i), printf('%0200d', i), '{}', i, i, 0, 0 FROM n";
const POSTGRES: &str = "INSERT INTO conversation (id, owner_id, title, title_folded, metadata, created_at, updated_at, \
     message_count, last_position) SELECT gen_random_uuid(), 'ada', lpad(i::text, 200, '0'), lpad(i::text, 200, '0'), '{}', i, i, 0, 0 \
     FROM generate_series(1, 120000) AS i";

async fn a_search_has_a_statement_timeout(app: TestApp) {
    // The migrations have run: on a machine with much to do, one of them may take longer than this.
    let mut app = app;
    app.config.database.statement_timeout = Duration::from_millis(20);
    app.config.database.max_connections = 1;
    let app = app.restart().await;
    let ada = app.client("ada");
    let url = app.config.database_url();
    match app.engine {
        Engine::Sqlite => {
            SqliteConnection::connect(&url).await.unwrap().execute(SQLITE).await.unwrap();
        }
        Engine::Postgres | Engine::PostgresWithRowLevelSecurity => {
            PgConnection::connect(&url).await.unwrap().execute(POSTGRES).await.unwrap();
        }
    }
    let search = r#"{ conversations(filter: { titleContains: "nowhere" }) { nodes { id } } }"#;
    let searches = std::iter::repeat_with(|| ada.run(search, json!({}))).take(4);
    for answer in futures_util::future::join_all(searches).await {
        let error = &answer.body["errors"][0];
        assert_eq!(
            error["extensions"],
            json!({ "code": "UNAVAILABLE", "retryable": true }),
            "{}",
            answer.body
        );
    }
    // The only connection is free again, and takes as long as others need.
    let data = ada.data("{ conversations(last: 1) { nodes { messageCount } } }", json!({})).await;
    assert_eq!(data["conversations"]["nodes"], json!([{ "messageCount": 0 }]));
}
