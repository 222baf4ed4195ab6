//! Outages: a database that is unavailable or hangs, and a disk that fails. Clients get errors meanwhile, and
//! the server recovers by itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use crate::harness::{
    APPEND, Client, Cluster, Disk, DiskFault, Program, Running, Socket, TIMEOUT, shared_cluster,
};

/// The most time for a response: twice the time that a request waits for a connection.
const PROMPTLY: Duration = Duration::from_secs(4);

async fn status(client: &Client, path: &str) -> u16 {
    let answer = client.request(Method::GET, path).send();
    timeout(PROMPTLY, answer).await.expect("an answer in time").unwrap().status().as_u16()
}

/// Checks the error for a database that does not answer.
async fn is_refused(client: &Client, query: &str, variables: Value) {
    let answer = timeout(PROMPTLY, client.run(query, variables)).await.expect("an answer in time");
    let error = &answer.body["errors"][0];
    assert_eq!(error["message"], "the database is not available just now");
    assert_eq!(error["extensions"], json!({ "code": "UNAVAILABLE", "retryable": true }), "{query}");
}

fn message(conversation: &str, content: &str) -> Value {
    json!({ "input": { "conversationId": conversation, "role": "USER", "content": content } })
}

/// The contents of a conversation's messages.
async fn contents(client: &Client, conversation: &str) -> Value {
    let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { content } } } }";
    let data = client.data(query, json!({ "id": conversation })).await;
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["content"].clone()).collect()
}

/// Waits until the server says that it can serve.
async fn ready(server: &Running) {
    let ada = server.client("ada");
    let ready = async {
        while status(&ada, "/readyz").await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(TIMEOUT, ready).await.expect("ready in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_outages_are_reported_and_sockets_stay_open() {
    let cluster = Cluster::start(&[]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", cluster.create_database().await);
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let conversation = ada.new_conversation().await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(ada.token()).await;
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    socket.subscribe("s", follow, json!({ "id": conversation })).await;
    socket.settle().await;
    ada.append(&conversation, "before").await;
    assert_eq!(socket.receive().await["payload"]["data"]["messageAdded"]["node"]["content"], "before");
    cluster.crash();
    is_refused(&ada, "{ conversations { nodes { id } } }", json!({})).await;
    is_refused(&ada, APPEND, message(&conversation, "never")).await;
    assert_eq!((status(&ada, "/livez").await, status(&ada, "/readyz").await), (200, 503));
    socket.settle().await;
    cluster.up();
    ready(&server).await;
    ada.retry(APPEND, message(&conversation, "after")).await;
    assert_eq!(socket.receive().await["payload"]["data"]["messageAdded"]["node"]["content"], "after");
    assert_eq!(contents(&ada, &conversation).await, json!(["before", "after"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_statements_are_cancelled() {
    let database = shared_cluster().create_database().await;
    let program = Program::believing()
        .with("SCROLLBACK_DATABASE_URL", &database)
        .with("SCROLLBACK_DATABASE_STATEMENT_TIMEOUT", "300ms");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let conversation = ada.new_conversation().await;
    let mut other = PgConnection::connect(&database).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    lock.execute("LOCK TABLE message, conversation IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // More than there are connections: none of them stays occupied.
    for _ in 0..3 {
        let appends = (0..20).map(|_| is_refused(&ada, APPEND, message(&conversation, "never")));
        futures_util::future::join_all(appends).await;
        is_refused(&ada, "{ conversations { nodes { id } } }", json!({})).await;
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE application_name = 'scrollback' AND datname = current_database() AND state <> 'idle'";
    let left: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *lock).await.unwrap();
    assert_eq!(left, 0, "sessions that are not idle");
    lock.rollback().await.unwrap();
    ada.append(&conversation, "after").await;
    assert_eq!(contents(&ada, &conversation).await, json!(["after"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_when_the_disk_fails() {
    for fault in [DiskFault::Full, DiskFault::Failing] {
        let disk = Disk::new();
        let program = disk
            .environment()
            .into_iter()
            .fold(Program::believing(), |program, (name, value)| program.with(name, value));
        let mut server = program.serve(&[]).await;
        let mut ada = server.client("ada");
        let conversation = ada.new_conversation().await;
        ada.append(&conversation, "before").await;
        disk.breaks(fault);
        // The caller's own id: a retry finds out what became of it.
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let mut retried = message(&conversation, "retried");
        retried["input"]["id"] = json!(id);
        for _ in 0..5 {
            is_refused(&ada, APPEND, retried.clone()).await;
        }
        assert_eq!(contents(&ada, &conversation).await, json!(["before"]), "{fault:?}: it can still be read");
        disk.is_mended(fault);
        for _ in 0..2 {
            let message = ada.data(APPEND, retried.clone()).await["appendMessage"]["message"].clone();
            assert_eq!((&message["id"], &message["position"]), (&json!(id), &json!(2)));
        }
        server.kill().await;
        server = program.serve(&[]).await;
        ada = server.client("ada");
        assert_eq!(contents(&ada, &conversation).await, json!(["before", "retried"]), "{fault:?}");
    }
}
