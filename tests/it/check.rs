//! `scrollback check`: a sound database is sound, also while a server writes; every broken rule is named; and what follows
//! from other rows is repaired.

mod broken;
pub(crate) mod database;

use std::fs;
use std::process::Output;

use serde_json::json;

use crate::harness::{APPEND_TEXT, Engine, FINISH, Program};
use crate::user_erasure::fill;
use database::Database;

/// The lines of a check, and its exit code.
async fn check(program: &Program, arguments: &[&str]) -> (Vec<String>, i32) {
    let output: Output = program.run(&[&["check"], arguments].concat()).await;
    let code = output.status.code().unwrap();
    assert_ne!(code, 1, "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(str::to_owned).collect(), code)
}

/// The rules of violations, each once, and whether all were repaired.
fn rules(lines: &[String]) -> Vec<(String, bool)> {
    let violations =
        lines.iter().filter(|line| line.split(' ').next().unwrap().trim_end_matches(':').contains('.'));
    let mut rules: Vec<(String, bool)> = violations
        .map(|line| {
            let rule = line.split([' ', ':']).next().unwrap().to_owned();
            (rule, line.ends_with("(repaired)"))
        })
        .collect();
    rules.sort();
    rules.dedup();
    rules
}

/// No check beside a server that writes finds anything: it reads one state at a time.
async fn a_database_in_use_is_sound(engine: Engine) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let (ada, bob) = (server.client("ada"), server.client("bob"));
    fill(&ada, "zebra").await;
    let conversation = fill(&bob, "zebra").await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let client = server.client(if writer % 2 == 0 { "ada" } else { "eve" });
            tokio::spawn(async move {
                let create = "mutation { createConversation(input: {}) { conversation { id } } }";
                let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
                let mut done = 0;
                // Until the server is gone.
                while let Some(Ok(data)) = client.outcome(create, json!({})).await {
                    let id = data["createConversation"]["conversation"]["id"].clone();
                    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
                    for number in 0..6 {
                        let role = if number % 2 == 0 { "USER" } else { "ASSISTANT" };
                        let mut input = json!({ "conversationId": id, "role": role, "content": "hello" });
                        if number == 3 {
                            input["parentId"] = json!(null);
                        }
                        if number == 5 {
                            input["status"] = json!("STREAMING");
                        }
                        let Some(Ok(data)) = client.outcome(append, json!({ "input": input })).await else {
                            return done;
                        };
                        if number == 5 {
                            let id = &data["appendMessage"]["message"]["id"];
                            for offset in 0..5 {
                                let text = json!({ "id": id, "offset": 5 + offset, "text": "é" });
                                client.outcome(APPEND_TEXT, text).await;
                            }
                            client.outcome(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
                        }
                        if number == 1 {
                            let id = &data["appendMessage"]["message"]["id"];
                            client.outcome(delete, json!({ "id": id })).await;
                        }
                        done += 1;
                    }
                }
                done
            })
        })
        .collect();
    for _ in 0..5 {
        let (lines, code) = check(&program, &[]).await;
        assert_eq!((code, lines.last().unwrap().as_str()), (0, "sound"), "{lines:#?}");
    }
    // A repair of a sound database changes nothing.
    let before = bob
        .data("query($id: ID!) { conversation(id: $id) { updatedAt } }", json!({ "id": conversation }))
        .await;
    let (lines, code) = check(&program, &["--repair"]).await;
    assert_eq!((code, lines.last().unwrap().as_str()), (0, "sound"), "{lines:#?}");
    let after = bob
        .data("query($id: ID!) { conversation(id: $id) { updatedAt } }", json!({ "id": conversation }))
        .await;
    assert_eq!(before, after);
    server.kill().await;
    for writer in writers {
        assert!(writer.await.unwrap() > 0, "it wrote meanwhile");
    }
    let (lines, code) = check(&program, &[]).await;
    assert_eq!((code, lines.last().unwrap().as_str()), (0, "sound"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("checked 3 users, ")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_use_is_sound_on_sqlite() {
    a_database_in_use_is_sound(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_use_is_sound_on_postgres() {
    a_database_in_use_is_sound(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_use_is_sound_behind_row_level_security() {
    a_database_in_use_is_sound(Engine::PostgresWithRowLevelSecurity).await;
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_not_created() {
    let program = Program::over(Engine::Sqlite).await;
    let said = program.refused(&["check"]).await;
    assert!(said.contains("there is no database") && said.contains("scrollback.db"), "{said}");
    assert!(!program.folder().join("data").exists());
}

#[tokio::test]
async fn a_schema_of_another_version_is_not_changed() {
    let program = Program::over(Engine::Sqlite).await;
    program.printed(&["migrate", "up"]).await;
    program.printed(&["migrate", "down", "--steps", "1"]).await;
    let said = program.refused(&["check"]).await;
    assert!(
        said.contains("the database lacks 1 migrations") && said.contains("scrollback migrate up"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_not_checked_is_said() {
    let program = Program::over(Engine::Postgres).await.with("SCROLLBACK_FILES_STORAGE", "");
    program.printed(&["migrate", "up"]).await;
    let (lines, code) = check(&program, &[]).await;
    let expected = [
        "checked 0 users, 0 conversations, 0 messages",
        "not checked: objects of attachments, because `files.storage` is not set",
        "sound",
    ];
    assert_eq!((lines.iter().map(String::as_str).collect::<Vec<_>>(), code), (expected.to_vec(), 0));
}

/// A page of an index that no query of the check reads.
#[tokio::test]
async fn a_damaged_file_is_reported_and_nothing_is_repaired() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    fill(&server.client("ada"), "zebra").await;
    server.terminate().await;
    server.ended().await;
    let database = Database::of(Engine::Sqlite, &program);
    database.run("UPDATE conversation SET message_count = 77").await;
    let page =
        database.number("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_entry_by_owner'").await;
    let file = program.folder().join("data/scrollback.db");
    let mut bytes = fs::read(&file).unwrap();
    let from = (usize::try_from(page).unwrap() - 1) * 4096;
    bytes[from..from + 4096].fill(0x55);
    fs::write(&file, bytes).unwrap();
    let (lines, code) = check(&program, &["--repair"]).await;
    assert_eq!(code, 3, "{lines:#?}");
    let names = rules(&lines);
    assert!(names.contains(&("sqlite.integrity_check".into(), false)), "{lines:#?}");
    assert!(names.contains(&("conversation.message_count".into(), false)), "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("(cannot be repaired: the file is damaged: restore a backup)"))
    );
    let (lines, _) = check(&program, &["--quick"]).await;
    assert_eq!(rules(&lines), [("conversation.message_count".to_owned(), false)], "{lines:#?}");
    assert!(lines.contains(
        &"not checked: the pages of an SQLite file, the search index, objects of attachments".into()
    ));
}
