//! Token counts: right, counted once, and never those of an earlier text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use scrollback::model::Tokenizer;
use scrollback::tokens::count;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::{DELETE, UPDATE, append};
use crate::harness::{Engine, TestApp, on_each_database, with_row_level_security};

on_each_database!(counts_follow_the_text, counts_are_kept_and_removed, hostile_texts_delay_nobody);

with_row_level_security!(counts_follow_the_text, counts_are_kept_and_removed);

/// All strings of a JSON value, keys not included.
fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The random texts of `tests/data/tokens.py`.
fn random_texts(count: usize) -> Vec<String> {
    const RANGES: [(u64, u64); 18] = [
        (0x20, 0x7e),
        (0x61, 0x7a),
        (0x41, 0x5a),
        (0x30, 0x39),
        (0x9, 0xd),
        (0x20, 0x20),
        (0xa0, 0x24f),
        (0x300, 0x36f),
        (0x370, 0x52f),
        (0x590, 0x6ff),
        (0x900, 0x97f),
        (0x2000, 0x206f),
        (0x3040, 0x30ff),
        (0x4e00, 0x9fff),
        (0xac00, 0xd7a3),
        (0x1f300, 0x1faff),
        (0x1f1e6, 0x1f1ff),
        (0x10000, 0x10ffff),
    ];
    let mut state: u64 = 1;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = || {
        let mut text = String::new();
        for _ in 0..1 + next(30) {
            let (first, last) = RANGES[usize::try_from(next(18)).unwrap()];
            for _ in 0..1 + next(8) {
                let code = u32::try_from(first + next(last - first + 1)).unwrap();
                text.push(char::from_u32(code).unwrap());
            }
        }
        text
    };
    (0..count).map(|_| text()).collect()
}

/// `tests/data/tokens.txt` has the counts of the PyPI package tiktoken.
#[test]
fn counts_are_those_of_tiktoken() {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir("tests/data").unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => strings(&serde_json::from_str(&text).unwrap(), &mut texts),
            Some("jsonl") => {
                text.lines().for_each(|line| strings(&serde_json::from_str(line).unwrap(), &mut texts));
            }
            _ => {}
        }
    }
    texts.extend(random_texts(1500));
    let fixture = fs::read_to_string("tests/data/tokens.txt").unwrap();
    let mut expected: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    for line in fixture.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        expected.insert(fields[0], [fields[1].parse().unwrap(), fields[2].parse().unwrap()]);
    }
    let mut compared = 0;
    for text in &texts {
        let hash: String = Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(expected) = expected.get(hash.as_str()) {
            let counts =
                [Tokenizer::O200kBase, Tokenizer::Cl100kBase].map(|tokenizer| count(tokenizer, text));
            assert_eq!(&counts, expected, "{text:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, expected.len(), "all texts of the fixture are here");
    assert!(compared >= 1500);
}

async fn counts_follow_the_text(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let message = append(&ada, id, "USER", 1).await;
    append(&ada, id, "USER", 7).await;
    let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { a: tokenCount b: tokenCount(tokenizer: CL100K_BASE)
        c: tokenCount(tokenizer: ESTIMATE) } } context(maxTokens: 100, tokenizer: ESTIMATE) { tokenCount } } }";
    let counts = async || {
        let data = ada.data(query, json!({ "id": id })).await["conversation"].clone();
        (data["messages"]["nodes"][0].clone(), data["context"]["tokenCount"].as_i64().unwrap())
    };
    let before = counts().await;
    assert_eq!((&before.0["c"], before.1), (&json!(1), 8));
    assert_eq!(counts().await, before, "the second time from what was kept");
    // What the caller gives as usage is no count, and a change of it does not change one.
    let usage = json!({ "input": { "id": message, "usage": { "totalTokens": 999 } } });
    ada.data(UPDATE, usage).await;
    assert_eq!(counts().await, before);
    for times in 1..4 {
        let content = "Hello world. ".repeat(times);
        let data = ada.data(UPDATE, json!({ "input": { "id": message, "content": content } })).await;
        let estimate = i64::try_from(content.len().div_ceil(4)).unwrap();
        assert_eq!(data["updateMessage"]["message"]["tokenCount"], estimate);
        let (message, window) = counts().await;
        let expected =
            [Tokenizer::O200kBase, Tokenizer::Cl100kBase].map(|tokenizer| count(tokenizer, &content));
        assert_eq!(message, json!({ "a": expected[0], "b": expected[1], "c": estimate }));
        assert_eq!(window, estimate + 7);
    }
    let parts = json!([{ "text": { "text": "abcd" } }, { "reasoning": { "text": "abcd" } },
        { "data": { "name": "x", "data": "not counted" } },
        { "tool": { "toolCallId": "c", "toolName": "abcd", "state": "OUTPUT_AVAILABLE", "input": 1, "output": [1] } }]);
    ada.data(UPDATE, json!({ "input": { "id": message, "parts": parts } })).await;
    assert_eq!(counts().await.0["c"], 5);
    ada.data(DELETE, json!({ "id": message })).await;
    assert_eq!(counts().await, (json!({ "a": 0, "b": 0, "c": 0 }), 7));
}

/// The rows of counts: for each message and tokenizer whether it has one.
async fn rows(app: &TestApp) -> i64 {
    let query = "SELECT count(tokens) FROM message_token_count";
    let url = app.config.database_url();
    match app.engine {
        Engine::Sqlite => {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        }
        _ => {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let owners = "SELECT set_config('scrollback.owners', '{ada}', false)";
            sqlx::query(owners).execute(&mut connection).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        }
    }
}

async fn counts_are_kept_and_removed(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let first = append(&ada, id, "USER", 3).await;
    append(&ada, id, "USER", 3).await;
    assert_eq!(rows(&app).await, 0, "an append does not count");
    let query = "query($id: ID!) { conversation(id: $id) { context(maxTokens: 100) { tokenCount }
        messages { nodes { tokenCount(tokenizer: ESTIMATE) } } } }";
    ada.data(query, json!({ "id": id })).await;
    assert_eq!(rows(&app).await, 4);
    ada.data(query, json!({ "id": id })).await;
    assert_eq!(rows(&app).await, 4);
    let input = json!({ "id": first, "content": "other" });
    let update = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";
    ada.data(update, json!({ "input": input })).await;
    assert_eq!(rows(&app).await, 2);
    ada.data(update, json!({ "input": { "id": first, "pinned": true } })).await;
    ada.data(query, json!({ "id": id })).await;
    assert_eq!(rows(&app).await, 4);
    ada.data(DELETE, json!({ "id": first })).await;
    assert_eq!(rows(&app).await, 2);
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": id })).await;
    assert_eq!(rows(&app).await, 0);
}

async fn hostile_texts_delay_nobody(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    for unit in ["a", " ", "\n", "\t "] {
        ada.append(id, &unit.repeat(256 * 1024 / unit.len())).await;
    }
    let query = "query($id: ID!) { conversation(id: $id) { context(maxTokens: 10000000) { tokenCount } } }";
    let (counted, others) = tokio::join!(ada.data(query, json!({ "id": id })), async {
        let bob = app.client("bob");
        for _ in 0..20 {
            bob.data("{ viewer { id } }", json!({})).await;
        }
    });
    let () = others;
    assert!(counted["conversation"]["context"]["tokenCount"].as_i64().unwrap() > 50_000);
}
