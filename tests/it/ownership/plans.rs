//! No field makes PostgreSQL read a table from beginning to end, even if its statistics say that there is next to
//! nothing in it.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::cases::CASES;
use super::{OWNED, adas, fields, selection};
use crate::harness::{Engine, TIMEOUT, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_field_reads_a_whole_table_on_postgresql() {
    let mut first = TestApp::start_with(Engine::Postgres, &[("federation.enabled", "true")]).await;
    let target = adas(&first.client("ada")).await;
    let mut admin = PgConnection::connect(&first.config.database_url()).await.unwrap();
    stop(&mut first, &mut admin).await;
    admin.execute("ANALYZE").await.unwrap();
    admin.execute("SELECT pg_stat_reset()").await.unwrap();
    let mut app = first.replica().await;
    let ada = app.client("ada");
    for (field, is_object) in fields(&ada, OWNED).await {
        let document =
            format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {} }} }}", selection(&field, is_object));
        let ids = [&target.conversation, &target.message, &target.attachment];
        ada.data(&document, json!({ "ids": ids })).await;
    }
    for (field, document, variables, _) in CASES {
        // Some of them delete it.
        let target = adas(&ada).await;
        if field.starts_with("Subscription") {
            let mut socket = app.socket("ada").await;
            socket.subscribe("s", document, variables(&target)).await;
            socket.send(json!({ "type": "ping" })).await;
            while socket.receive().await["type"] != "pong" {}
            ada.append(&target.conversation, "one more").await;
        } else {
            ada.run(document, variables(&target)).await;
        }
    }
    stop(&mut app, &mut admin).await;
    // Migrations are looked up at the start. A task looks through the messages that are being written, which are few.
    let scanned = "SELECT relname::text FROM pg_stat_user_tables \
                   WHERE seq_scan > 0 AND relname NOT IN ('seaql_migrations', 'stream') ORDER BY 1";
    let scanned: Vec<String> = sqlx::query_scalar(scanned).fetch_all(&mut admin).await.unwrap();
    assert_eq!(scanned, Vec::<String>::new());
    let used = "SELECT count(*) FROM pg_stat_user_tables WHERE idx_scan > 0";
    let used: i64 = sqlx::query_scalar(used).fetch_one(&mut admin).await.unwrap();
    assert!(used > 10, "the tables were read: {used}");
}

/// Stops a server and waits until its sessions have ended, because they count what they read at their end.
async fn stop(app: &mut TestApp, admin: &mut PgConnection) {
    app.stop().await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    let ended = async {
        while sqlx::query_scalar::<_, i64>(sessions).fetch_one(&mut *admin).await.unwrap() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, ended).await.unwrap();
}
