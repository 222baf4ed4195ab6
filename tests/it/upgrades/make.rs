//! Makes the databases of `tests/data/upgrade`:
//!
//! ```text
//! UPGRADE_FIXTURES=tests/data/upgrade cargo test --test it upgrade_fixtures_are_made
//! ```
//!
//! Without the variable they are made in a temporary folder, to see that they still can be.
//!
//! Run it before a release that changes the schema, and commit the new folder. Folders that are there are left alone: they
//! are what that version wrote. An older schema than today's is made by undoing migrations, so its rows are those that
//! were possible then.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use sqlx::{Connection, Executor, SqliteConnection};

use super::everything;
use super::fixture::keeping_everything;
use crate::harness::{APPEND, Client, Engine, Program, Running, shared_cluster};
use crate::migrate_data::{MORE_ROWS, fill_all};

const USERS: [&str; 2] = ["ada", "bob"];

/// The level of the compression. The files stay for ever.
const LEVEL: i32 = 19;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    /// Conversations and messages, as from the first version on.
    Simple,
    /// Branches, edits, deletions, streams and token counts, too.
    Branches,
    /// A row in every table.
    Everything,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upgrade_fixtures_are_made() {
    let temporary = tempfile::tempdir().unwrap();
    let wanted = std::env::var_os("UPGRADE_FIXTURES").map(PathBuf::from);
    let target = wanted.unwrap_or_else(|| temporary.path().to_owned());
    let program = Program::over(Engine::Sqlite).await;
    let newest = program.printed(&["migrate", "up"]).await.lines().count();
    for (migrations, data) in [(1, Data::Simple), (7, Data::Branches), (newest, Data::Everything)] {
        let folder = target.join(format!("{migrations:04}"));
        make(&folder, migrations, newest, data).await;
        for file in ["sqlite.db.zst", "postgres.sql.zst", "known.json"] {
            assert!(fs::metadata(folder.join(file)).unwrap().len() > 1000, "{file} of {migrations}");
        }
    }
}

async fn make(folder: &Path, migrations: usize, newest: usize, data: Data) {
    if folder.exists() {
        return;
    }
    let program = keeping_everything(Program::over(Engine::Sqlite).await);
    let server = program.serve(&[]).await;
    let mut known = serde_json::Map::new();
    fill(&server, data).await;
    for user in USERS {
        known.insert(user.to_owned(), everything(&server.client(user)).await);
    }
    server.terminate().await;
    server.ended().await;
    program.printed(&["reindex"]).await;
    let file = program.folder().join("data/scrollback.db");
    if data == Data::Everything {
        program.printed(&["erase", "--public-key"]).await;
        run(&file, MORE_ROWS).await;
    }
    let postgres = shared_cluster().create_database().await;
    program.printed(&["migrate-data", "--from", "sqlite://data/scrollback.db", "--to", &postgres]).await;
    let steps = (newest - migrations).to_string();
    for url in ["sqlite://data/scrollback.db", &postgres].into_iter().filter(|_| newest > migrations) {
        program.printed(&["migrate", "down", "--steps", &steps, "--database-url", url]).await;
    }
    fs::create_dir_all(folder).unwrap();
    // Without free pages.
    let packed = file.with_file_name("packed.db");
    run(&file, &format!("VACUUM INTO '{}'", packed.display())).await;
    write(&folder.join("sqlite.db.zst"), &fs::read(&packed).unwrap());
    write(&folder.join("postgres.sql.zst"), shared_cluster().dump(&postgres).as_bytes());
    fs::write(folder.join("known.json"), serde_json::to_vec_pretty(&known).unwrap()).unwrap();
    let files = program.folder().join("data/files");
    if files.exists() {
        crate::backup::copy_folder(&files, &folder.join("files"));
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, zstd::encode_all(bytes, LEVEL).unwrap()).unwrap();
}

async fn run(file: &Path, sql: &str) {
    let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

async fn fill(server: &Running, data: Data) {
    if data == Data::Everything {
        fill_all(server).await;
        return;
    }
    for user in USERS {
        let client = server.client(user);
        for title in ["Café", "Plans"] {
            let conversation = simple(&client, title).await;
            if data == Data::Branches {
                branches(&client, &conversation).await;
            }
        }
        let gone = client.new_conversation().await;
        let delete =
            "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
        client.data(delete, json!({ "id": gone })).await;
    }
}

async fn simple(client: &Client, title: &str) -> String {
    let messages: Vec<_> = ["zebra one", "two \u{1F600}", "three"]
        .into_iter()
        .map(|text| json!({ "role": "USER", "content": text, "metadata": { "about": text } }))
        .collect();
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let input = json!({ "title": title, "metadata": { "b": [1, null], "a": "x" }, "messages": messages });
    let created = client.data(create, json!({ "input": input })).await;
    let id = created["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
    client.append(&id, "four").await;
    let rename = "mutation($id: ID!, $title: String!) { updateConversation(input: { id: $id, title: $title }) { conversation { id } } }";
    client.data(rename, json!({ "id": id, "title": format!("{title} renamed") })).await;
    id
}

async fn branches(client: &Client, conversation: &str) {
    let append = async |more: serde_json::Value| {
        let mut input = json!({ "conversationId": conversation, "role": "ASSISTANT", "content": "zebra" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let appended = client.data(APPEND, json!({ "input": input })).await;
        appended["appendMessage"]["message"]["id"].clone()
    };
    let answer =
        append(json!({ "model": "m", "usage": { "inputTokens": 1, "outputTokens": 2, "totalTokens": 3 } }))
            .await;
    append(json!({ "parentId": null })).await;
    append(json!({})).await;
    append(json!({ "parentId": answer, "content": null, "parts": [{ "text": { "text": "a part" } }] })).await;
    let deleted = append(json!({})).await;
    append(json!({ "status": "STREAMING" })).await;
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    client.data(delete, json!({ "id": deleted })).await;
    let edit = "mutation($id: ID!) { updateMessage(input: { id: $id, content: \"zebra, edited\" }) { message { id } } }";
    client.data(edit, json!({ "id": answer })).await;
    let count = "query($id: ID!) { conversation(id: $id) { messages(first: 100) { nodes { tokenCount } } } }";
    client.data(count, json!({ "id": conversation })).await;
}
