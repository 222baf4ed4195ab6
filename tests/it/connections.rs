//! Connections: how long clients may take, how much they may send, and how many there may be.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{Client, Engine, EventStream, Program, TIMEOUT, TestApp};

const QUERY: &str = "{ viewer { id } }";

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// A query of ada's with a body of so many bytes, as far as the body.
fn head(app: &TestApp, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n",
        app.client("ada").token()
    )
}

/// Everything until the server closes the connection, however it does that.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.expect("closed in time");
    assert!(
        read.is_ok() || !bytes.is_empty() || read.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset
    );
    String::from_utf8(bytes).unwrap()
}

/// One whole answer of a connection that goes on.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}}}") {
        bytes.push(timeout(TIMEOUT, stream.read_u8()).await.expect("an answer in time").unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

fn body() -> String {
    json!({ "query": QUERY }).to_string()
}

#[tokio::test]
async fn slow_headers_time_out() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.header_timeout", "2s")]).await;
    let whole = head(&app, body().len()) + &body();
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "POST /graphql HTTP/1.1\r\nHost: x\r\n"] {
        let mut slow = connect(&app).await;
        let start = Instant::now();
        slow.write_all(beginning.as_bytes()).await.unwrap();
        assert_eq!(read_to_end(&mut slow).await, "", "{beginning}");
        assert!(start.elapsed() >= Duration::from_millis(1900), "{beginning}");
    }
    // Byte after byte does not help.
    let mut slow = connect(&app).await;
    let start = Instant::now();
    for byte in whole.bytes().cycle() {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Also after a request has been answered.
    let mut slow = connect(&app).await;
    slow.write_all(whole.as_bytes()).await.unwrap();
    assert!(read_answer(&mut slow).await.starts_with("HTTP/1.1 200"));
    slow.write_all(b"POST /graphql").await.unwrap();
    assert_eq!(read_to_end(&mut slow).await, "");
    // And one that is in time may rest longer than that between requests.
    let mut quick = connect(&app).await;
    for _ in 0..2 {
        quick.write_all(whole.as_bytes()).await.unwrap();
        assert!(read_answer(&mut quick).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.keep_alive", "500ms")]).await;
    let mut idle = connect(&app).await;
    idle.write_all((head(&app, body().len()) + &body()).as_bytes()).await.unwrap();
    assert!(read_answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(start.elapsed() < TIMEOUT);
}

#[tokio::test]
async fn large_headers_are_refused() {
    let app = TestApp::start(Engine::Sqlite).await;
    for size in [16 * 1024, 100 * 1024] {
        let mut large = connect(&app).await;
        let head = format!("GET /graphql HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(size));
        // The connection may be closed before all of it is sent.
        let _ = large.write_all(head.as_bytes()).await;
        assert!(read_to_end(&mut large).await.starts_with("HTTP/1.1 431"), "{size}");
    }
    let request = app.client("ada").request(Method::GET, "/graphql").query(&[("query", QUERY)]);
    let answer = request.header("x", "x".repeat(15 * 1024)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn slow_bodies_time_out() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.body_timeout", "500ms")]).await;
    let mut slow = connect(&app).await;
    slow.write_all((head(&app, 1000) + "{").as_bytes()).await.unwrap();
    let answer = read_to_end(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""message":"the body must arrive within 500ms""#), "{answer}");
    assert!(answer.contains(r#""code":"BAD_REQUEST""#), "{answer}");
}

#[tokio::test]
async fn endless_bodies_are_refused_and_disconnected() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.lingering_bytes", "4194304")]).await;
    let (mut read, mut write) = connect(&app).await.into_split();
    let head = head(&app, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let sending = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        let mut sent = 0;
        while write.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 0x10000;
        }
        sent
    });
    let mut status = [0; 12];
    timeout(TIMEOUT, read.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&status).unwrap(), "HTTP/1.1 413");
    let sent: usize = timeout(TIMEOUT, sending).await.expect("cut in time").unwrap();
    // What the operating systems keep comes on top.
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes");
}

#[tokio::test]
async fn a_client_that_does_not_read_a_response_is_disconnected() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.write_timeout", "1s")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for _ in 0..60 {
        ada.append(&id, &"x".repeat(250 * 1024)).await;
    }
    let query = "query($id: ID!) { conversation(id: $id) { messages(last: 60) { nodes { content } } } }";
    let body = json!({ "query": query, "variables": { "id": id } }).to_string();
    let mut stuck = connect(&app).await;
    stuck.write_all((head(&app, body.len()) + &body).as_bytes()).await.unwrap();
    // One connection is in use; once it is cut none is. Reading would let it go on.
    let start = Instant::now();
    loop {
        stuck.writable().await.unwrap();
        // Writing to a connection that the other side has closed fails.
        if stuck.try_write(b"x").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock) {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Who reads slowly is not, however long all of it takes.
    let mut slow = connect(&app).await;
    slow.write_all((head(&app, body.len()) + &body).as_bytes()).await.unwrap();
    let (mut bytes, mut piece, start) = (0, vec![0; 256 * 1024], Instant::now());
    while bytes < 60 * 250 * 1024 {
        let read = timeout(TIMEOUT, slow.read(&mut piece)).await.unwrap().unwrap();
        assert_ne!(read, 0, "cut after {bytes} bytes, {:?}", start.elapsed());
        bytes += read;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() > Duration::from_secs(1));
}

#[tokio::test]
async fn an_unread_http2_stream_does_not_end_the_connection() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.write_timeout", "1s")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for _ in 0..8 {
        ada.append(&id, &"x".repeat(250 * 1024)).await;
    }
    let http = reqwest::Client::builder().http2_prior_knowledge().http2_initial_stream_window_size(65_535);
    let http = http.build().unwrap();
    let send = async |query: &str| {
        let body = json!({ "query": query, "variables": { "id": id } });
        http.post(format!("{}/graphql", app.url)).bearer_auth(ada.token()).json(&body).send().await.unwrap()
    };
    let large = "query($id: ID!) { conversation(id: $id) { messages(last: 8) { nodes { content } } } }";
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    let read = send(large).await.bytes().await.unwrap();
    let body = json!({ "query": follow, "variables": { "id": id } });
    let stream = http.post(format!("{}/graphql", app.url)).bearer_auth(ada.token()).json(&body);
    let mut stream = stream.header("accept", "text/event-stream").send().await.unwrap();
    let unread = send(large).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        assert_eq!(send(QUERY).await.status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cut = unread.bytes().await;
    assert!(cut.is_err(), "all of it: {}", cut.unwrap().len() == read.len());
    // The stream is of the same connection.
    ada.append(&id, "still here").await;
    let event = timeout(TIMEOUT, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(std::str::from_utf8(&event).unwrap().contains("still here"));
}

#[tokio::test]
async fn a_client_that_does_not_read_a_stream_is_disconnected() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.write_timeout", "1s")]).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let query = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    let mut stream = EventStream::open(&ada, query, json!({ "id": id }), None).await;
    for _ in 0..60 {
        ada.append(&id, &"x".repeat(250 * 1024)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut events = 0;
    while let Some(event) = stream.next().await {
        assert_eq!(event.name, "next", "it is not told, it is cut");
        events += 1;
    }
    assert!(events < 60, "{events}");
}

#[tokio::test]
async fn connections_are_limited() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.max_connections", "3")]).await;
    let whole = head(&app, body().len()) + &body();
    let enter = async || {
        let mut stream = connect(&app).await;
        stream.write_all(whole.as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        stream
    };
    let (mut first, second) = (enter().await, enter().await);
    let mut third = app.socket("ada").await;
    // The connection that has been idle for longest is closed; a socket is not idle.
    let fourth = enter().await;
    assert_eq!(read_to_end(&mut first).await, "");
    third.settle().await;
    drop((second, fourth));
    // Nobody is idle.
    let mut busy = vec![app.socket("ada").await, app.socket("ada").await];
    let mut outside = connect(&app).await;
    outside.write_all(whole.as_bytes()).await.unwrap();
    let told = read_to_end(&mut outside).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1"), "{told}");
    // They go on, and a closed connection frees its slot.
    busy[0].settle().await;
    third.settle().await;
    drop(busy.pop());
    let start = Instant::now();
    loop {
        let mut stream = connect(&app).await;
        // It may be cut before it has written.
        let _ = stream.write_all(whole.as_bytes()).await;
        let mut status = [0; 12];
        if stream.read_exact(&mut status).await.is_ok() && &status == b"HTTP/1.1 200" {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "no room");
    }
}

#[tokio::test]
async fn connections_are_limited_for_each_address() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.connections_per_address", "2")]).await;
    let whole = head(&app, body().len()) + &body();
    let to = app.url.strip_prefix("http://").unwrap().parse().unwrap();
    let asked = async |from: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        // It may be cut before it has written.
        let _ = stream.write_all(whole.as_bytes()).await;
        let mut status = [0; 12];
        let _ = timeout(TIMEOUT, stream.read_exact(&mut status)).await.expect("an answer in time");
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    let mut inside = vec![app.socket("ada").await, app.socket("bob").await];
    let mut outside = connect(&app).await;
    assert!(read_to_end(&mut outside).await.starts_with("HTTP/1.1 503"));
    assert_eq!(asked("127.0.0.2:0").await, "200", "another address is another's");
    for socket in &mut inside {
        socket.settle().await;
    }
    drop(inside.pop());
    let start = Instant::now();
    while asked("127.0.0.1:0").await != "200" {
        assert!(start.elapsed() < TIMEOUT, "no room");
    }
}

#[tokio::test]
async fn running_out_of_file_descriptors_is_survived() {
    let server = Program::over(Engine::Sqlite).await.serve(&[]).await;
    let ada = server.client("ada");
    ada.data(QUERY, json!({})).await;
    server.limit_files(u32::try_from(server.open_files()).unwrap() + 5).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(TcpStream::connect(address).await.unwrap());
    }
    let before = server.processor_time();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let busy = server.processor_time() - before;
    assert!(busy < 30, "it spins: {busy} hundredths of a second");
    drop(waiting);
    Client::new(&server.url, Some(ada.token().into())).data(QUERY, json!({})).await;
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success());
    let told = log.matches("cannot accept connections: retrying").count();
    assert!((1..10).contains(&told), "{log}");
}

#[tokio::test]
async fn http_2_is_spoken_without_tls() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.keep_alive", "500ms")]).await;
    let ada = app.client("ada");
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = || http.post(format!("{}/graphql", app.url)).bearer_auth(ada.token());
    let mut together = tokio::task::JoinSet::new();
    for _ in 0..50 {
        together.spawn(request().json(&json!({ "query": QUERY })).send());
    }
    for answer in together.join_all().await {
        let answer = answer.unwrap();
        assert_eq!((answer.version(), answer.status()), (reqwest::Version::HTTP_2, StatusCode::OK));
    }
    let large = request().header("x", "x".repeat(20 * 1024)).json(&json!({ "query": QUERY })).send().await;
    assert!(large.is_err() || large.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // A stream outlives the time that a connection may be idle, and is followed by others.
    let id = ada.new_conversation().await;
    let query = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    let stream = request().header("accept", "text/event-stream");
    let mut stream = stream.json(&json!({ "query": query, "variables": { "id": id } })).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    ada.append(&id, "late").await;
    let event = timeout(TIMEOUT, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(std::str::from_utf8(&event).unwrap().contains("late"));
    drop(stream);
    // Once it has been idle it is closed, and the client opens another.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(request().json(&json!({ "query": QUERY })).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_shutdown_lets_running_operations_finish() {
    let mut app = TestApp::start_with(Engine::Sqlite, &[("server.shutdown_timeout", "20s")]).await;
    let body = body();
    let mut idle = connect(&app).await;
    idle.write_all((head(&app, body.len()) + &body).as_bytes()).await.unwrap();
    assert!(read_answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let mut running = connect(&app).await;
    let (first, rest) = body.split_at(5);
    running.write_all((head(&app, body.len()) + first).as_bytes()).await.unwrap();
    // The request has been begun once this connection, opened later, is answered.
    Client::new(&app.url, Some(app.client("ada").token().into())).data(QUERY, json!({})).await;
    let url = app.url.clone();
    let stopping = async { app.stop().await };
    let finishing = async {
        assert_eq!(read_to_end(&mut idle).await, "", "idle connections are closed");
        assert!(TcpStream::connect(url.strip_prefix("http://").unwrap()).await.is_err(), "nobody listens");
        running.write_all(rest.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut running).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    };
    tokio::join!(stopping, finishing);
}

#[tokio::test]
async fn a_shutdown_has_a_time_limit() {
    let mut app =
        TestApp::start_with(Engine::Sqlite, &[("server.shutdown_timeout", "1s"), ("server.drain", "0s")])
            .await;
    let mut stuck = connect(&app).await;
    stuck.write_all((head(&app, 100) + "{").as_bytes()).await.unwrap();
    Client::new(&app.url, Some(app.client("ada").token().into())).data(QUERY, json!({})).await;
    let start = Instant::now();
    app.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(read_to_end(&mut stuck).await, "");
}
