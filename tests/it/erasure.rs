//! Erasure: deleted data is not in any file of SQLite.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{APPEND, APPEND_TEXT, Client, Engine, Program, Running, TIMEOUT};

const CREATE: &str = "mutation($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { id } }
}";
const UPDATE: &str = "mutation($input: UpdateConversationInput!) {
  updateConversation(input: $input) { conversation { id } }
}";
const DELETE: &str =
    "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
const UPDATE_MESSAGE: &str =
    "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";
const DELETE_MESSAGE: &str = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
const FINISH: &str =
    "mutation($input: FinishMessageInput!) { finishMessage(input: $input) { message { content } } }";

/// A word that is nowhere else.
fn unique() -> String {
    format!("unique{}", Uuid::new_v4().simple())
}

/// A text on many pages, with the word on each of them.
fn long(word: &str) -> String {
    format!("{word} ").repeat(1000)
}

/// The files of a program's data folder that hold a word.
fn holders(program: &Program, word: &str) -> Vec<String> {
    let files = fs::read_dir(program.folder().join("data")).unwrap().map(|entry| entry.unwrap());
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        memchr::memmem::find(&bytes, word.as_bytes()).is_some()
    };
    files.filter(|file| holds(&file.path())).map(|file| file.file_name().into_string().unwrap()).collect()
}

/// Waits until none of these words is in the files.
async fn erased(program: &Program, words: &[String]) {
    let deadline = Instant::now() + TIMEOUT;
    for word in words {
        loop {
            let holders = holders(program, word);
            if holders.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{word} is in {holders:?}");
            tokio::task::yield_now().await;
        }
    }
}

/// None of these words is in the files, nor after the server has ended.
async fn erased_for_good(program: &Program, server: Running, words: &[String]) {
    erased(program, words).await;
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for word in words {
        assert_eq!(holders(program, word), [""; 0], "{word}");
    }
}

fn id(message: &Value) -> String {
    message["id"].as_str().unwrap().to_owned()
}

async fn create(client: &Client, input: Value) -> String {
    id(&client.data(CREATE, json!({ "input": input })).await["createConversation"]["conversation"])
}

async fn append(client: &Client, input: Value) -> String {
    id(&client.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"])
}

/// A server with some messages that stay, and a conversation.
async fn started() -> (Program, Running, Client, String) {
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let other = ada.new_conversation().await;
    let conversation = ada.new_conversation().await;
    for n in 0..20 {
        ada.append(&other, &format!("{n} stays")).await;
        ada.append(&conversation, &format!("{n} stays").repeat(n + 1)).await;
    }
    (program, server, ada, conversation)
}

#[tokio::test]
async fn deleted_messages() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..6).map(|_| unique()).collect();
    let part = json!([{ "text": { "text": long(&words[2]) } }, { "data": { "name": "a", "data": { "b": words[3] } } }]);
    for input in [
        json!({ "content": words[0], "metadata": { "word": words[1] } }),
        json!({ "parts": part }),
        json!({ "content": long(&words[4]), "metadata": { "word": long(&words[5])[..3000] } }),
    ] {
        let mut input = input;
        input["conversationId"] = json!(conversation);
        input["role"] = json!("USER");
        let message = append(&ada, input).await;
        ada.append(&conversation, "stays").await;
        ada.data(DELETE_MESSAGE, json!({ "id": message })).await;
    }
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn cleared_conversations() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..3).map(|_| unique()).collect();
    let part = json!([{ "text": { "text": long(&words[1]), "extra": { "word": words[2] } } }]);
    for body in [json!({ "content": words[0] }), json!({ "parts": part })] {
        let mut input = json!({ "conversationId": conversation, "role": "USER" });
        input.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        append(&ada, input).await;
    }
    let clear = "mutation($id: ID!) { clearConversation(input: { id: $id }) { conversation { id } } }";
    ada.data(clear, json!({ "id": conversation })).await;
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn edited_messages() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..4).map(|_| unique()).collect();
    for (content, metadata, edited) in [
        (words[0].clone(), &words[1], "short".to_owned()),
        (long(&words[2]), &words[3], "longer ".repeat(3000)),
    ] {
        let metadata = json!({ "word": metadata });
        let input = json!({ "conversationId": conversation, "role": "USER", "content": content, "metadata": metadata });
        let message = append(&ada, input).await;
        let input = json!({ "id": message, "content": edited, "metadata": {} });
        ada.data(UPDATE_MESSAGE, json!({ "input": input })).await;
    }
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn titles_metadata_and_deleted_conversations() {
    let (program, server, ada, _) = started().await;
    let words: Vec<String> = (0..7).map(|_| unique()).collect();
    let metadata = |word: &str| json!({ "word": word, "long": long(word)[..6000] });
    let id = create(&ada, json!({ "title": words[0], "metadata": metadata(&words[1]) })).await;
    let renamed = json!({ "id": id, "title": words[2], "metadata": metadata(&words[3]) });
    ada.data(UPDATE, json!({ "input": renamed })).await;
    erased(&program, &words[..2]).await;
    ada.append(&id, &words[4]).await;
    ada.append(&id, &long(&words[5])).await;
    let first = ada.append(&id, "asked").await;
    let branch =
        json!({ "conversationId": id, "parentId": first["id"], "role": "USER", "content": words[6] });
    append(&ada, branch).await;
    for word in &words[2..] {
        assert!(!holders(&program, word).is_empty(), "{word} is kept until it is deleted");
    }
    ada.data(DELETE, json!({ "id": id })).await;
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn feedback() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..8).map(|_| unique()).collect();
    let set = async |message: &str, comment: Value, tags: Value| {
        let query = "mutation($input: SetMessageFeedbackInput!) { setMessageFeedback(input: $input) { message { id } } }";
        let input = json!({ "messageId": message, "comment": comment, "tags": tags });
        ada.data(query, json!({ "input": input })).await;
    };
    let mut messages = Vec::new();
    for at in 0..3 {
        messages.push(id(&ada.append(&conversation, "an answer").await));
        set(&messages[at], json!(long(&words[2 * at])[..4000]), json!([words[2 * at + 1]])).await;
    }
    let other = ada.new_conversation().await;
    let last = id(&ada.append(&other, "an answer").await);
    set(&last, json!(words[6]), json!([words[7]])).await;
    for word in &words {
        assert!(!holders(&program, word).is_empty(), "{word} is kept until it is deleted");
    }
    set(&messages[0], json!("short"), json!(["other"])).await;
    set(&messages[1], Value::Null, Value::Null).await;
    ada.data(DELETE_MESSAGE, json!({ "id": messages[2] })).await;
    erased(&program, &words[..6]).await;
    ada.data(DELETE, json!({ "id": other })).await;
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn streamed_texts() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..7).map(|_| unique()).collect();
    let begin = |word: &str| json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING", "metadata": { "word": word } });
    let mut messages = Vec::new();
    for (text, metadata) in [(&words[0], &words[1]), (&words[2], &words[3]), (&words[4], &words[5])] {
        let message = append(&ada, begin(metadata)).await;
        let mut offset = 0;
        for piece in [text.clone(), format!("{text} ").repeat(200), format!(" {text}")] {
            let variables = json!({ "id": message, "offset": offset, "text": piece });
            ada.data(APPEND_TEXT, variables).await;
            offset += piece.len();
        }
        messages.push(message);
    }
    // What the metadata was is gone with the end of a stream; its text has become the message's.
    for message in &messages[..2] {
        let input = json!({ "messageId": message, "status": "COMPLETE", "metadata": { "new": true } });
        ada.data(FINISH, json!({ "input": input })).await;
    }
    erased(&program, &[words[1].clone(), words[3].clone()]).await;
    assert_eq!(holders(&program, &words[0]), ["scrollback.db"]);
    let input = json!({ "id": messages[0], "content": words[6] });
    ada.data(UPDATE_MESSAGE, json!({ "input": input })).await;
    for message in &messages {
        ada.data(DELETE_MESSAGE, json!({ "id": message })).await;
    }
    erased_for_good(&program, server, &words).await;
}

#[tokio::test]
async fn trimmed_changes() {
    let program = Program::over(Engine::Sqlite).await;
    let program = program.with("SCROLLBACK_FEED_KEEP", "1s").with("SCROLLBACK_FEED_TRIM", "100ms");
    let program = program.with("SCROLLBACK_AUDIT_KEEP", "1s");
    let server = program.serve(&[]).await;
    // The name of who acted for a user is in the feed and in the audit log alone.
    let actor = unique();
    let token = program.printed(&["token", "--user", &actor, "--scope", "scrollback:act-as"]).await;
    let back_end = Client::new(&server.url, Some(token.trim_end().to_owned())).acting_for("ada");
    back_end.new_conversation().await;
    assert_eq!(server.client("ada").data("{ conversations { nodes { id } } }", json!({})).await["conversations"]["nodes"].as_array().unwrap().len(), 1);
    erased_for_good(&program, server, &[actor]).await;
}

#[tokio::test]
async fn erasure_waits_for_readers_and_resumes_after_a_crash() {
    let (program, server, ada, conversation) = started().await;
    let word = unique();
    let message = ada.append(&conversation, &word).await;
    let reader = rusqlite::Connection::open(program.folder().join("data/scrollback.db")).unwrap();
    let read = || reader.query_row("SELECT count(*) FROM message", [], |row| row.get::<_, i64>(0)).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    read();
    ada.data(DELETE_MESSAGE, json!({ "id": id(&message) })).await;
    for _ in 0..50 {
        ada.append(&conversation, "is not held up").await;
    }
    assert!(holders(&program, &word).contains(&"scrollback.db-wal".to_owned()));
    reader.execute_batch("COMMIT").unwrap();
    erased(&program, &[word]).await;
    // It crashes before the log is truncated.
    let word = unique();
    let message = ada.append(&conversation, &word).await;
    reader.execute_batch("BEGIN").unwrap();
    read();
    ada.data(DELETE_MESSAGE, json!({ "id": id(&message) })).await;
    server.kill().await;
    assert!(!holders(&program, &word).is_empty());
    reader.execute_batch("COMMIT").unwrap();
    let server = program.serve(&[]).await;
    erased_for_good(&program, server, &[word]).await;
}

#[tokio::test]
async fn remaining_data_is_intact() {
    let (program, server, ada, conversation) = started().await;
    let mut deleted = Vec::new();
    let mut kept = Vec::new();
    for n in 0..300 {
        let word = unique();
        let text = format!("{word} {}", "text ".repeat(n * 7 % 1500));
        let message = ada.append(&conversation, &text).await;
        if n % 3 == 0 {
            ada.data(DELETE_MESSAGE, json!({ "id": id(&message) })).await;
            deleted.push(word);
        } else {
            kept.push((id(&message), text));
        }
    }
    erased_for_good(&program, server, &deleted).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    for (id, text) in kept {
        let query = "query($id: ID!) { node(id: $id) { ... on Message { content } } }";
        assert_eq!(ada.data(query, json!({ "id": id })).await["node"]["content"], text);
    }
    let reader = rusqlite::Connection::open(program.folder().join("data/scrollback.db")).unwrap();
    let check = reader.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(check, "ok");
}

/// A word of letters only, which the index keeps whole, and its end: neighbours in the index may share the beginning.
fn letters() -> (String, String) {
    let end: String = Uuid::new_v4()
        .simple()
        .to_string()
        .chars()
        .map(|digit| char::from(b'g' + digit as u8 % 16))
        .collect();
    (format!("zyzzyva{end}"), end[4..].to_owned())
}

#[tokio::test]
async fn the_search_index() {
    let (program, server, ada, conversation) = started().await;
    let deleted: Vec<_> = (0..3).map(|_| letters()).collect();
    let (kept, kept_end) = letters();
    let mut messages = Vec::new();
    for (word, _) in &deleted[..2] {
        messages.push(ada.append(&conversation, &format!("{word} and more")).await);
    }
    ada.append(&conversation, &format!("{kept} stays")).await;
    let other = create(&ada, json!({ "title": deleted[2].0 })).await;
    ada.append(&other, "elsewhere").await;
    // Indexes beside the server.
    let printed = program.printed(&["reindex"]).await;
    assert!(
        printed.starts_with("indexed ") && printed.ends_with(" messages and titles of 1 users\n"),
        "{printed}"
    );
    let reader = rusqlite::Connection::open(program.folder().join("data/scrollback.db")).unwrap();
    let is_indexed = |end: &str| {
        let mut blocks = reader.prepare("SELECT data FROM search_block").unwrap();
        let blocks = blocks.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        blocks.map(Result::unwrap).any(|block| memchr::memmem::find(&block, end.as_bytes()).is_some())
    };
    assert!(is_indexed(&kept_end) && deleted.iter().all(|(_, end)| is_indexed(end)));
    ada.data(DELETE_MESSAGE, json!({ "id": id(&messages[0]) })).await;
    ada.data(UPDATE_MESSAGE, json!({ "input": { "id": id(&messages[1]), "content": "edited" } })).await;
    erased(&program, &deleted[..2].iter().map(|(_, end)| end.clone()).collect::<Vec<_>>()).await;
    // What was deleted last is gone when the server ends.
    ada.data(DELETE, json!({ "id": other })).await;
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for (_, end) in &deleted {
        assert_eq!(holders(&program, end), [""; 0]);
    }
    assert!(is_indexed(&kept_end));
}

#[tokio::test]
async fn labels() {
    let (program, server, ada, conversation) = started().await;
    let words: Vec<String> = (0..4).map(|_| unique()).collect();
    let update = async |labels: Value| {
        let mut input = labels;
        input["id"] = json!(conversation);
        ada.data(UPDATE, json!({ "input": input })).await;
    };
    update(json!({ "labels": [words[0], words[1]] })).await;
    update(json!({ "removeLabels": [words[0]] })).await;
    update(json!({ "labels": [words[2].to_uppercase()] })).await;
    update(json!({ "labels": [words[2], words[3]] })).await;
    ada.data(DELETE, json!({ "id": conversation })).await;
    let upper = words[2].to_uppercase();
    let words = [words, vec![upper]].concat();
    erased_for_good(&program, server, &words).await;
}
