//! PgBouncer between a server and PostgreSQL.

use std::fs;

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::harness::{PgBouncer, Program, shared_cluster};

const SAID: &str = "a connection pooler gives each transaction another session of PostgreSQL, which Scrollback \
                    cannot use: set `pool_mode = session` in PgBouncer, or connect to PostgreSQL directly\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_pooling_is_rejected_in_one_line() {
    for (mode, settings) in [
        ("transaction", &[][..]),
        ("transaction", &["default_pool_size = 1"]),
        ("transaction", &["server_round_robin = 1"]),
        ("statement", &[]),
    ] {
        let database = shared_cluster().create_database().await;
        let pooler = PgBouncer::start(shared_cluster(), mode, settings);
        let url = pooler.url(&database);
        let program = Program::believing().with("SCROLLBACK_DATABASE_URL", &url);
        let file = program.folder().join("sharegpt.json");
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sharegpt.json"), file).unwrap();
        // With no session that is idle in the pooler, with one, and with several.
        for idle in [0, 1, 3] {
            let mut clients = join_all((0..idle).map(|_| PgConnection::connect(&url))).await;
            for client in clients.iter_mut().flatten() {
                // Refused where one session is all there is, or where there are no transactions.
                let _ = client.execute("SELECT pg_sleep(0.01)").await;
            }
            for arguments in [&[][..], &["migrate", "status"], &["import", "sharegpt.json", "--user", "a"]] {
                let refused = program.refused(arguments).await;
                assert!(refused.ends_with(SAID), "{mode} {settings:?} {arguments:?}: {refused}");
                assert_eq!(refused.lines().count(), 1, "{refused}");
                let database = url.rsplit_once('/').unwrap().1;
                assert!(refused.contains(&format!("to database \"{database}\"")), "{refused}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_pooling_is_supported() {
    let database = shared_cluster().create_database().await;
    let pooler = PgBouncer::start(shared_cluster(), "session", &["default_pool_size = 40"]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", pooler.url(&database));
    // Sessions that others have used are given to it too.
    for _ in 0..2 {
        let server = program.serve(&[]).await;
        let ada = server.client("ada");
        let id = ada.new_conversation().await;
        join_all((0..20).map(|at| ada.append(&id, if at % 2 == 0 { "a" } else { "b" }))).await;
        let query = "query($id: ID!) { conversation(id: $id) { messageCount } }";
        let data = ada.data(query, json!({ "id": id })).await;
        assert_eq!(data["conversation"]["messageCount"], 20);
        server.terminate().await;
        let (status, log) = server.ended().await;
        assert!(status.success() && !log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn a_pooler_that_switches_sessions_later_is_reported_in_one_line() {
    let database = shared_cluster().create_database().await;
    let pooler = PgBouncer::start(shared_cluster(), "transaction", &["default_pool_size = 1"]);
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(PgConnection::connect(&pooler.url(&database)).await.unwrap());
    }
    // Both call their first statement the same.
    sqlx::query("SELECT 1").execute(&mut clients[0]).await.unwrap();
    let error = sqlx::query("SELECT 2").execute(&mut clients[1]).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42P05"), "{error}");
    let error = scrollback::store::Error::from(error).to_string();
    assert!(error.ends_with(SAID.trim_end()), "{error}");
}

#[tokio::test]
async fn startup_parameters_pgbouncer_rejects_are_named() {
    let database = shared_cluster().create_database().await;
    let pooler = PgBouncer::start(shared_cluster(), "session", &["ignore_startup_parameters ="]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", pooler.url(&database));
    let refused = program.refused(&[]).await;
    let hint = "set `ignore_startup_parameters = extra_float_digits` in PgBouncer\n";
    assert!(refused.ends_with(hint), "{refused}");
}
