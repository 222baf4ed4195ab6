//! The commands: what they print, what they refuse, and a kill in the middle.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{Engine, Program, TIMEOUT};

async fn exports_move_between_servers(from: Engine, to: Engine) {
    const CONVERSATIONS: usize = 300;
    let (old, new) = (Program::over(from).await, Program::over(to).await);
    let server = old.serve(&[]).await;
    let ada = server.client("ada");
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let messages = json!([{ "role": "USER", "content": "hello" }, { "role": "ASSISTANT", "content": "hi" }]);
    for _ in 0..CONVERSATIONS {
        ada.data(create, json!({ "input": { "title": "plans", "messages": messages } })).await;
    }
    let output = old.run(&["export", "--user", "ada", "--output", "ada.jsonl"]).await;
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("exported {CONVERSATIONS} conversations with {} messages\n", 2 * CONVERSATIONS)
    );
    let file = old.folder().join("ada.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let said = old.refused(&["export", "--user", "ada", "--output", "ada.jsonl"]).await;
    assert!(said.contains("cannot create ada.jsonl"), "{said}");
    let text = fs::read_to_string(&file).unwrap();
    let printed = old.printed(&["export", "--user", "ada"]).await;
    let own = |text: &str| {
        let is_data = |line: &&str| line.starts_with("{\"conversation\"") || line.starts_with("{\"message\"");
        text.lines().filter(is_data).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(own(&printed), own(&text));
    let audit = old.printed(&["audit", "--action", "export", "--json"]).await;
    let entry: Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    assert_eq!((&entry["user"], &entry["count"]), (&json!("ada"), &json!(CONVERSATIONS)));

    // Killed in the middle, and again: each conversation is there once and whole.
    fs::copy(&file, new.folder().join("ada.jsonl")).unwrap();
    let server = new.serve(&[]).await;
    let ada = server.client("ada");
    let count = async || {
        let data = ada.data("{ viewer { conversationCount } }", json!({})).await;
        data["viewer"]["conversationCount"].as_u64().unwrap() as usize
    };
    let arguments = ["import", "ada.jsonl", "--user", "ada"];
    let mut command = new.command(&arguments).spawn().unwrap();
    let some = async { while count().await == 0 {} };
    tokio::time::timeout(TIMEOUT, some).await.unwrap();
    command.kill().await.unwrap();
    let before = count().await;
    assert!(before < CONVERSATIONS, "{before}: it was killed too late to say anything");
    let rest = CONVERSATIONS - before;
    let report = new.printed(&arguments).await;
    let messages = 2 * rest;
    let expected = format!(
        "{rest} conversations with {messages} messages imported, {before} existed already, 0 rejected"
    );
    assert_eq!(report.lines().next(), Some(expected.as_str()));
    assert_eq!(own(&new.printed(&["export", "--user", "ada"]).await), own(&text));
    // The data of nobody is an export, too.
    let nothing = new.printed(&["export", "--user", "nobody"]).await;
    assert_eq!(nothing.lines().count(), 2, "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_move_from_sqlite_to_postgres() {
    exports_move_between_servers(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_move_from_postgres_to_sqlite() {
    exports_move_between_servers(Engine::Postgres, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_file_is_said() {
    let program = Program::believing();
    let server = program.serve(&[]).await;
    crate::user_erasure::fill(&server.client("ada"), "secret").await;
    let text = program.printed(&["export", "--user", "ada"]).await;
    let change = |from: &str, to: &str| text.replacen(from, to, 1);
    let cut = text
        .lines()
        .filter(|line| !line.starts_with("{\"end\""))
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let without_a_message =
        text.lines().filter(|line| !line.contains("\"position\":3,")).map(|line| format!("{line}\n"));
    // Others that are imported with it are.
    let other = Program::believing();
    fs::write(other.folder().join("new"), change("\"version\":2", "\"version\":3")).unwrap();
    fs::write(other.folder().join("old"), &text).unwrap();
    let output = other.run(&["import", "new", "old", "--user", "ada"]).await;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.starts_with("1 conversations with 10 messages imported, "), "{printed}");
    for (text, code, expected) in [
        (change("\"version\":2", "\"version\":3"), 2, "reads \"scrollback\" up to version 2"),
        (
            "{\"title\": \"secret\"}\n".to_owned(),
            2,
            "has no conversations in a format that Scrollback can import",
        ),
        (String::new(), 2, "is empty: nothing can be imported from it"),
        (cut, 3, "the file was cut off: it has no `end`"),
        (change("{\"message\":", "{\"massage\":"), 2, "not a record of an export: unknown variant"),
        (change("\"position\":2,", "\"position\":\"secret\","), 2, "invalid type: string, expected i64"),
        (without_a_message.collect(), 2, "message 3: `position` must be 3 of 10, got 4"),
        (
            change("\"parentPosition\":1", "\"parentPosition\":2"),
            2,
            "message 2: `parentPosition` must be 0 to 1, got 2",
        ),
        (
            change("\"headPosition\":", "\"headPosition\":7"),
            2,
            "`headPosition` must be 1 to 10, or 0 without messages, got 710",
        ),
        (change("\"readPosition\":", "\"readPosition\":-"), 2, "`readPosition` must be 0 to 10, got -"),
        (change("\"role\":\"USER\"", "\"role\":\"KING\""), 2, "unknown variant `KING`"),
        (
            change("\"fingerprint\":null", "\"fingerprint\":\"AA==\""),
            2,
            "`fingerprint` must be 16 bytes in Base64",
        ),
    ] {
        let other = Program::believing();
        fs::write(other.folder().join("file"), &text).unwrap();
        let output = other.run(&["import", "file", "--user", "ada"]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
        // Only its title names a conversation.
        assert!(!said.replace("title \"secret\"", "").contains("secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_writes_every_format() {
    let program = Program::believing();
    let server = program.serve(&[]).await;
    let id = crate::user_erasure::fill(&server.client("ada"), "word").await;
    let export = ["export", "--user", "ada"];
    let with = |more: &[&'static str]| export.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    // As the server sends it.
    for format in ["uimessage", "openai-jsonl"] {
        let sent = super::http::text(&server.client("ada"), &format!("?format={format}")).await;
        assert_eq!(program.printed(&with(&["--format", format])).await, sent);
    }
    for format in ["markdown", "html"] {
        let arguments =
            [&export[..], &["--format", format, "--branches", "all", "--conversation", &id]].concat();
        assert!(program.printed(&arguments).await.contains("Begins another branch."), "{format}");
        let output = program.run(&with(&["--format", format, "--output", format])).await;
        assert!(output.status.success(), "{output:?}");
        let file = fs::File::open(program.folder().join(format)).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let pages = zip::ZipArchive::new(file).unwrap().len();
        assert_eq!(pages, if format == "html" { 2 } else { 1 });
    }
    let said = program.refused(&with(&["--format", "uimessage", "--branches", "all"])).await;
    assert!(said.contains("`--branches` must be active with the format uimessage, got all"), "{said}");
    let said = program.refused(&with(&["--conversation", "1"])).await;
    assert!(said.contains("`--conversation` must be a UUID"), "{said}");
    // What begins with nothing leaves no file.
    let missing = uuid::Uuid::new_v4().to_string();
    let arguments = [&export[..], &["--output", "none", "--conversation", &missing]].concat();
    let said = program.refused(&arguments).await;
    assert!(said.contains(&format!("there is no conversation {missing}")), "{said}");
    assert!(!program.folder().join("none").exists());
}
