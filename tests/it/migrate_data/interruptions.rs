//! Migrations that are killed, and go on.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::rows::Rows;
use super::{SQLITE, assert_sound, filled, move_data, refused, serve, stop};
use crate::check::database::Database;
use crate::harness::{Engine, Program, TIMEOUT, shared_cluster};

/// Enough rows for fifty batches. No rule is about them.
const MANY_ROWS: &str = "INSERT INTO audit_entry (number, created_at, actor_kind, actor, action)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
    SELECT 1000 + i, i, 1, 'somebody', 1 FROM n";

const UNFINISHED: &str =
    "a data migration into this database has not finished: repeat `scrollback migrate-data`";

const BACK: &str = "sqlite://back.db";

/// The batches that a target has. `None`: it is not one, or has finished.
async fn step(program: &Program, target: &str) -> Option<i64> {
    let query = "SELECT step FROM unfinished_data_migration";
    match target.strip_prefix("sqlite://") {
        Some(file) => {
            let file = program.folder().join(file);
            let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.ok()?;
            sqlx::query_scalar(query).fetch_one(&mut connection).await.ok()
        }
        None => {
            let mut connection = PgConnection::connect(target).await.ok()?;
            sqlx::query_scalar(query).fetch_one(&mut connection).await.ok()
        }
    }
}

/// Begins a migration, and stops its process when the target has more batches than before.
async fn begin(program: &Program, from: &str, to: &str) -> Child {
    let before = step(program, to).await.unwrap_or(0);
    let child = program.command(&["migrate-data", "--from", from, "--to", to]).spawn().unwrap();
    let more = async {
        while step(program, to).await.is_none_or(|step| step < before + 3) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, more).await.unwrap();
    signal(&child, "STOP").await;
    assert!(step(program, to).await.is_some(), "it was stopped before its end");
    child
}

async fn signal(child: &Child, name: &str) {
    let process = child.id().unwrap().to_string();
    let kill = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &process]).status().await.unwrap();
    assert!(kill.success());
}

/// Lets a migration go on to its end. Returns what it said to standard error.
async fn go_on(child: Child) -> String {
    signal(&child, "CONT").await;
    let output = timeout(2 * TIMEOUT, child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Nothing uses a target that is not whole, whatever its version.
async fn assert_unusable(program: &Program, target: &str) {
    let commands: [&[&str]; 7] = [
        &["--listen", "127.0.0.1:0"],
        &["check"],
        &["migrate", "status"],
        &["migrate", "up"],
        &["migrate", "down"],
        &["backup", "backup.zst"],
        &["export", "--user", "ada"],
    ];
    for arguments in commands {
        let refused = program.refused(&[arguments, &["--database-url", target]].concat()).await;
        assert!(refused.contains(UNFINISHED), "{arguments:?}: {refused}");
    }
    let other = if target == BACK { shared_cluster().create_database().await } else { BACK.into() };
    let refused = refused(program, target, &other).await;
    assert!(
        refused.starts_with("scrollback: cannot use the source: ") && refused.contains(UNFINISHED),
        "{refused}"
    );
}

/// Kills a migration several times, and lets it go on each time.
async fn kill_and_go_on(program: &Program, from: &str, to: &str) {
    let before = Rows::of(program, from).await;
    for _ in 0..3 {
        let mut child = begin(program, from, to).await;
        child.kill().await.unwrap();
    }
    assert_unusable(program, to).await;
    let said = move_data(program, from, to).await;
    assert!(said.contains("rows, some of them in an earlier run; the target has all"), "{said}");
    assert_eq!(Rows::of(program, to).await, before);
    assert_eq!(step(program, to).await, None);
    assert_sound(program, to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_migration_goes_on_to_postgresql_and_back() {
    let (program, _) = filled().await;
    Database::of(Engine::Sqlite, &program).run(MANY_ROWS).await;
    let postgres = shared_cluster().create_database().await;
    kill_and_go_on(&program, SQLITE, &postgres).await;
    kill_and_go_on(&program, &postgres, BACK).await;
    let server = serve(&program, BACK).await;
    server.client("ada").new_conversation().await;
    stop(server).await;
}

/// An older version does not know the mark. It refuses every migration that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_target_has_a_migration_that_no_version_knows() {
    let (program, _) = filled().await;
    Database::of(Engine::Sqlite, &program).run(MANY_ROWS).await;
    let postgres = shared_cluster().create_database().await;
    begin(&program, SQLITE, &postgres).await.kill().await.unwrap();
    assert_eq!(newest_migration(&postgres).await, "unfinished_data_migration");
    move_data(&program, SQLITE, &postgres).await;
    assert!(newest_migration(&postgres).await.starts_with('m'));
}

async fn newest_migration(postgres: &str) -> String {
    let mut connection = PgConnection::connect(postgres).await.unwrap();
    let query = "SELECT max(version) FROM seaql_migrations";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_to_the_source_meanwhile() {
    let (program, _) = filled().await;
    Database::of(Engine::Sqlite, &program).run(MANY_ROWS).await;
    let postgres = shared_cluster().create_database().await;
    let child = begin(&program, SQLITE, &postgres).await;
    let refused = program.refused(&["--listen", "127.0.0.1:0"]).await;
    assert!(refused.contains("another Scrollback server uses the SQLite database"), "{refused}");
    let file = program.folder().join("data/scrollback.db");
    let mut other = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    other.execute("PRAGMA busy_timeout = 0").await.unwrap();
    let write = other.execute("UPDATE account SET revision = revision + 1").await;
    assert!(write.unwrap_err().to_string().contains("locked"));
    other.close().await.unwrap();
    let said = go_on(child).await;
    assert!(!said.contains("use the source again"), "{said}");

    let child = begin(&program, &postgres, BACK).await;
    let mut other = PgConnection::connect(&postgres).await.unwrap();
    other.execute("SET lock_timeout = '100ms'").await.unwrap();
    for table in ["account", "message", "webhook"] {
        let write = other.execute(AssertSqlSafe(format!("DELETE FROM {table}"))).await;
        assert!(write.unwrap_err().to_string().contains("lock timeout"), "{table}");
    }
    // It reads, and cannot write before the end.
    let server = serve(&program, &postgres).await;
    let said = go_on(child).await;
    assert!(
        said.contains(" sessions use the source again: what they write now is not in the target"),
        "{said}"
    );
    server.client("ada").new_conversation().await;
}

/// What was moved already would be older than what is moved now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_does_not_go_on_after_a_write_to_the_source() {
    let (program, _) = filled().await;
    Database::of(Engine::Sqlite, &program).run(MANY_ROWS).await;
    let postgres = shared_cluster().create_database().await;
    begin(&program, SQLITE, &postgres).await.kill().await.unwrap();
    let server = serve(&program, SQLITE).await;
    let conversation = server.client("ada").new_conversation().await;
    server.client("ada").append(&conversation, "meanwhile").await;
    stop(server).await;
    let said = refused(&program, SQLITE, &postgres).await;
    let expected = "the source was written to since it began: empty the target, and begin again";
    assert!(said.contains(expected), "{said}");
    let again = shared_cluster().create_database().await;
    move_data(&program, SQLITE, &again).await;
    assert_eq!(Rows::of(&program, &again).await, Rows::of(&program, SQLITE).await);
}
