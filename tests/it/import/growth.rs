//! Newer exports of the same account, and imports that were interrupted.

use std::fs;

use serde_json::{Value, json};

use super::sources::export;
use crate::harness::{Client, Engine, Program, TIMEOUT};

/// A conversation of ChatGPT: nodes with their parents, in order; the last one is the current one.
fn conversation(id: &str, nodes: &[(&str, &str)], current: &str) -> Value {
    let mapping: serde_json::Map<String, Value> = nodes
        .iter()
        .map(|(id, parent)| {
            let role = if id.starts_with('q') { "user" } else { "assistant" };
            let content = json!({ "content_type": "text", "parts": [format!("text of {id}")] });
            let message =
                json!({ "author": { "role": role }, "create_time": 1_700_000_000, "content": content });
            ((*id).to_owned(), json!({ "parent": parent, "children": [], "message": message }))
        })
        .collect();
    json!({ "id": id, "title": id, "update_time": 1_700_000_000, "current_node": current, "mapping": mapping })
}

const READ: &str = "{ conversations(first: 50) { nodes { id title messageCount unreadCount
    messages { nodes { id content } } } } }";

/// The contents of the active branch of a conversation.
async fn active(ada: &Client, title: &str) -> (Value, Vec<String>) {
    let found = ada.data(READ, json!({})).await["conversations"]["nodes"].take();
    let node = found.as_array().unwrap().iter().find(|node| node["title"] == title).unwrap().clone();
    let messages = node["messages"]["nodes"].as_array().unwrap().clone();
    (node, messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect())
}

async fn import(program: &Program, conversations: &[Value]) -> String {
    fs::write(program.folder().join("export.json"), json!(conversations).to_string()).unwrap();
    let printed = program.printed(&["import", "export.json", "--user", "ada"]).await;
    printed.lines().next().unwrap().to_owned()
}

async fn a_newer_export_adds_only_what_is_new(engine: Engine) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let short = [("q1", "root"), ("a1", "q1")];
    let names = ["longer", "regenerated", "renamed", "written", "edited", "trashed", "same"];
    let old: Vec<_> = names.iter().map(|name| conversation(name, &short, "a1")).collect();
    assert_eq!(
        import(&program, &old).await,
        "7 conversations with 14 messages imported, 0 existed already, 0 rejected"
    );
    // What the user does here.
    let id = async |title: &str| active(&ada, title).await.0["id"].as_str().unwrap().to_owned();
    let renamed = id("renamed").await;
    let rename = "mutation($id: ID!) { updateConversation(input: { id: $id, title: \"mine\", labels: [\"kept\"] }) { conversation { id } } }";
    ada.data(rename, json!({ "id": renamed })).await;
    ada.append(&id("written").await, "written here").await;
    let message = active(&ada, "edited").await.0["messages"]["nodes"][1]["id"].clone();
    let edit = "mutation($id: ID!) { updateMessage(input: { id: $id, content: \"edited here\" }) { message { id } } }";
    ada.data(edit, json!({ "id": message })).await;
    let trash = "mutation($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }";
    ada.data(trash, json!({ "id": id("trashed").await })).await;
    // What happened at the source.
    let longer = [&short[..], &[("q2", "a1"), ("a2", "q2")]].concat();
    let branched = [&short[..], &[("a1b", "q1"), ("q2", "a1b")]].concat();
    let new = [
        conversation("longer", &longer, "a2"),
        conversation("regenerated", &branched, "q2"),
        conversation("renamed", &longer, "a2"),
        conversation("written", &longer, "a2"),
        conversation("edited", &longer, "a2"),
        conversation("trashed", &longer, "a2"),
        conversation("same", &short, "a1"),
        conversation("new", &short, "a1"),
    ];
    let grown = "1 conversations with 12 messages imported, 5 conversations have grown, 2 existed already, 0 rejected";
    assert_eq!(import(&program, &new).await, grown);
    let again = "0 conversations with 0 messages imported, 8 existed already, 0 rejected";
    assert_eq!(import(&program, &new).await, again);

    let texts = |ids: &[&str]| ids.iter().map(|id| format!("text of {id}")).collect::<Vec<_>>();
    let (node, found) = active(&ada, "longer").await;
    assert_eq!((found, &node["unreadCount"]), (texts(&["q1", "a1", "q2", "a2"]), &json!(0)));
    let (node, found) = active(&ada, "regenerated").await;
    assert_eq!((found, &node["messageCount"]), (texts(&["q1", "a1b", "q2"]), &json!(4)));
    assert_eq!(
        active(&ada, "mine").await.1,
        texts(&["q1", "a1", "q2", "a2"]),
        "the title stays that of the user"
    );
    // What was written here stays the active branch, beside what is new.
    let (node, found) = active(&ada, "written").await;
    assert_eq!(found, [texts(&["q1", "a1"]), vec!["written here".to_owned()]].concat());
    assert_eq!(node["messageCount"], 5);
    let siblings =
        "query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { siblings { content } } } } }";
    let siblings = ada.data(siblings, json!({ "id": node["id"] })).await;
    let siblings = &siblings["conversation"]["messages"]["nodes"][0]["siblings"];
    assert_eq!(*siblings, json!([{ "content": "written here" }, { "content": "text of q2" }]));
    let (_, found) = active(&ada, "edited").await;
    assert_eq!(found, ["text of q1", "edited here", "text of q2", "text of a2"]);
    // Appends go on as ever.
    ada.append(node["id"].as_str().unwrap(), "more").await;
    assert_eq!(active(&ada, "written").await.1.last().unwrap(), "more");
}

/// Kills imports in the middle, again and again, until one comes to its end.
async fn an_import_can_be_killed_and_repeated(engine: Engine) {
    let program = Program::over(engine).await;
    let ids: Vec<String> = (0..3000).map(|number| format!("c-{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    fs::write(program.folder().join("export.json"), export(&ids)).unwrap();
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let count = async || {
        let data = ada.data("{ viewer { conversationCount } }", json!({})).await;
        data["viewer"]["conversationCount"].as_u64().unwrap()
    };
    let arguments = ["import", "export.json", "--user", "ada"];
    for round in 1..=3 {
        let before = count().await;
        let mut command = program.command(&arguments).spawn().unwrap();
        let some = async { while count().await == before {} };
        tokio::time::timeout(TIMEOUT, some).await.unwrap();
        if round % 2 == 0 {
            command.kill().await.unwrap();
        } else {
            // Ctrl-C.
            let process = command.id().unwrap().to_string();
            tokio::process::Command::new("kill").args(["-INT", &process]).status().await.unwrap();
            command.wait().await.unwrap();
        }
    }
    let before = count().await;
    assert!((3..3000).contains(&before), "{before}: it was killed too late to say anything");
    let printed = program.printed(&arguments).await;
    let expected = format!(
        "{} conversations with {} messages imported, {before} existed already",
        3000 - before,
        2 * (3000 - before)
    );
    assert!(printed.starts_with(&expected), "{printed}");
    let all = ada
        .data(
            "{ viewer { conversationCount } conversations(first: 100) { nodes { messageCount } } }",
            json!({}),
        )
        .await;
    assert_eq!(all["viewer"]["conversationCount"], 3000);
    assert!(all["conversations"]["nodes"].as_array().unwrap().iter().all(|node| node["messageCount"] == 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_export_adds_only_what_is_new_on_sqlite() {
    a_newer_export_adds_only_what_is_new(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_export_adds_only_what_is_new_on_postgres() {
    a_newer_export_adds_only_what_is_new(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_can_be_killed_and_repeated_on_sqlite() {
    an_import_can_be_killed_and_repeated(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_can_be_killed_and_repeated_on_postgres() {
    an_import_can_be_killed_and_repeated(Engine::Postgres).await;
}
