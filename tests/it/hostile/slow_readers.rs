//! Clients of several owners that do not read large responses hold the memory of all: the slowest are
//! disconnected when another owner needs it.

use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Client, Engine, EventStream, Program, Running, Socket, TIMEOUT};
use crate::metrics::{scrape, serve_program, value};

/// Sixty of these are nearly as much as an answer may have.
const MESSAGES: usize = 60;
const BYTES: usize = 255 * 1024;
const RESPONSE: f64 = (MESSAGES * BYTES) as f64;

/// Two owners with five responses leave less than the 64 MiB that an operation reserves.
const MEMORY: &str = "134217728";
const MEMORY_PER_OWNER: &str = "100663296";
const OWNERS: [(&str, usize); 2] = [("eve", 3), ("mallory", 2)];

const QUERY: &str = "query($id: ID!) { conversation(id: $id) { messages(last: 60) { nodes { content } } } }";

#[derive(Clone, Copy)]
enum Transport {
    Http1,
    Http2,
    WebSocket,
    EventStream,
}

/// A response that was requested and not read.
enum Unread {
    Http1(TcpStream),
    Http2(reqwest::Response),
    WebSocket(Box<Socket>),
    EventStream(EventStream),
}

impl Unread {
    async fn request(server: &Running, client: &Client, id: &str, transport: Transport) -> Self {
        let variables = json!({ "id": id });
        let body = json!({ "query": QUERY, "variables": variables }).to_string();
        match transport {
            Transport::Http1 => {
                let head = format!(
                    "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    client.token(),
                    body.len()
                );
                let address = server.url.strip_prefix("http://").unwrap();
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                Self::Http1(stream)
            }
            Transport::Http2 => {
                let http = reqwest::Client::builder().http2_prior_knowledge();
                let http = http.http2_initial_stream_window_size(65_535).build().unwrap();
                let request = http.post(format!("{}/graphql", server.url)).bearer_auth(client.token());
                let request = request.header("content-type", "application/json").body(body);
                Self::Http2(request.send().await.unwrap())
            }
            Transport::WebSocket => {
                let mut socket = Socket::open(&server.url).await;
                socket.introduce(client.token()).await;
                socket.subscribe("1", QUERY, variables).await;
                Self::WebSocket(Box::new(socket))
            }
            Transport::EventStream => {
                Self::EventStream(EventStream::open(client, QUERY, variables, None).await)
            }
        }
    }

    /// Reads the response. Returns whether it is complete.
    async fn completes(self) -> bool {
        match self {
            Self::Http1(mut stream) => {
                let mut bytes = Vec::new();
                let read = timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.expect("an end in time");
                read.is_ok() && bytes.ends_with(b"]}}}}")
            }
            Self::Http2(response) => {
                timeout(TIMEOUT, response.bytes()).await.expect("an end in time").is_ok()
            }
            Self::WebSocket(mut socket) => {
                let message = timeout(TIMEOUT, socket.next()).await.expect("an end in time");
                message.is_ok_and(|message| message["type"] == "next")
            }
            Self::EventStream(mut events) => events.next().await.is_some_and(|event| event.name == "next"),
        }
    }
}

async fn metric(admin: &str, name: &str) -> f64 {
    value(&scrape(admin).await, name).unwrap()
}

/// Waits until this many unread responses are all that is reserved.
async fn until_reserved(admin: &str, responses: usize) {
    let (start, least) = (Instant::now(), responses as f64 * RESPONSE);
    loop {
        let reserved = metric(admin, "scrollback_memory_reserved_bytes").await;
        if (least..=least * 1.01).contains(&reserved) {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "{reserved} bytes are reserved, not {least}");
        tokio::task::yield_now().await;
    }
}

/// A conversation whose page is a large response.
async fn fill(client: &Client) -> String {
    let (id, content) = (client.new_conversation().await, "x".repeat(BYTES));
    for _ in 0..MESSAGES {
        client.append(&id, &content).await;
    }
    id
}

async fn slow_readers_do_not_keep_others_waiting(engine: Engine, transport: Transport) {
    let program = Program::over(engine).await.with("SCROLLBACK_SERVER_MEMORY", MEMORY);
    let program = program.with("SCROLLBACK_SERVER_MEMORY_PER_OWNER", MEMORY_PER_OWNER);
    let program = program.with("SCROLLBACK_SERVER_WRITE_TIMEOUT", "1h");
    let (_program, server, admin) = serve_program(program).await;
    let admin = admin.as_str();
    let mut unread = Vec::new();
    for (owner, responses) in OWNERS {
        let client = server.client(owner);
        let id = fill(&client).await;
        for _ in 0..responses {
            unread.push(Unread::request(&server, &client, &id, transport).await);
            until_reserved(admin, unread.len()).await;
        }
    }
    let bob = server.client("bob");
    let id = fill(&bob).await;
    let data = bob.data(QUERY, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"].as_array().unwrap().len(), MESSAGES);
    let evicted = metric(admin, "scrollback_responses_evicted_total").await as usize;
    assert!((1..unread.len()).contains(&evicted), "{evicted} were ended; one is enough");
    let mut complete = 0;
    let all = unread.len();
    for unread in unread {
        complete += usize::from(unread.completes().await);
    }
    assert_eq!(complete, all - evicted, "responses that were not ended are complete");
    until_reserved(admin, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_http1_do_not_keep_others_waiting() {
    slow_readers_do_not_keep_others_waiting(Engine::Sqlite, Transport::Http1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_http2_do_not_keep_others_waiting() {
    slow_readers_do_not_keep_others_waiting(Engine::Postgres, Transport::Http2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_websockets_do_not_keep_others_waiting() {
    slow_readers_do_not_keep_others_waiting(Engine::Sqlite, Transport::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_event_streams_do_not_keep_others_waiting() {
    slow_readers_do_not_keep_others_waiting(Engine::Postgres, Transport::EventStream).await;
}
