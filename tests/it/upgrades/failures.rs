//! Upgrades that fail, and databases that are newer than the program.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::fixture::Fixture;
use super::{assert_it_goes_on, everything};
use crate::check::database::Database;
use crate::harness::{Engine, Program, shared_cluster};

/// Everything that is in a database: its schema, and its rows.
async fn content(engine: Engine, program: &Program) -> String {
    if engine != Engine::Sqlite {
        return shared_cluster().dump(program.variable("SCROLLBACK_DATABASE_URL"));
    }
    let file = program.folder().join("data/scrollback.db");
    let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    let query = "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<(String, String)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
    let mut text = String::new();
    for (table, sql) in tables {
        let query = "SELECT name FROM pragma_table_info($1)";
        let columns: Vec<String> =
            sqlx::query_scalar(query).bind(&table).fetch_all(&mut connection).await.unwrap();
        let quoted: Vec<_> = columns.iter().map(|name| format!("quote(\"{name}\")")).collect();
        let query = format!("SELECT {} FROM \"{table}\" ORDER BY 1", quoted.join(" || ',' || "));
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap();
        text += &format!("{sql}\n{}\n", rows.join("\n"));
    }
    let query = "SELECT coalesce(group_concat(sql, char(10)), '') FROM (SELECT sql FROM sqlite_schema \
                 WHERE type <> 'table' ORDER BY name)";
    text += &sqlx::query_scalar::<_, String>(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    text
}

/// The sixth of seven pending migrations makes this table.
const OBSTACLE: &str = "CREATE TABLE webhook (something INTEGER)";

async fn an_upgrade_that_fails_changes_nothing(engine: Engine) {
    let fixture = Fixture::of(7);
    let program = fixture.program(engine).await;
    let database = Database::of(engine, &program);
    database.run(OBSTACLE).await;
    let before = content(engine, &program).await;
    assert!(before.contains("something") && before.contains("Café"), "{before}");
    for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate", "up"]] {
        let refused = program.refused(arguments).await;
        let refused = refused.lines().last().unwrap();
        assert!(refused.starts_with("scrollback: cannot migrate the database: "), "{refused}");
        assert!(refused.contains("webhook") && refused.contains("already exists"), "{refused}");
        assert!(content(engine, &program).await == before, "it is as it was");
    }
    database.run("DROP TABLE webhook").await;
    let server = program.serve(&[]).await;
    for (user, known) in fixture.known() {
        assert_eq!(everything(&server.client(&user)).await, known, "{user}");
        assert_it_goes_on(&server, &user, &known).await;
    }
    server.terminate().await;
    server.ended().await;
    assert_eq!(program.printed(&["check"]).await.lines().last(), Some("sound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_fails_changes_nothing_on_sqlite() {
    an_upgrade_that_fails_changes_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_fails_changes_nothing_on_postgres() {
    an_upgrade_that_fails_changes_nothing(Engine::Postgres).await;
}

async fn a_newer_database_is_refused(engine: Engine) {
    let program = Fixture::of(7).program(engine).await;
    let database = Database::of(engine, &program);
    database.run("INSERT INTO seaql_migrations VALUES ('m20990101_000001_future', 0)").await;
    let before = content(engine, &program).await;
    let commands: [&[&str]; 6] = [
        &["--listen", "127.0.0.1:0"],
        &["migrate", "up"],
        &["migrate", "down"],
        &["migrate", "status"],
        &["check"],
        &["export", "--user", "ada"],
    ];
    for arguments in commands {
        let refused = program.refused(arguments).await;
        let expected = "scrollback: the database has the migration m20990101_000001_future, which this version does not \
                        know: use a newer version\n";
        assert_eq!(refused, expected, "{arguments:?}");
    }
    assert!(content(engine, &program).await == before, "it is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_is_refused_on_sqlite() {
    a_newer_database_is_refused(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_is_refused_on_postgres() {
    a_newer_database_is_refused(Engine::Postgres).await;
}
