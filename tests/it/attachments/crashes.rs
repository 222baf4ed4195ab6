//! SIGKILL between any two steps: no file stays without a reference, and none goes that has one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::{APPEND, CREATE, DELETE, NODE, get, hash, message, text};
use crate::harness::{Client, Engine, Program, TIMEOUT, files_in};

/// How often the server is killed. More with `SCROLLBACK_TEST_KILLS`.
fn kills() -> usize {
    std::env::var("SCROLLBACK_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

/// What some writer did, until the server went away. Each step may or may not have happened.
async fn work(client: Client, conversation: String, seed: u64) -> Option<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let delete_message = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    let mut appended: Vec<Value> = Vec::new();
    loop {
        // Few different files, so that contents are shared; some take several objects.
        let size = [10, 1_000, 5_000_000][random.random_range(0..3)];
        let file = vec![random.random_range(0..4_u8); size];
        let input = json!({ "mediaType": "image/png", "byteSize": size, "sha256": hash(&file) });
        let made = client.attempt(CREATE, json!({ "input": input })).await?;
        let made = &made["createAttachment"];
        let id = text(&made["attachment"]["id"]).to_owned();
        if let Some(url) = made["upload"]["url"].as_str() {
            let request = client.with_token("").request(reqwest::Method::PUT, url).body(file);
            request.send().await.ok()?;
        }
        match random.random_range(0..5) {
            0 => {
                client.outcome(DELETE, json!({ "id": id })).await?.ok();
            }
            1 if !appended.is_empty() => {
                let gone = appended.swap_remove(random.random_range(0..appended.len()));
                client.outcome(delete_message, json!({ "id": gone })).await?.ok();
            }
            _ => {
                // Another writer may be uploading the same file still.
                let input = json!({ "input": message(&conversation, &id) });
                if let Ok(data) = client.outcome(APPEND, input).await? {
                    appended.push(data["appendMessage"]["message"]["id"].clone());
                }
            }
        }
    }
}

/// A column of a table.
async fn ids(engine: Engine, program: &Program, query: &'static str) -> BTreeSet<String> {
    if engine == Engine::Sqlite {
        let file = program.folder().join("data/scrollback.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, Uuid>(0)).unwrap();
        return rows.map(|id| id.unwrap().simple().to_string()).collect();
    }
    let mut connection = PgConnection::connect(program.variable("SCROLLBACK_DATABASE_URL")).await.unwrap();
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get::<Uuid, _>(0).simple().to_string()).collect()
}

async fn execute(engine: Engine, program: &Program, statement: &'static str) {
    if engine == Engine::Sqlite {
        let file = program.folder().join("data/scrollback.db");
        rusqlite::Connection::open(file).unwrap().execute(statement, []).unwrap();
        return;
    }
    let mut connection = PgConnection::connect(program.variable("SCROLLBACK_DATABASE_URL")).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}

/// The names of the files, without what the end of the name says about writing them.
fn on_disk(engine: Engine, program: &Program) -> BTreeSet<String> {
    let folder = if engine == Engine::Sqlite { "data/files" } else { "files" };
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files_in(&program.folder().join(folder)).into_iter().map(name).collect()
}

const CHUNKS: &str = "SELECT id FROM blob_chunk";
const REMOVALS: &str = "SELECT id FROM object_removal";

async fn no_file_stays_or_goes_wrongly(engine: Engine) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let conversation = server.client("ada").new_conversation().await;
    server.kill().await;
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..kills() {
        let server = program.serve(&[]).await;
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let client = server.client("ada");
                tokio::spawn(work(client, conversation.clone(), seed ^ (round * 8 + writer) as u64))
            })
            .collect();
        // Any moment will do: this is not a wait for something.
        tokio::time::sleep(Duration::from_millis(random.random_range(50..800))).await;
        server.kill().await;
        for writer in writers {
            tokio::time::timeout(TIMEOUT, writer).await.unwrap().unwrap();
        }
        let (files, chunks) = (on_disk(engine, &program), ids(engine, &program, CHUNKS).await);
        let removals = ids(engine, &program, REMOVALS).await;
        let named = |file: &String| {
            let name = file.split('#').next().unwrap();
            chunks.contains(name) || removals.contains(name)
        };
        let unnamed: Vec<_> = files.iter().filter(|file| !named(file)).collect();
        assert!(unnamed.is_empty(), "round {round}: no row names {unnamed:?}");
        let missing: Vec<_> = chunks.difference(&files).collect();
        assert!(missing.is_empty(), "round {round}: there is no {missing:?}");
    }
    // An hour later, nothing is left of what was being written.
    execute(engine, &program, "UPDATE object_removal SET due_at = 0").await;
    let server = program.serve(&[]).await;
    let waiting = async {
        while on_disk(engine, &program) != ids(engine, &program, CHUNKS).await
            || !ids(engine, &program, REMOVALS).await.is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, waiting).await.expect("what nothing refers to goes");
    // Every file that a message refers to is whole.
    let ada = server.client("ada");
    let query = "query($id: ID!, $after: String) { conversation(id: $id) { messages(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor } nodes { parts { ... on FilePart { url attachment { id sha256 } } } } } } }";
    let (mut after, mut seen) = (Value::Null, BTreeMap::new());
    loop {
        let page = ada.data(query, json!({ "id": conversation, "after": after })).await;
        let messages = &page["conversation"]["messages"];
        for node in messages["nodes"].as_array().unwrap() {
            for part in node["parts"].as_array().unwrap().iter().filter(|part| part["url"].is_string()) {
                assert!(part["attachment"].is_object(), "{part}");
                seen.insert(
                    text(&part["attachment"]["id"]).to_owned(),
                    text(&part["attachment"]["sha256"]).to_owned(),
                );
            }
        }
        after = messages["pageInfo"]["endCursor"].clone();
        if messages["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert!(!seen.is_empty(), "something was referred to");
    for (id, sha256) in seen.iter().take(60) {
        let url = ada.data(NODE, json!({ "id": id })).await["node"]["downloadUrl"].clone();
        let file = get(&ada, text(&url)).await.bytes().await.unwrap();
        assert_eq!(hash(&file), *sha256);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_stays_or_goes_wrongly_on_sqlite() {
    no_file_stays_or_goes_wrongly(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_stays_or_goes_wrongly_on_postgres() {
    no_file_stays_or_goes_wrongly(Engine::Postgres).await;
}
