//! Imports of conversations, and reading them over HTTP.

mod attachments;
mod dates;
mod files;
mod growth;
mod http;
mod report;
mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Client, Engine, Program, Running};

/// The messages of conversations, by the ids that these have in their file.
type Conversations = BTreeMap<String, Vec<(String, String)>>;

/// The committed sample, and the whole file where it lies beside the checkout.
fn files(sample: &str, whole: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = root.join("../shared/data").join(whole);
    let mut files = vec![root.join("tests/data").join(sample)];
    files.extend(whole.exists().then_some(whole));
    files
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What a file of message trees holds: every message, by the texts from the root to it, and of each tree
/// the best answer to the best answer, and so on.
fn trees(file: &[u8]) -> (Conversations, BTreeMap<String, Vec<Vec<String>>>) {
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut best, mut all) = (Conversations::new(), BTreeMap::new());
    for line in lines {
        let tree: Value = serde_json::from_slice(line).unwrap();
        let (mut messages, mut node) = (Vec::new(), tree["prompt"].clone());
        while node.is_object() {
            let role = if node["role"] == "prompter" { "USER" } else { "ASSISTANT" };
            messages.push((role.to_owned(), text(&node["text"])));
            let mut replies = node["replies"].as_array().unwrap().clone();
            replies.sort_by_key(|reply| reply["rank"].as_i64().unwrap_or(i64::MAX));
            node = replies.first().cloned().unwrap_or_default();
        }
        let mut paths = Vec::new();
        let mut rest = vec![(Vec::new(), tree["prompt"].clone())];
        while let Some((mut path, node)) = rest.pop() {
            path.push(text(&node["text"]));
            rest.extend(
                node["replies"].as_array().unwrap().iter().map(|reply| (path.clone(), reply.clone())),
            );
            paths.push(path);
        }
        paths.sort();
        best.insert(text(&tree["message_tree_id"]), messages);
        all.insert(text(&tree["message_tree_id"]), paths);
    }
    (best, all)
}

/// Every message a client has on any branch, by the texts from the root to it.
async fn every_path(client: &Client) -> BTreeMap<String, Vec<Vec<String>>> {
    let list = "query($after: String) { conversations(first: 20, after: $after) {
      nodes { id metadata messageCount messages(last: 1) { nodes { siblings { id } } } }
      pageInfo { hasNextPage endCursor } } }";
    let feed = "query($after: String) { changes(after: $after, first: 100) {
      nodes { conversationId ... on MessageAdded { messageId } } endCursor hasNextPage } }";
    let mut messages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let page = client.data(feed, json!({ "after": after })).await["changes"].clone();
        for node in page["nodes"].as_array().unwrap().iter().filter(|node| node["messageId"].is_string()) {
            messages.entry(text(&node["conversationId"])).or_default().push(text(&node["messageId"]));
        }
        after = page["endCursor"].clone();
        if page["hasNextPage"] == false {
            break;
        }
    }
    let read = "query($id: ID!, $leafId: ID!) { conversation(id: $id) { messages(first: 100, leafId: $leafId) { nodes { content } } } }";
    let (mut all, mut after) = (BTreeMap::new(), Value::Null);
    loop {
        let page = client.data(list, json!({ "after": after })).await["conversations"].clone();
        for node in page["nodes"].as_array().unwrap() {
            let id = text(&node["id"]);
            assert_eq!(node["messageCount"], messages[&id].len());
            let mut paths = Vec::new();
            for leaf in &messages[&id] {
                let data = client.data(read, json!({ "id": id, "leafId": leaf })).await;
                let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
                paths.push(nodes.iter().map(|node| text(&node["content"])).collect::<Vec<_>>());
            }
            paths.sort();
            all.insert(text(&node["metadata"]["sourceId"]), paths);
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
    }
}

/// What a file of ShareGPT conversations holds.
fn shared(file: &[u8]) -> Conversations {
    let conversations: Vec<Value> = serde_json::from_slice(file).unwrap();
    let message = |turn: &Value| {
        let role = if turn["from"] == "human" { "USER" } else { "ASSISTANT" };
        (role.to_owned(), text(&turn["value"]))
    };
    let messages = |found: &Value| found["conversations"].as_array().unwrap().iter().map(message).collect();
    conversations.iter().map(|found| (text(&found["id"]), messages(found))).collect()
}

/// Everything a client has, read page by page.
async fn everything(client: &Client) -> Conversations {
    let query = "query($after: String) { conversations(first: 20, after: $after) {
      nodes { metadata messageCount messages(first: 20) { nodes { role content } } }
      pageInfo { hasNextPage endCursor } } }";
    let (mut all, mut after) = (Conversations::new(), Value::Null);
    loop {
        let page = client.data(query, json!({ "after": after })).await["conversations"].clone();
        for node in page["nodes"].as_array().unwrap() {
            let messages = node["messages"]["nodes"].as_array().unwrap();
            let messages = messages.iter().map(|message| (text(&message["role"]), text(&message["content"])));
            let earlier = all.insert(text(&node["metadata"]["sourceId"]), messages.collect());
            assert_eq!(earlier, None, "no conversation is there twice");
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
    }
}

/// Imports a file twice for ada and once for bob, beside a server that runs over the same database.
async fn assert_imported(
    engine: Engine,
    file: &Path,
    expected: &Conversations,
    messages: usize,
) -> (Program, Running) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let conversations = expected.len();
    let new = format!(
        "{conversations} conversations with {messages} messages imported, 0 existed already, 0 rejected"
    );
    let again =
        format!("0 conversations with 0 messages imported, {conversations} existed already, 0 rejected");
    for (user, report) in [("ada", &new), ("ada", &again), ("bob", &new)] {
        let printed = program.printed(&["import", file.to_str().unwrap(), "--user", user]).await;
        assert_eq!(printed.lines().next(), Some(report.as_str()), "{user}");
        assert!(everything(&server.client(user)).await == *expected, "{user} has just what the file holds");
    }
    assert!(everything(&server.client("ada")).await == *expected, "what bob imports is bob's");
    assert_eq!(everything(&server.client("eve")).await, Conversations::new());
    (program, server)
}

#[tokio::test]
async fn openassistant_trees_are_imported_whole_with_the_best_answers_active() {
    let files = files("openassistant.jsonl", "openassistant/en_100_tree.jsonl");
    for (file, counts) in files.into_iter().zip([(6, 16, None), (100, 323, Some(1167))]) {
        let (best, all) = trees(&fs::read(&file).unwrap());
        assert_eq!((best.len(), best.values().map(Vec::len).sum()), (counts.0, counts.1));
        let messages = all.values().map(Vec::len).sum();
        assert!(counts.2.is_none_or(|count| count == messages), "{messages}");
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let (_program, server) = assert_imported(engine, &file, &best, messages).await;
            assert!(every_path(&server.client("ada")).await == all, "every branch is there");
        }
    }
}

#[tokio::test]
async fn chatgpt_exports_are_imported_with_their_active_path() {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let node = |parent: &str, children: &[&str], role: &str, text: &str| {
        let content = json!({ "content_type": "text", "parts": [text] });
        json!({ "parent": parent, "children": children, "message": { "author": { "role": role }, "content": content } })
    };
    // The first question was edited, and one of the answers to it regenerated.
    let export = json!([{ "id": "c", "title": "T", "current_node": "b2", "default_model_slug": "m-1", "mapping": {
        "root": { "parent": null, "children": ["a", "b"], "message": null },
        "a": node("root", &["a1"], "user", "first"), "a1": node("a", &[], "assistant", "answer"),
        "b": node("root", &["b1", "b2"], "user", "first, edited"),
        "b1": node("b", &[], "assistant", "one"), "b2": node("b", &[], "assistant", "two"),
    } }, { "id": "folder" }]);
    fs::write(program.folder().join("conversations.json"), export.to_string()).unwrap();
    for report in [
        "1 conversations with 5 messages imported, 0 existed already, 1 rejected",
        "0 conversations with 0 messages imported, 1 existed already, 1 rejected",
    ] {
        let output = program.run(&["import", "conversations.json", "--user", "ada"]).await;
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), printed.lines().next()), (Some(3), Some(report)));
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = "conversations.json: conversation 2 (id \"folder\"): it has no `mapping`";
        assert!(said.lines().any(|line| line == expected), "{said}");
    }
    let ada = server.client("ada");
    let active = everything(&ada).await;
    let contents: Vec<_> = active["c"].iter().map(|(_, content)| content.as_str()).collect();
    assert_eq!(contents, ["first, edited", "two"]);
    let path = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut expected = vec![
        path(&["first"]),
        path(&["first", "answer"]),
        path(&["first, edited"]),
        path(&["first, edited", "one"]),
        path(&["first, edited", "two"]),
    ];
    expected.sort();
    assert_eq!(every_path(&ada).await["c"], expected);
    // Published exports.
    for file in files("chatgpt.json", "chatgpt/sample-00.json") {
        let report = program.printed(&["import", file.to_str().unwrap(), "--user", "bob"]).await;
        assert!(report.starts_with("1 conversations with ") && report.contains(" 0 rejected\n"), "{report}");
    }
}

#[tokio::test]
async fn sharegpt_conversations_are_imported() {
    let files = files("sharegpt.json", "sharegpt/dummy_conversation.json");
    for (file, counts) in files.into_iter().zip([(8, 30), (500, 2000)]) {
        let expected = shared(&fs::read(&file).unwrap());
        assert_eq!((expected.len(), expected.values().map(Vec::len).sum()), counts);
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let messages = expected.values().map(Vec::len).sum();
            assert_imported(engine, &file, &expected, messages).await;
        }
    }
}
