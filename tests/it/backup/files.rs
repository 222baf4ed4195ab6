//! Files of backups: what is refused, and that what is refused changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, SqliteConnection};

use crate::harness::{Engine, Program};
use crate::user_erasure::fill;

/// A program whose server is stopped, with data of Ada and a backup of it.
async fn with_backup(engine: Engine) -> Program {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    fill(&server.client("ada"), "zebra").await;
    server.terminate().await;
    server.ended().await;
    let output = program.run(&["backup", "backup.zst"]).await;
    assert!(output.status.success(), "{output:?}");
    program
}

/// The names and contents of a folder, without those of locks.
fn state(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut state: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    state.sort();
    state
}

async fn run_sql(file: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn bad_files_are_refused_and_change_nothing(engine: Engine) {
    let program = with_backup(engine).await;
    let whole = fs::read(program.folder().join("backup.zst")).unwrap();
    let elsewhere = Program::over(engine).await;
    let data = elsewhere.folder().join("data");
    let compressed = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let mut longer = whole.clone();
    longer.extend_from_slice(b"more");
    let other = {
        let file = elsewhere.folder().join("other.db");
        run_sql(&file, "CREATE TABLE a (b)").await;
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        bytes
    };
    let damaged = "it is damaged or was cut off";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "it is not compressed with zstd"),
        ("text", b"hello".to_vec(), "it is not compressed with zstd"),
        ("half", whole[..whole.len() / 2].to_vec(), damaged),
        ("without the checksum", whole[..whole.len() - 1].to_vec(), damaged),
        ("flipped", flipped, "cannot restore bad.zst"),
        ("longer", longer, damaged),
        ("foreign", compressed(b"hello"), "it is not a backup of Scrollback"),
        ("another database", compressed(&other), "is not Scrollback's"),
        ("half a database", compressed(&other[..other.len() / 2]), "cannot restore bad.zst"),
        ("nothing", compressed(b""), "it is not a backup of Scrollback"),
    ];
    for (what, bytes, expected) in cases {
        fs::write(elsewhere.folder().join("bad.zst"), bytes).unwrap();
        let before = state(&data);
        let said = elsewhere.refused(&["restore", "bad.zst"]).await;
        assert!(
            said.starts_with("scrollback: cannot restore bad.zst: ") && said.contains(expected),
            "{what}: {said}"
        );
        assert_eq!(state(&data), before, "{what}");
    }
    let said = elsewhere.refused(&["restore", "absent.zst"]).await;
    assert!(said.contains("cannot read absent.zst"), "{said}");
    // The whole file is fine.
    fs::write(elsewhere.folder().join("good.zst"), &whole).unwrap();
    if engine == Engine::Sqlite {
        super::copy_folder(&program.folder().join("data/files"), &data.join("files"));
    }
    elsewhere.printed(&["restore", "good.zst"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_files_are_refused_and_change_nothing_on_sqlite() {
    bad_files_are_refused_and_change_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_files_are_refused_and_change_nothing_on_postgres() {
    bad_files_are_refused_and_change_nothing(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_a_private_file_and_replaces_none() {
    let program = with_backup(Engine::Sqlite).await;
    let file = program.folder().join("backup.zst");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Other tools read it.
    let unpacked = zstd::decode_all(fs::File::open(&file).unwrap()).unwrap();
    assert!(unpacked.starts_with(b"SQLite format 3\0"));
    let before = fs::read(&file).unwrap();
    let said = program.refused(&["backup", "backup.zst"]).await;
    assert_eq!(said, "scrollback: backup.zst exists: choose another name, or replace it with --force\n");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(program.run(&["backup", "backup.zst", "--force"]).await.status.success());
    let said = program.refused(&["backup", "absent/backup.zst"]).await;
    assert!(said.contains("cannot create absent/backup.zst"), "{said}");
    let said = program.refused(&["backup", "."]).await;
    assert!(said.contains("it is a folder"), "{said}");
    let names: Vec<_> = state(program.folder()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["backup.zst"], "nothing is left of what failed");
    let empty = Program::over(Engine::Sqlite).await;
    let said = empty.refused(&["backup", "backup.zst"]).await;
    assert!(said.contains("there is no database"), "{said}");
    assert!(!empty.folder().join("data").exists() && !empty.folder().join("backup.zst").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_through_a_pipe() {
    let program = with_backup(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let output = program.run(&["backup", "-"]).await;
    assert!(output.status.success(), "{output:?}");
    server.kill().await;
    let elsewhere = Program::over(Engine::Sqlite).await;
    super::copy_folder(&program.folder().join("data/files"), &elsewhere.folder().join("data/files"));
    fs::write(elsewhere.folder().join("b.zst"), &output.stdout).unwrap();
    let mut command = elsewhere.command(&["restore", "-"]);
    command.stdin(Stdio::from(fs::File::open(elsewhere.folder().join("b.zst")).unwrap()));
    let restored = command.output().await.unwrap();
    assert!(restored.status.success(), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_replaces_no_data_and_no_running_server() {
    let program = with_backup(Engine::Sqlite).await;
    let folder = program.folder();
    let said = program.refused(&["restore", "backup.zst"]).await;
    assert!(said.contains("is not empty: restore to another, or move it aside with --force"), "{said}");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let later = ada.new_conversation().await;
    let said = program.refused(&["restore", "backup.zst", "--force"]).await;
    assert!(said.contains("another Scrollback server uses the SQLite database"), "{said}");
    ada.append(&later, "goes on").await;
    // What was in the log of the database that is moved aside stays with it.
    server.kill().await;
    let printed = program.printed(&["restore", "backup.zst", "--force"]).await;
    assert!(
        printed.contains("the database that was there is now ") && printed.contains(".before-restore"),
        "{printed}"
    );
    let server = program.serve(&[]).await;
    let find = "query($id: ID!) { conversation(id: $id) { messageCount } }";
    let (code, _) = server.client("ada").fault(find, json!({ "id": later })).await;
    assert_eq!(code, "NOT_FOUND", "it came after the backup");
    server.kill().await;
    let said = program.refused(&["restore", "backup.zst", "--force"]).await;
    assert!(said.contains("scrollback.db.before-restore is there already"), "{said}");
    fs::remove_file(folder.join("data/scrollback.db")).unwrap();
    for companion in ["data/scrollback.db-wal", "data/scrollback.db-shm"] {
        let _ = fs::remove_file(folder.join(companion));
    }
    fs::rename(folder.join("data/scrollback.db.before-restore"), folder.join("data/scrollback.db")).unwrap();
    let server = program.serve(&[]).await;
    let data = server.client("ada").data(find, json!({ "id": later })).await;
    assert_eq!(data["conversation"]["messageCount"], 1, "{data}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_newer_version_is_refused_and_one_of_an_older_version_is_migrated() {
    let program = with_backup(Engine::Sqlite).await;
    let elsewhere = Program::over(Engine::Sqlite).await;
    let unpacked = zstd::decode_all(fs::File::open(program.folder().join("backup.zst")).unwrap()).unwrap();
    let file = elsewhere.folder().join("a.db");
    fs::write(&file, unpacked).unwrap();
    let newer = "INSERT INTO seaql_migrations VALUES ('m29991231_000099_future', 0)";
    run_sql(&file, newer).await;
    fs::write(elsewhere.folder().join("newer.zst"), zstd::encode_all(&*fs::read(&file).unwrap(), 3).unwrap())
        .unwrap();
    let said = elsewhere.refused(&["restore", "newer.zst"]).await;
    assert!(said.contains("m29991231_000099_future, which this version does not know"), "{said}");
    assert!(!elsewhere.folder().join("data/scrollback.db").exists());

    program.printed(&["migrate", "down", "--steps", "1"]).await;
    assert!(program.run(&["backup", "older.zst"]).await.status.success(), "it does not migrate");
    fs::copy(program.folder().join("older.zst"), elsewhere.folder().join("older.zst")).unwrap();
    super::copy_folder(&program.folder().join("data/files"), &elsewhere.folder().join("data/files"));
    let printed = elsewhere.printed(&["restore", "older.zst"]).await;
    assert_eq!(printed.lines().last(), Some("sound"), "{printed}");
}

/// A server has started there, and nobody has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_users_is_empty_unless_it_has_an_audit_log() {
    let program = with_backup(Engine::Sqlite).await;
    for (has_log, is_empty) in [(false, true), (true, false)] {
        let elsewhere = Program::over(Engine::Sqlite).await;
        let server = elsewhere.serve(&[]).await;
        server.terminate().await;
        server.ended().await;
        if has_log {
            let entry = "INSERT INTO audit_entry (created_at, actor_kind, action) VALUES (1, 2, 17)";
            run_sql(&elsewhere.folder().join("data/scrollback.db"), entry).await;
        }
        fs::copy(program.folder().join("backup.zst"), elsewhere.folder().join("backup.zst")).unwrap();
        super::copy_folder(&program.folder().join("data/files"), &elsewhere.folder().join("data/files"));
        if is_empty {
            let printed = elsewhere.printed(&["restore", "backup.zst"]).await;
            assert_eq!(printed.lines().last(), Some("sound"), "{printed}");
        } else {
            let said = elsewhere.refused(&["restore", "backup.zst"]).await;
            assert!(said.contains("is not empty"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_database_is_not_restored_to_postgres() {
    let program = with_backup(Engine::Sqlite).await;
    let elsewhere = Program::over(Engine::Postgres).await;
    fs::copy(program.folder().join("backup.zst"), elsewhere.folder().join("backup.zst")).unwrap();
    let said = elsewhere.refused(&["restore", "backup.zst"]).await;
    assert!(said.contains("cannot be restored to PostgreSQL"), "{said}");
}

/// `docs/backup.md` warns of it: a dump of the role of Scrollback must not be a dump without rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg_dump_fails_as_a_role_that_row_level_security_applies_to() {
    let program = Program::over(Engine::PostgresWithRowLevelSecurity).await;
    program.printed(&["migrate", "up"]).await;
    let database = program.variable("SCROLLBACK_DATABASE_URL");
    let dump = tokio::process::Command::new("pg_dump").arg(database).output().await.unwrap();
    let said = String::from_utf8_lossy(&dump.stderr);
    assert!(!dump.status.success() && said.contains("row-level security"), "{said}");
    assert!(program.run(&["backup", "backup.zst"]).await.status.success());
}
