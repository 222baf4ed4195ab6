//! Clients that go away while their operation waits for the database.

use std::time::Instant;

use serde_json::json;
use sqlx::{Connection, PgConnection, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::harness::{Program, TIMEOUT, shared_cluster};

/// What a proxy in front of PostgreSQL does with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxy {
    /// Lets everything pass.
    Open,
    /// Waits for the statement.
    Armed,
    /// The statement has passed; all of PostgreSQL's answers are held back.
    Holding,
}

/// Starts a proxy that waits for a statement; gives its port and its state.
async fn proxy(port: u16, statement: &'static [u8]) -> (u16, watch::Sender<Proxy>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    let state = watch::Sender::new(Proxy::Open);
    let shared = state.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut client_in, mut client_out) = client.into_split();
            let (mut server_in, mut server_out) = server.into_split();
            let (state, mut changes) = (shared.clone(), shared.subscribe());
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = client_in.read(&mut buffer).await {
                    if buffer[..count].windows(statement.len()).any(|part| part == statement) {
                        state.send_if_modified(|state| {
                            let is_awaited = *state == Proxy::Armed;
                            if is_awaited {
                                *state = Proxy::Holding;
                            }
                            is_awaited
                        });
                    }
                    if server_out.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = server_in.read(&mut buffer).await {
                    let _ = changes.wait_for(|state| *state != Proxy::Holding).await;
                    if client_out.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (own_port, state)
}

async fn figure(admin: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query(query).fetch_one(admin).await.unwrap().get(0)
}

/// The transaction of an operation ends with it, whenever that is cancelled: in particular while the answer to
/// `BEGIN` is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transaction_stays_open_when_a_client_goes() {
    let cluster = shared_cluster();
    let database = cluster.create_database().await;
    let (port, state) = proxy(cluster.port(), b"BEGIN").await;
    let through = database.replace(&format!(":{}/", cluster.port()), &format!(":{port}/"));
    let program = Program::believing()
        .with("SCROLLBACK_DATABASE_URL", through)
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let mut server = program.serve(&[]).await;
    let line = server.line().await;
    let metrics = line.strip_prefix("Health and metrics: ").unwrap().to_owned();
    let ada = server.client("ada");
    let conversation = ada.new_conversation().await;

    state.send_replace(Proxy::Armed);
    let create = "mutation { createConversation(input: {}) { conversation { id } } }";
    let client = server.client("ada");
    let created = tokio::spawn(async move { client.run(create, json!({})).await });
    timeout(TIMEOUT, state.subscribe().wait_for(|state| *state == Proxy::Holding)).await.unwrap().unwrap();
    created.abort();
    let start = Instant::now();
    let cancelled = "scrollback_operations_total{kind=\"mutation\",code=\"CANCELLED\"} 1";
    while !reqwest::get(&metrics).await.unwrap().text().await.unwrap().contains(cancelled) {
        assert!(start.elapsed() < TIMEOUT, "the operation goes on without its client");
    }
    state.send_replace(Proxy::Open);

    // What is acknowledged from now on is committed: another connection sees it. Every connection of the pool gets
    // its turn.
    let mut admin = PgConnection::connect(&database).await.unwrap();
    for number in 1..=40 {
        ada.append(&conversation, "x").await;
        assert_eq!(figure(&mut admin, "SELECT count(*) FROM message").await, number);
    }
    let open = "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(figure(&mut admin, open).await, 0);
}
