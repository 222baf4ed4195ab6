//! Streaming messages when the server or the writer is killed: after a kill of the server, writer and reader
//! continue without loss or duplication; after a kill of the writer, its text is kept and the message ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::harness::{APPEND, Client, Engine, Program, Socket, start_script};

const TEXT: &str = "mutation($id: ID!, $offset: Int!, $text: String!) {
  appendMessageText(input: { messageId: $id, offset: $offset, text: $text }) { length }
}";

const FINISH: &str = "mutation($id: ID!) {
  finishMessage(input: { messageId: $id, status: COMPLETE }) { message { content } }
}";

const FOLLOW: &str = "subscription($id: ID!, $offset: Int) { messageText(messageId: $id, offset: $offset) { offset text status } }";

const PIECES: usize = 300;

/// A client of the server as it is now; it moves when the server is started again.
type Current = Arc<Mutex<(Client, String)>>;

fn client(current: &Current) -> Client {
    current.lock().unwrap().0.clone()
}

/// Tries until it is done, wherever the server is meanwhile.
async fn retry(current: &Current, query: &str, variables: Value) -> Value {
    loop {
        if let Some(data) = client(current).attempt(query, variables.clone()).await {
            return data;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn write(current: Current, id: Value, pieces: Vec<String>) -> String {
    let mut offset = 0;
    for piece in pieces {
        let data = retry(&current, TEXT, json!({ "id": id, "offset": offset, "text": piece })).await;
        offset += piece.chars().count();
        assert_eq!(data["appendMessageText"]["length"], offset);
    }
    let data = retry(&current, FINISH, json!({ "id": id })).await;
    data["finishMessage"]["message"]["content"].as_str().unwrap().to_owned()
}

async fn follow(current: Current, id: Value) -> String {
    let mut text = String::new();
    loop {
        let (client, url) = current.lock().unwrap().clone();
        let Some(mut socket) = Socket::try_open(&url, client.token()).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let offset = text.chars().count();
        if socket.try_subscribe("s", FOLLOW, json!({ "id": id, "offset": offset })).await.is_none() {
            continue;
        }
        while let Ok(message) = socket.next().await {
            let chunk = &message["payload"]["data"]["messageText"];
            if message["type"] != "next" {
                continue;
            }
            assert_eq!(chunk["offset"], text.chars().count(), "a hole or a repeat");
            text.push_str(chunk["text"].as_str().unwrap());
            if chunk["status"] == "COMPLETE" {
                return text;
            }
        }
    }
}

async fn streamed_text_survives_a_kill(engine: Engine) {
    let program = Program::over(engine).await;
    let mut server = program.serve(&[]).await;
    let current: Current = Arc::new(Mutex::new((server.client("ada"), server.url.clone())));
    let ada = client(&current);
    let conversation = ada.new_conversation().await;
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING" });
    let id = ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    let pieces: Vec<String> = (0..PIECES).map(|number| format!("é{number}👍 ")).collect();
    let whole = pieces.concat();
    let follower = tokio::spawn(follow(current.clone(), id.clone()));
    let writer = tokio::spawn(write(current.clone(), id.clone(), pieces));
    let read = "query($id: ID!) { node(id: $id) { ... on Message { content } } }";
    for kill in 1..=4 {
        // At every kill the writer has come further.
        let wanted = whole.chars().count() * kill / 5;
        loop {
            let data = retry(&current, read, json!({ "id": id })).await;
            let content = data["node"]["content"].as_str().unwrap().to_owned();
            assert!(whole.starts_with(&content), "every read is a beginning of the whole");
            if content.chars().count() >= wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().await;
        server = program.serve(&[]).await;
        *current.lock().unwrap() = (server.client("ada"), server.url.clone());
    }
    let limit = Duration::from_secs(60);
    assert_eq!(tokio::time::timeout(limit, writer).await.unwrap().unwrap(), whole);
    assert_eq!(tokio::time::timeout(limit, follower).await.unwrap().unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_no_streamed_text_is_lost_when_the_server_is_killed() {
    streamed_text_survives_a_kill(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_no_streamed_text_is_lost_when_the_server_is_killed() {
    streamed_text_survives_a_kill(Engine::Postgres).await;
}

const BRANCH: &str = "query($id: ID!) {
  conversation(id: $id) { messages { nodes { content status } } head { siblings { id status content } } }
}";

async fn text_of_a_killed_writer_is_kept(engine: Engine) {
    let program = Program::over(engine).await.with("SCROLLBACK_FEED_LEASE", "4s");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let conversation = ada.new_conversation().await;
    let question = ada.append(&conversation, "Well?").await["id"].as_str().unwrap().to_owned();
    let environment = [("CONVERSATION", &*conversation), ("QUESTION", &*question)];
    let mut writer = start_script(&ada, "writer.mjs", &environment);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let id = lines.next_line().await.unwrap().expect("a message");

    let mut socket = Socket::try_open(&server.url, ada.token()).await.unwrap();
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    let mut heard = String::new();
    let mut chunk = socket.receive().await;
    // In the middle: it has sent a lot, and nobody told it to stop.
    let mut acknowledged = 0;
    while acknowledged < 200 {
        acknowledged = lines.next_line().await.unwrap().expect("a length").parse().unwrap();
    }
    writer.kill().await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        acknowledged = line.parse().unwrap();
    }

    let all: String = (0..acknowledged).map(|number| format!("{number}: é👍 ")).collect();
    let written: String = all.chars().take(acknowledged).collect();
    let next = format!("{}: é👍 ", written.split_whitespace().count() / 2);
    let content = async || {
        let data = ada.data(BRANCH, json!({ "id": conversation })).await;
        let answer = &data["conversation"]["messages"]["nodes"][1];
        [&answer["status"], &answer["content"]].map(|value| value.as_str().unwrap().to_owned())
    };
    let [status, text] = content().await;
    assert_eq!(status, "STREAMING");
    // It may have been killed before it heard of its last piece.
    assert!(text == written || text == format!("{written}{next}"), "{text:?}, acknowledged {written:?}");

    loop {
        let told = &chunk["payload"]["data"]["messageText"];
        assert_eq!(told["offset"], heard.chars().count(), "{chunk}");
        heard.push_str(told["text"].as_str().unwrap());
        if told["status"] != "STREAMING" {
            assert_eq!(told["status"], "INTERRUPTED");
            break;
        }
        chunk = socket.receive().await;
    }
    // A piece on its way may have come in after the reading, nothing else.
    assert!(heard == text || heard == format!("{written}{next}"), "{heard:?}, read {text:?}");
    assert_eq!(content().await, ["INTERRUPTED".to_owned(), heard.clone()]);

    // Another writer answers anew, beside it.
    let late = json!({ "id": id, "offset": heard.chars().count(), "text": "late" });
    assert_eq!(ada.fault(TEXT, late).await.0, "CONFLICT");
    let input = json!({ "conversationId": conversation, "parentId": question, "role": "ASSISTANT", "status": "STREAMING" });
    let anew = ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    ada.data(TEXT, json!({ "id": anew, "offset": 0, "text": "Very well." })).await;
    ada.data(FINISH, json!({ "id": anew })).await;
    let data = ada.data(BRANCH, json!({ "id": conversation })).await;
    let siblings = json!([
        { "id": id, "status": "INTERRUPTED", "content": heard },
        { "id": anew, "status": "COMPLETE", "content": "Very well." },
    ]);
    assert_eq!(data["conversation"]["head"]["siblings"], siblings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_a_killed_writer_is_kept_on_sqlite() {
    text_of_a_killed_writer_is_kept(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_a_killed_writer_is_kept_on_postgres() {
    text_of_a_killed_writer_is_kept(Engine::Postgres).await;
}
