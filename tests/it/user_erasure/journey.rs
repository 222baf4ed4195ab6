//! A person asks to be forgotten: the operator's command beside a busy server, with a kill in the middle.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::fill;
use crate::harness::{Client, Engine, Program, TIMEOUT, back_end_token, files_in};

/// What the database has, in any form.
async fn dump(engine: Engine, program: &Program) -> Vec<u8> {
    if engine == Engine::Sqlite {
        return files_in(&program.folder().join("data"))
            .into_iter()
            .flat_map(|file| fs::read(file).unwrap())
            .collect();
    }
    let mut connection = PgConnection::connect(program.variable("SCROLLBACK_DATABASE_URL")).await.unwrap();
    let tables =
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()";
    let mut text = String::new();
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let rows = format!("SELECT row_to_json(t)::text FROM \"{}\" AS t", table.get::<String, _>(0));
        for row in sqlx::query(sqlx::AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap() {
            text.push_str(&row.get::<String, _>(0));
        }
    }
    text.into_bytes()
}

fn has(dump: &[u8], word: &str) -> bool {
    memchr::memmem::find(dump, word.as_bytes()).is_some()
}

async fn count(client: &Client) -> i64 {
    client.data("{ viewer { conversationCount } }", json!({})).await["viewer"]["conversationCount"]
        .as_i64()
        .unwrap()
}

async fn a_person_asks_to_be_forgotten(engine: Engine) {
    const CONVERSATIONS: i64 = 1000;
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let person = format!("person-{}", Uuid::new_v4().simple());
    let word = format!("word{}", Uuid::new_v4().simple());
    let (client, bob) = (server.client(&person), server.client("bob"));
    for _ in 0..CONVERSATIONS {
        let messages = json!([{ "role": "USER", "content": word }, { "role": "ASSISTANT", "content": word }]);
        client.data(super::CREATE, json!({ "input": { "title": word, "messages": messages } })).await;
    }
    fill(&client, &word).await;
    fill(&bob, "kept").await;
    let acting = Client::new(&server.url, Some(back_end_token(Duration::from_secs(600)))).acting_for(&person);
    let of_back_end = acting.new_conversation().await;
    let search = "query($word: String!) { searchMessages(query: $word) { nodes { id } } }";
    let found = client.data(search, json!({ "word": word })).await;
    assert!(!found["searchMessages"]["nodes"].as_array().unwrap().is_empty());
    let before = dump(engine, &program).await;
    assert!(has(&before, &person) && has(&before, &word));

    // Killed in the middle, the command and the server: another server or command ends what was begun.
    let mut command = program.command(&["erase", "--user", &person]).spawn().unwrap();
    let some = async { while count(&client).await > CONVERSATIONS {} };
    tokio::time::timeout(TIMEOUT, some).await.unwrap();
    command.kill().await.unwrap();
    server.kill().await;
    let server = program.serve(&[]).await;
    let erased = async {
        loop {
            let done = program.printed(&["audit", "--action", "userErased", "--json"]).await;
            if !done.is_empty() {
                break serde_json::from_str::<Value>(&done).unwrap();
            }
        }
    };
    let erased = tokio::time::timeout(TIMEOUT, erased).await.expect("the server goes on by itself");
    assert_eq!((&erased["actorKind"], &erased["user"]), (&json!("server"), &Value::Null));

    // The operator asks again, gets the receipt, keeps it, and checks it later.
    let receipt = program.printed(&["erase", "--user", &person]).await;
    assert_eq!(serde_json::from_str::<Value>(&receipt).unwrap(), erased["receipt"]);
    let rows = &erased["receipt"]["content"]["rows"];
    assert_eq!(
        (&rows["conversation"], &rows["message"]),
        (&json!(CONVERSATIONS + 2), &json!(2 * CONVERSATIONS + 10))
    );
    let file = program.folder().join("receipt.json");
    fs::write(&file, &receipt).unwrap();
    let verify = ["erase", "--user", &person, "--verify", "receipt.json"];
    let confirmed = program.printed(&verify).await;
    assert!(confirmed.starts_with(&format!("confirmed: {person} was erased at ")), "{confirmed}");
    let key = program.printed(&["erase", "--public-key"]).await;
    assert_eq!(erased["receipt"]["publicKey"], key.trim());
    fs::write(&file, receipt.replace("\"conversation\": 1002", "\"conversation\": 2")).unwrap();
    let output = program.run(&verify).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the receipt was changed"), "{output:?}");

    // Nothing is left of the person; all is left of the other user.
    let nothing = async {
        loop {
            let now = dump(engine, &program).await;
            if ![&person, &word].iter().any(|text| has(&now, text)) {
                break;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, nothing).await.expect("a dump without the person");
    let bob = server.client("bob");
    assert_eq!(count(&bob).await, 1);
    let found = bob.data(search, json!({ "word": "kept" })).await;
    assert_eq!(found["searchMessages"]["nodes"].as_array().unwrap().len(), 7);
    // The audit log still says what the back end did, not for whom.
    let audit = program.printed(&["audit", "--user", &person]).await;
    let hash = erased["erasedUserHash"].as_str().unwrap();
    let actions: Vec<_> = audit
        .lines()
        .map(|line| line.split(" erased=").next().unwrap().rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(actions, ["createConversation", "eraseUser", "userErased"], "{audit}");
    assert!(audit.lines().all(|line| line.contains(hash)) && audit.contains(&of_back_end));
    program.printed(&["erase", "--user", &person, "--vacuum"]).await;
    for (arguments, expected) in [
        (&["erase", "--user", ""][..], "--user is not valid"),
        (&["erase", "--user", "ada", "--verify", "missing.json"], "cannot read missing.json"),
        (&["erase", "--user", "ada", "--verify", "scrollback.toml"], "scrollback.toml"),
    ] {
        let said = program.refused(arguments).await;
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_asks_to_be_forgotten_on_sqlite() {
    a_person_asks_to_be_forgotten(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_asks_to_be_forgotten_on_postgres() {
    a_person_asks_to_be_forgotten(Engine::Postgres).await;
}
