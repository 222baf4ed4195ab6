//! Databases that are not moved, and the reasons that are given. Nothing is changed then.

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::rows::Rows;
use super::{SQLITE, filled, move_data, program, refused, serve, stop};
use crate::check::database::Database;
use crate::harness::{Engine, Program, shared_cluster};

/// A program with a conversation on SQLite.
async fn with_a_conversation() -> Program {
    let program = program().await;
    let server = serve(&program, SQLITE).await;
    server.client("ada").new_conversation().await;
    stop(server).await;
    program
}

/// Whether a database has a table.
async fn has_tables(postgres: &str) -> bool {
    let mut connection = PgConnection::connect(postgres).await.unwrap();
    let query = "SELECT to_regclass('account') IS NOT NULL";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_a_server_uses_is_neither_source_nor_target() {
    let program = with_a_conversation().await;
    let postgres = shared_cluster().create_database().await;
    let server = serve(&program, SQLITE).await;
    let said = refused(&program, SQLITE, &postgres).await;
    assert!(said.starts_with("scrollback: cannot use the source: another Scrollback server uses"), "{said}");
    assert!(!has_tables(&postgres).await);
    let on_postgres = serve(&program, &postgres).await;
    for (from, to, role) in [(&*postgres, "sqlite://other.db", "source"), (&*postgres, SQLITE, "source")] {
        let said = refused(&program, from, to).await;
        let expected = format!(
            "scrollback: cannot use the {role}: servers or commands of Scrollback use the database in "
        );
        assert!(said.starts_with(&expected), "{said}");
    }
    stop(server).await;
    let said = refused(&program, SQLITE, &postgres).await;
    assert!(
        said.starts_with("scrollback: cannot use the target: servers or commands of Scrollback"),
        "{said}"
    );
    on_postgres.client("bob").new_conversation().await;
    stop(on_postgres).await;
    let said = refused(&program, SQLITE, &postgres).await;
    assert!(
        said.starts_with("scrollback: cannot use the target: the database is not empty: there are rows in `"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_somebody_writes_to_is_refused() {
    let program = with_a_conversation().await;
    let postgres = shared_cluster().create_database().await;
    let file = program.folder().join("data/scrollback.db");
    let mut writer = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let said = refused(&program, SQLITE, &postgres).await;
    assert!(
        said.contains("cannot use the source: cannot lock it against writers: somebody writes to it"),
        "{said}"
    );
    writer.execute("ROLLBACK").await.unwrap();
    writer.close().await.unwrap();
    move_data(&program, SQLITE, &postgres).await;
    let mut writer = PgConnection::connect(&postgres).await.unwrap();
    writer.execute("BEGIN; UPDATE account SET revision = revision").await.unwrap();
    let said = refused(&program, &postgres, "sqlite://back.db").await;
    assert!(
        said.contains("cannot use the source: cannot lock it against writers: somebody writes to it"),
        "{said}"
    );
    writer.execute("ROLLBACK").await.unwrap();
    move_data(&program, &postgres, "sqlite://back.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_with_rows_is_refused_and_left_as_it_is() {
    let (program, _) = filled().await;
    let postgres = shared_cluster().create_database().await;
    move_data(&program, SQLITE, &postgres).await;
    let before = Rows::of(&program, &postgres).await;
    for (from, to) in [(SQLITE, &*postgres), (&*postgres, SQLITE)] {
        let said = refused(&program, from, to).await;
        let expected =
            "scrollback: cannot use the target: the database is not empty: there are rows in `account`\n";
        assert_eq!(said, expected);
    }
    assert_eq!(Rows::of(&program, &postgres).await, before);
    assert_eq!(Rows::of(&program, SQLITE).await, before);
    // One with the tables and no rows is empty.
    let empty = shared_cluster().create_database().await;
    program.printed(&["migrate", "up", "--database-url", &empty]).await;
    move_data(&program, SQLITE, &empty).await;
    assert_eq!(Rows::of(&program, &empty).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_other_versions_are_refused() {
    let program = with_a_conversation().await;
    let postgres = shared_cluster().create_database().await;
    program.printed(&["migrate", "up", "--database-url", &postgres]).await;
    let down = |url: &str| ["migrate", "down", "--steps", "1", "--database-url", url].map(str::to_owned);
    let older =
        |role: &str| format!("scrollback: cannot use the {role}: the database lacks 1 migrations, from m");
    for (url, role) in [(SQLITE, "source"), (&*postgres, "target")] {
        let down = down(url);
        program.printed(&down.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let said = refused(&program, SQLITE, &postgres).await;
        assert!(
            said.starts_with(&older(role)) && said.ends_with("run `scrollback migrate up` there\n"),
            "{said}"
        );
        program.printed(&["migrate", "up", "--database-url", url]).await;
    }
    let newer = "INSERT INTO seaql_migrations VALUES ('m20990101_000001_future', 0)";
    let as_it_was = "DELETE FROM seaql_migrations WHERE version = 'm20990101_000001_future'";
    let sqlite = Database::of(Engine::Sqlite, &program);
    let on_postgres = Database::Postgres { url: postgres.clone() };
    for (database, role) in [(&sqlite, "source"), (&on_postgres, "target")] {
        database.run(newer).await;
        let said = refused(&program, SQLITE, &postgres).await;
        let expected = format!(
            "scrollback: cannot use the {role}: the database has the migration m20990101_000001_future, which this version \
             does not know: use a newer version\n"
        );
        assert_eq!(said, expected);
        database.run(as_it_was).await;
    }
    move_data(&program, SQLITE, &postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_make_no_sense_are_refused() {
    let program = with_a_conversation().await;
    let postgres = shared_cluster().create_database().await;
    let another = shared_cluster().create_database().await;
    for (from, to, expected) in [
        (SQLITE, SQLITE, "--from and --to are the same database"),
        (SQLITE, "sqlite://data/../data/scrollback.db", "--from and --to are the same database"),
        (&postgres, &postgres, "--from and --to are the same database"),
        (SQLITE, "sqlite://other.db", "--from and --to are both SQLite: one must be PostgreSQL."),
        (&postgres, &another, "--from and --to are both PostgreSQL: one must be SQLite."),
        ("sqlite://none.db", &postgres, "cannot use the source: there is no database none.db"),
        ("mysql://ada:hush@db/chat", &postgres, "--from must begin with sqlite:// or postgres://"),
        (SQLITE, "postgres://db/chat?sslmod=require", "--to has the unknown parameter `sslmod`"),
        (
            SQLITE,
            "postgres://ada:hush@127.0.0.1:1/chat",
            "cannot use the target: cannot connect to PostgreSQL at",
        ),
    ] {
        let said = refused(&program, from, to).await;
        assert!(said.starts_with(&format!("scrollback: {expected}")), "{from} {to}: {said}");
        assert!(!said.contains("hush"), "{said}");
    }
    assert!(!program.folder().join("none.db").exists() && !program.folder().join("other.db").exists());
    assert!(!has_tables(&postgres).await);
    let usage = program.run(&["migrate-data"]).await;
    assert_eq!(usage.status.code(), Some(2));
    // The one that is left out is the configured one.
    let said = program.refused(&["migrate-data", "--to", SQLITE]).await;
    assert!(said.starts_with("scrollback: --from and --to are the same database"), "{said}");
    program.printed(&["migrate-data", "--from", SQLITE, "--database-url", &postgres]).await;
    program.printed(&["migrate-data", "--to", "sqlite://back.db", "--database-url", &postgres]).await;
    assert_eq!(Rows::of(&program, "sqlite://back.db").await, Rows::of(&program, SQLITE).await);
}

/// A role that policies apply to, and that may not suspend them, would move only some rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_does_not_see_all_rows_is_refused() {
    let program = with_a_conversation().await;
    let postgres = shared_cluster().create_database_of_a_plain_role().await;
    move_data(&program, SQLITE, &postgres).await;
    let behind = Program::believing()
        .with("SCROLLBACK_DATABASE_URL", postgres.clone())
        .with("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", "on");
    behind.printed(&["migrate", "up"]).await;
    let mut admin = PgConnection::connect(&shared_cluster().url("postgres")).await.unwrap();
    admin.execute("CREATE ROLE mover LOGIN").await.unwrap();
    let mut owner = PgConnection::connect(&postgres).await.unwrap();
    owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO mover").await.unwrap();
    let said = refused(&program, &postgres.replace("plain@", "mover@"), "sqlite://back.db").await;
    assert!(said.contains("row-level security hides rows from this role"), "{said}");
    assert!(!program.folder().join("back.db").exists());
    move_data(&program, &postgres, "sqlite://back.db").await;
    assert_eq!(Rows::of(&program, "sqlite://back.db").await, Rows::of(&program, SQLITE).await);
}
