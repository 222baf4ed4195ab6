//! Servers at work while a newer version changes the schema beside them, as it does in a rolling upgrade.
//!
//! There is no newer version yet. Its migrations are made up: they do everything that the rules of migrations allow
//! (`tests/it/upgrades/rules.rs`), to every table.

use scrollback::store::entities::tables;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::FAULTS;
use super::check;
use super::deployment::Deployment;
use crate::harness::Engine;

/// What a newer version does to some tables: the migration of a number.
fn expansion(number: usize) -> String {
    let mut statements = vec![
        "SET LOCAL lock_timeout = '2s'".to_owned(),
        "SELECT pg_advisory_xact_lock(hashtext('scrollback migrations'))".to_owned(),
        format!("CREATE TABLE future_{number} (id bigint PRIMARY KEY, note text NOT NULL)"),
        format!("INSERT INTO seaql_migrations VALUES ('m2099010{number}_000001_future', 0)"),
    ];
    for table in tables().iter().enumerate().filter(|(at, _)| at % FAULTS == number).map(|(_, table)| table) {
        let name = table.name;
        statements.push(format!(
            "ALTER TABLE {name} ADD COLUMN future_note text, ADD COLUMN future_count bigint NOT NULL DEFAULT 7"
        ));
        statements.push(format!(
            "CREATE INDEX {name}_future ON {name} (future_count) WHERE future_note IS NOT NULL"
        ));
        statements.push(format!("UPDATE {name} SET future_note = 'x' WHERE false"));
    }
    statements.join("; ")
}

/// Does so, in one transaction. As a migration it is tried again if others use the tables.
pub(crate) async fn expand(url: &str, number: usize) {
    let sql = format!("BEGIN; {}; COMMIT", expansion(number));
    loop {
        let mut connection = PgConnection::connect(url).await.unwrap();
        match connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await {
            Ok(_) => return,
            Err(error) => {
                let code = error.as_database_error().and_then(|error| error.code().map(String::from));
                assert!(["40P01", "55P03"].map(String::from).map(Some).contains(&code), "{error}");
            }
        }
    }
}

async fn check_expansions(engine: Engine) {
    let deployment = Deployment::start(engine, 2, &[]).await;
    check(deployment, async |number, deployment| {
        expand(deployment.postgres(), number).await;
        let refused = deployment.program(0).refused(&["--listen", "127.0.0.1:0"]).await;
        assert!(refused.contains("which this version does not know: use a newer version"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_a_newer_version_expands_the_schema() {
    check_expansions(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_row_level_security_nothing_is_lost_when_a_newer_version_expands_the_schema() {
    check_expansions(Engine::PostgresWithRowLevelSecurity).await;
}
