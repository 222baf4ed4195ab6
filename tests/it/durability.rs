//! Durability: data survives kills and shutdowns, and replicas start concurrently.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use scrollback::clock::Clock;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::harness::{APPEND, Client, Closed, Engine, Program, Socket, TIMEOUT, shared_cluster};

fn append(conversation: &str, id: &str) -> Value {
    let input = json!({ "conversationId": conversation, "id": id, "role": "USER", "content": id });
    json!({ "query": APPEND, "variables": { "input": input } })
}

/// Sends an append; the position when it was acknowledged, nothing when the server died meanwhile.
pub(crate) async fn try_append(client: &Client, conversation: &str, id: &str) -> Option<i64> {
    let request = client.request(Method::POST, "/graphql").json(&append(conversation, id));
    let answer: Value = request.send().await.ok()?.json().await.ok()?;
    let position = answer["data"]["appendMessage"]["message"]["position"].as_i64();
    Some(position.unwrap_or_else(|| panic!("refused: {answer}")))
}

/// The contents of a conversation's messages, each found at its position.
pub(crate) async fn contents(client: &Client, conversation: &str) -> Vec<String> {
    let query = "query($id: ID!, $after: String) { conversation(id: $id) { messageCount messages(first: 100, after: $after) {
      nodes { position content } pageInfo { hasNextPage endCursor } } } }";
    let (mut contents, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.data(query, json!({ "id": conversation, "after": after })).await;
        let page = &data["conversation"]["messages"];
        for node in page["nodes"].as_array().unwrap() {
            assert_eq!(node["position"], contents.len() + 1, "no hole and no repetition");
            contents.push(node["content"].as_str().unwrap().to_owned());
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(data["conversation"]["messageCount"], contents.len());
            return contents;
        }
    }
}

/// How a server is made to end.
#[derive(Clone, Copy)]
enum End {
    /// `kill -9`.
    Killed,
    /// SIGTERM, as a service manager sends it.
    Terminated,
}

/// Ends the server in the middle of many appends, again and again, right after an acknowledgement.
async fn acknowledged_writes_survive(engine: Engine, end: End) {
    let program = Program::over(engine).await;
    let mut server = program.serve(&[]).await;
    let conversation = server.client("ada").new_conversation().await;
    let mut acknowledged = BTreeMap::new();
    let mut unanswered = Vec::new();
    for round in 0..5 {
        let (done, mut acknowledgements) = mpsc::unbounded_channel();
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (client, conversation, done) = (server.client("ada"), conversation.clone(), done.clone());
                tokio::spawn(async move {
                    loop {
                        let id = Clock::system().new_id().to_string();
                        match try_append(&client, &conversation, &id).await {
                            Some(position) => done.send((position, id)).unwrap(),
                            None => return id,
                        }
                    }
                })
            })
            .collect();
        drop(done);
        for _ in 0..20 + round {
            let next = tokio::time::timeout(TIMEOUT, acknowledgements.recv()).await;
            acknowledged.extend(next.expect("an acknowledgement in time"));
        }
        match end {
            End::Killed => server.kill().await,
            End::Terminated => {
                server.terminate().await;
                let (status, log) = server.ended().await;
                assert_eq!(status.code(), Some(0), "{log}");
                assert!(!log.contains("still"), "what was running came to its end: {log}");
            }
        }
        for writer in writers {
            unanswered.push(writer.await.unwrap());
        }
        while let Some((position, id)) = acknowledgements.recv().await {
            acknowledged.insert(position, id);
        }
        server = program.serve(&[]).await;
    }
    // A client without an answer finds out by a retry.
    let ada = server.client("ada");
    for id in unanswered {
        acknowledged.insert(try_append(&ada, &conversation, &id).await.unwrap(), id);
    }
    let contents = contents(&ada, &conversation).await;
    let kept: BTreeMap<_, _> = (1..).zip(contents.iter().cloned()).collect();
    assert_eq!(kept, acknowledged, "every message once, where the acknowledgement said");
    assert_eq!(contents.iter().collect::<BTreeSet<_>>().len(), contents.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_kill_on_sqlite() {
    acknowledged_writes_survive(Engine::Sqlite, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_kill_on_postgres() {
    acknowledged_writes_survive(Engine::Postgres, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_shutdown_on_sqlite() {
    acknowledged_writes_survive(Engine::Sqlite, End::Terminated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_shutdown_on_postgres() {
    acknowledged_writes_survive(Engine::Postgres, End::Terminated).await;
}

/// Reads the head of a response.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_shutdown_finishes_running_requests_and_closes_idle_connections() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let program = Program::over(engine).await;
        let server = program.serve(&[]).await;
        let ada = server.client("ada");
        let conversation = ada.new_conversation().await;
        let mut socket = Socket::open(&server.url).await;
        socket.introduce(ada.token()).await;
        let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { cursor } }";
        socket.subscribe("s", follow, json!({ "id": conversation })).await;
        socket.settle().await;
        // The request is running once the server asks for its body.
        let address = server.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let id = Clock::system().new_id().to_string();
        let body = append(&conversation, &id).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            ada.token(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 100"));
        server.terminate().await;
        let closed = Closed { code: 1001, reason: "the server is shutting down".into() };
        assert_eq!(socket.closed().await, closed);
        stream.write_all(body.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&id), "{answer}");
        let (status, log) = server.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
        let server = program.serve(&[]).await;
        assert_eq!(contents(&server.client("ada"), &conversation).await, [id]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_migrate_once() {
    let database = shared_cluster().create_database().await;
    let mut replicas = Vec::new();
    for _ in 0..4 {
        let replica = Program::over(Engine::Sqlite).await.with("SCROLLBACK_DATABASE_URL", database.clone());
        replicas.push(replica);
    }
    let servers = futures_util::future::join_all(replicas.iter().map(|replica| replica.serve(&[]))).await;
    let conversation = servers[0].client("ada").new_conversation().await;
    let mut expected = Vec::new();
    for server in &servers {
        assert_eq!(reqwest::get(format!("{}/readyz", server.url)).await.unwrap().status(), 200);
        let id = Clock::system().new_id().to_string();
        try_append(&server.client("ada"), &conversation, &id).await.unwrap();
        expected.push(id);
    }
    for server in &servers {
        assert_eq!(contents(&server.client("ada"), &conversation).await, expected);
    }
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let rows: Vec<String> = sqlx::query_scalar("SELECT version FROM seaql_migrations ORDER BY version")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let known = replicas[0].printed(&["migrate", "status"]).await;
    let known: Vec<_> = known.lines().map(|line| line.strip_prefix("applied ").unwrap()).collect();
    assert_eq!(rows, known);
    let mut migrated = 0;
    for server in servers {
        server.terminate().await;
        let (status, log) = server.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
        migrated += usize::from(log.contains("migrated the database"));
    }
    assert_eq!(migrated, 1, "replicas that applied migrations");
}
