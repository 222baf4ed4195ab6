//! Many of the largest responses at once for one user: memory is bounded, and others are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Client, Engine, Program, Running, Socket, TIMEOUT, token};

/// Sixty of these are nearly as much as an answer may have.
const MESSAGES: usize = 60;
const BYTES: usize = 255 * 1024;

/// Operations on connections of their own, and streams of one HTTP/2 connection.
const ALONE: usize = 150;
const TOGETHER: usize = 100;

/// The limit of all memory: two responses with their working set, three times over, and the unreserved bytes
/// of each operation.
const MOST: u64 = 350 * 1024 * 1024;

const QUERY: &str = "query($id: ID!) { conversation(id: $id) { messages(last: 60) { nodes { content } } } }";
const BY_FRAGMENT: &str =
    "query($id: ID!) { conversation(id: $id) { messages(last: 60) { nodes { ...F } } } }
  fragment F on Message { content parts { __typename } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_responses_of_one_owner_do_not_affect_others_on_sqlite() {
    storm(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_responses_of_one_owner_do_not_affect_others_on_postgres() {
    storm(Engine::Postgres).await;
}

async fn storm(engine: Engine) {
    let server = Program::over(engine).await;
    let server = server.serve(&[]).await;
    let eve = server.client("eve");
    let id = eve.new_conversation().await;
    let content = "x".repeat(BYTES);
    for _ in 0..MESSAGES {
        eve.append(&id, &content).await;
    }
    let bob = server.client("bob");
    let small = bob.new_conversation().await;
    bob.append(&small, "hello").await;
    let before = server.peak_memory();

    let answered = Arc::new(AtomicUsize::new(0));
    let together = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut storm = JoinSet::new();
    for number in 0..ALONE + TOGETHER {
        let http = if number < ALONE { reqwest::Client::new() } else { together.clone() };
        let query = if number % 4 == 0 { BY_FRAGMENT } else { QUERY };
        let body = json!({ "query": query, "variables": { "id": id } });
        let request = http.post(format!("{}/graphql", server.url)).bearer_auth(eve.token()).json(&body);
        let answered = answered.clone();
        storm.spawn(
            async move { answered.fetch_add(usize::from(is_answered(request).await), Ordering::Relaxed) },
        );
    }
    while !storm.is_empty() {
        served(&bob, &small).await;
        timeout(TIMEOUT, storm.join_next()).await.expect("an end in time").unwrap().unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 0, "none was answered");
    let grown = server.peak_growth(before);
    assert!(grown < MOST, "{grown} bytes more");

    do_not_read(&server, &eve, &id).await;
    served(&bob, &small).await;
    let grown = server.peak_growth(before);
    assert!(grown < MOST, "{grown} bytes more");
}

/// Whether the response is complete, or UNAVAILABLE.
async fn is_answered(request: reqwest::RequestBuilder) -> bool {
    let mut response = request.send().await.unwrap();
    let (mut size, mut start) = (0, Vec::new());
    while let Some(piece) = response.chunk().await.unwrap() {
        size += piece.len();
        if size < 4096 {
            start.extend_from_slice(&piece);
        }
    }
    if size > MESSAGES * BYTES {
        return true;
    }
    let answer: Value = serde_json::from_slice(&start).unwrap();
    let extensions = json!({ "code": "UNAVAILABLE", "retryable": true });
    assert_eq!(answer["errors"][0]["extensions"], extensions, "{answer}");
    false
}

/// Checks that another user is served.
async fn served(bob: &Client, id: &str) {
    let answer = timeout(TIMEOUT, bob.data(QUERY, json!({ "id": id }))).await.expect("an answer in time");
    assert_eq!(answer["conversation"]["messages"]["nodes"][0]["content"], "hello");
}

/// Sends requests on many connections and a WebSocket without reading. Once they are closed, their memory is
/// free again.
async fn do_not_read(server: &Running, eve: &Client, id: &str) {
    let body = json!({ "query": QUERY, "variables": { "id": id } }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        eve.token(),
        body.len()
    );
    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        silent.push(stream);
    }
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(&token("eve", Duration::from_secs(600))).await;
    for number in 0..40 {
        socket.subscribe(&number.to_string(), QUERY, json!({ "id": id })).await;
    }
    // Small requests are served all the time, large ones in the end.
    let little = "query($id: ID!) { conversation(id: $id) { messageCount } }";
    assert_eq!(eve.data(little, json!({ "id": id })).await["conversation"]["messageCount"], MESSAGES);
    drop((silent, socket));
    let again = async {
        let ask = || eve.request(reqwest::Method::POST, "/graphql").body(body.clone());
        while !is_answered(ask().header("content-type", "application/json")).await {}
    };
    timeout(TIMEOUT, again).await.expect("room in time");
}
