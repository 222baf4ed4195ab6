//! Loading conversations of other systems, and reading them back over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Client, Engine, Program};

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

/// What a file of message trees holds: of each tree the best answer to the best answer, and so on.
fn trees(file: &[u8]) -> Conversations {
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let path = |line: &[u8]| {
        let tree: Value = serde_json::from_slice(line).unwrap();
        let (mut messages, mut node) = (Vec::new(), tree["prompt"].clone());
        while node.is_object() {
            let role = if node["role"] == "prompter" { "USER" } else { "ASSISTANT" };
            messages.push((role.to_owned(), text(&node["text"])));
            let mut replies = node["replies"].as_array().unwrap().clone();
            replies.sort_by_key(|reply| reply["rank"].as_i64().unwrap_or(i64::MAX));
            node = replies.first().cloned().unwrap_or_default();
        }
        (text(&tree["message_tree_id"]), messages)
    };
    lines.map(path).collect()
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
            assert_eq!(node["messageCount"], messages.len());
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
async fn assert_imported(engine: Engine, format: &str, file: &Path, expected: &Conversations) {
    let program = Program::over(engine).await;
    let server = program.serve(&[]).await;
    let (conversations, messages) = (expected.len(), expected.values().map(Vec::len).sum::<usize>());
    let new = format!(
        "{conversations} conversations with {messages} messages imported, 0 were there already, 0 refused\n"
    );
    let again =
        format!("0 conversations with 0 messages imported, {conversations} were there already, 0 refused\n");
    for (user, report) in [("ada", &new), ("ada", &again), ("bob", &new)] {
        let printed = program.printed(&["import", format, file.to_str().unwrap(), "--user", user]).await;
        assert_eq!(&printed, report, "{user}");
        assert!(everything(&server.client(user)).await == *expected, "{user} has just what the file holds");
    }
    assert!(everything(&server.client("ada")).await == *expected, "what bob imports is bob's");
    assert_eq!(everything(&server.client("eve")).await, Conversations::new());
}

#[tokio::test]
async fn openassistant_trees_are_imported_by_their_best_answers() {
    let files = files("openassistant.jsonl", "openassistant/en_100_tree.jsonl");
    for (file, counts) in files.into_iter().zip([(6, 16), (100, 323)]) {
        let expected = trees(&fs::read(&file).unwrap());
        assert_eq!((expected.len(), expected.values().map(Vec::len).sum()), counts);
        for engine in [Engine::Sqlite, Engine::Postgres] {
            assert_imported(engine, "openassistant", &file, &expected).await;
        }
    }
}

#[tokio::test]
async fn sharegpt_conversations_are_imported() {
    let files = files("sharegpt.json", "sharegpt/dummy_conversation.json");
    for (file, counts) in files.into_iter().zip([(8, 30), (500, 2000)]) {
        let expected = shared(&fs::read(&file).unwrap());
        assert_eq!((expected.len(), expected.values().map(Vec::len).sum()), counts);
        for engine in [Engine::Sqlite, Engine::Postgres] {
            assert_imported(engine, "sharegpt", &file, &expected).await;
        }
    }
}

#[tokio::test]
async fn bad_lines_are_told_by_file_and_number_and_skipped() {
    let program = Program::over(Engine::Sqlite).await;
    let tree = |id: &str, content: &str| {
        let reply = json!({ "message_id": "r", "text": content, "role": "assistant", "replies": [] });
        let prompt = json!({ "message_id": "p", "text": "Hi", "role": "prompter", "replies": [reply] });
        json!({ "message_tree_id": id, "prompt": prompt }).to_string().into_bytes()
    };
    let largest = "x".repeat(256 * 1024);
    let lines = [
        (tree("one", " 👩‍👩‍👧‍👦\r\n\u{FFFE}"), None),
        (b"not JSON".to_vec(), Some("not a message tree: ")),
        (Vec::new(), None),
        (br#"{"message_tree_id":"x"}"#.to_vec(), Some("not a message tree: missing field `prompt`")),
        (b"{\"message_tree_id\":\"\xff\"}".to_vec(), Some("not a message tree: ")),
        (tree("empty", ""), Some("`messages[1]")),
        (tree("nul", "a\0b"), Some("`messages[1]")),
        (tree("large", &format!("{largest}x")), Some("`messages[1]")),
        (tree("two", &largest), None),
    ];
    let file = program.folder().join("trees.jsonl");
    fs::write(&file, lines.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n')).unwrap();
    let output = program.run(&["import", "openassistant", "trees.jsonl", "--user", "ada"]).await;
    let report = "2 conversations with 4 messages imported, 0 were there already, 6 refused\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), report);
    let errors = String::from_utf8(output.stderr).unwrap();
    let told: Vec<_> = errors.lines().filter(|line| line.starts_with("trees.jsonl:")).collect();
    let expected = (1..).zip(&lines).filter_map(|(number, (_, reason))| Some((number, (*reason)?)));
    let expected: Vec<_> =
        expected.map(|(number, reason)| format!("trees.jsonl:{number}: {reason}")).collect();
    assert_eq!(told.len(), expected.len(), "{errors}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(&expected), "{told}");
    }
    let server = program.serve(&[]).await;
    let kept = everything(&server.client("ada")).await;
    let message = |role: &str, content: &str| (role.to_owned(), content.to_owned());
    assert_eq!(kept["one"], [message("USER", "Hi"), message("ASSISTANT", " 👩‍👩‍👧‍👦\r\n\u{FFFE}")]);
    assert_eq!(kept["two"], [message("USER", "Hi"), message("ASSISTANT", &largest)]);
    let refused = program.refused(&["import", "openassistant", "absent.jsonl", "--user", "ada"]).await;
    assert!(refused.contains("cannot read absent.jsonl"), "{refused}");
}
