//! Memory of large messages of WebSockets.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Closed, Engine, Program, Running, Socket, TIMEOUT, TestApp, token};
use crate::metrics::{scrape, serve_program, value};

const KIB: usize = 1024;

/// The limit of a message in most of these tests.
const LIMIT: usize = 1024 * KIB;

/// The large messages of an owner that fit in memory.
const FITTING: usize = 4;

/// With these the requests of an owner may take four times twice the limit, and all together twice as much.
const SETTINGS: &[(&str, &str)] = &[
    ("SCROLLBACK_LIMITS_MESSAGE_BYTES", "262144"),
    ("SCROLLBACK_LIMITS_ANSWER_BYTES", "1048576"),
    ("SCROLLBACK_SERVER_BODY_LIMIT", "1048576"),
    ("SCROLLBACK_SERVER_MESSAGE_LIMIT", "1048576"),
    ("SCROLLBACK_SERVER_MEMORY_PER_OWNER", "4194304"),
    ("SCROLLBACK_SERVER_MEMORY", "33554432"),
    ("SCROLLBACK_SERVER_BODY_TIMEOUT", "60s"),
    // No pings of the server between the messages that are expected.
    ("SCROLLBACK_SERVER_PING_INTERVAL", "60s"),
    ("SCROLLBACK_SERVER_DEAD_AFTER", "120s"),
];

async fn serve() -> (Program, Running, String) {
    let program =
        SETTINGS.iter().fold(Program::believing(), |program, (name, value)| program.with(name, *value));
    serve_program(program).await
}

fn closed(code: u16, reason: &str) -> Closed {
    Closed { code, reason: reason.into() }
}

/// No room in the pools of memory.
fn crowded() -> Closed {
    closed(1013, "too many large requests are in progress: retry later")
}

/// A ping of the protocol with this number of bytes.
fn ping(bytes: usize) -> String {
    let message = json!({ "type": "ping", "payload": { "padding": "" } }).to_string();
    message.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - message.len())))
}

/// The message that starts an operation, with so many bytes that mean nothing.
fn subscribe(id: &str, query: &str, ignored: usize) -> Value {
    let payload = json!({ "query": query, "ignored": "x".repeat(ignored) });
    json!({ "type": "subscribe", "id": id, "payload": payload })
}

/// A text as a client sends it: in one frame, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let mut header = vec![0x81, 0x80 | 127];
    header.extend((text.len() as u64).to_be_bytes());
    header.extend([0; 4]);
    [&header, text.as_bytes()].concat()
}

async fn send_bytes<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>, bytes: &[u8]) {
    let sending = async {
        socket.stream.get_mut().write_all(bytes).await.unwrap();
        socket.stream.get_mut().flush().await.unwrap();
    };
    timeout(TIMEOUT, sending).await.expect("it is read in time");
}

/// Sends all of a message but its last byte.
async fn begin(socket: &mut Socket, message: &str) {
    let bytes = frame(message);
    send_bytes(socket, &bytes[..bytes.len() - 1]).await;
}

/// Sends the last byte of a message that was begun.
async fn finish(socket: &mut Socket, message: &str) {
    send_bytes(socket, &message.as_bytes()[message.len() - 1..]).await;
}

fn fragment(kind: Data, text: &str, is_final: bool) -> Message {
    Message::Frame(Frame::message(text.to_owned(), OpCode::Data(kind), is_final))
}

/// Waits until large requests have reserved this number of bytes.
async fn reserved(admin: &str, bytes: usize) {
    let start = Instant::now();
    loop {
        let now = value(&scrape(admin).await, "scrollback_memory_requests_bytes").unwrap();
        #[expect(clippy::cast_precision_loss, reason = "far less than what a float counts exactly")]
        if now == bytes as f64 {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "{now} instead of {bytes}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_known_sends_no_large_message() {
    let app = TestApp::start(Engine::Sqlite).await;
    refuses_strangers(Socket::open(&app.url).await).await;
    refuses_strangers(Socket::open_over_http2(&app.url).await).await;
    let mut fragmented = Socket::open(&app.url).await;
    fragmented.send_raw(fragment(Data::Text, &ping(60 * KIB), false)).await;
    fragmented.send_raw(Message::Ping("".into())).await;
    fragmented.send_raw(fragment(Data::Continue, &"x".repeat(5 * KIB), false)).await;
    assert_eq!(fragmented.next().await, Err(closed(1009, "a message must be at most 65536 bytes")));
    // The limit itself is allowed, and for known clients there is another.
    let mut socket = Socket::open(&app.url).await;
    socket.send_raw(Message::text(ping(64 * KIB))).await;
    assert_eq!(socket.receive().await["type"], "pong");
    socket.introduce(&token("ada", TIMEOUT)).await;
    socket.send_raw(Message::text(ping(100 * KIB))).await;
    assert_eq!(socket.receive().await["type"], "pong");
}

async fn refuses_strangers<S: AsyncRead + AsyncWrite + Unpin>(mut socket: Socket<S>) {
    socket.settle().await;
    let bytes = frame(&ping(100 * KIB));
    send_bytes(&mut socket, &bytes[..70 * KIB]).await;
    assert_eq!(socket.next().await, Err(closed(1009, "a message must be at most 65536 bytes")));
}

#[tokio::test]
async fn incomplete_messages_of_one_owner_leave_room_for_others() {
    let (_program, server, admin) = serve().await;
    let (large, ada) = (ping(LIMIT), token("ada", TIMEOUT * 4));
    let open = async |token: &str| {
        let mut socket = Socket::open(&server.url).await;
        socket.introduce(token).await;
        socket
    };
    let mut sockets = Vec::new();
    for number in 1..=FITTING {
        let mut socket = open(&ada).await;
        begin(&mut socket, &large).await;
        reserved(&admin, number * 2 * LIMIT).await;
        sockets.push(socket);
    }
    let mut refused = open(&ada).await;
    begin(&mut refused, &large).await;
    assert_eq!(refused.next().await, Err(crowded()));
    let mut small = open(&ada).await;
    small.send_raw(Message::text(ping(60 * KIB))).await;
    assert_eq!(small.receive().await["type"], "pong", "small messages need no room");

    let mut bob = open(&token("bob", TIMEOUT * 4)).await;
    bob.send_raw(Message::text(&large)).await;
    assert_eq!(bob.receive().await["type"], "pong", "others have their own room");
    reserved(&admin, FITTING * 2 * LIMIT).await;

    for (number, socket) in sockets.iter_mut().enumerate() {
        finish(socket, &large).await;
        assert_eq!(socket.receive().await["type"], "pong");
        reserved(&admin, (FITTING - 1 - number) * 2 * LIMIT).await;
    }
    small.send_raw(Message::text(&large)).await;
    assert_eq!(small.receive().await["type"], "pong", "there is room again");
    // A client that goes leaves nothing behind.
    begin(&mut small, &large).await;
    reserved(&admin, 2 * LIMIT).await;
    drop(small);
    reserved(&admin, 0).await;
}

#[tokio::test]
async fn incomplete_messages_of_many_owners_have_a_limit_of_memory() {
    const OWNERS: usize = 10;
    const SOCKETS: usize = 20;
    let (_program, server, admin) = serve().await;
    let message = ping(LIMIT);
    let mut sockets = Vec::new();
    for owner in 0..OWNERS {
        let token = token(&format!("user-{owner}"), TIMEOUT * 4);
        for _ in 0..SOCKETS {
            let mut socket = Socket::open(&server.url).await;
            socket.introduce(&token).await;
            sockets.push(socket);
        }
    }
    let before = server.peak_memory();
    for socket in &mut sockets {
        begin(socket, &message).await;
    }
    let mut refused = 0;
    for mut socket in sockets {
        finish_if_open(&mut socket, &message).await;
        match socket.next().await {
            Ok(answer) => assert_eq!(answer["type"], "pong"),
            Err(close) => {
                assert_eq!(close, crowded());
                refused += 1;
            }
        }
    }
    reserved(&admin, 0).await;
    let grown = server.peak_growth(before);
    assert!(refused > 0 && grown < 64 * LIMIT as u64, "{refused} are refused, {grown} bytes more");
}

/// Sends the last byte of a message, unless the server has closed the socket.
async fn finish_if_open(socket: &mut Socket, message: &str) {
    let _ = socket.stream.get_mut().write_all(&message.as_bytes()[message.len() - 1..]).await;
}

/// Sends a large message on each of many sockets, which stay open. `check` reads the answer to that of `user-` and a number.
async fn sockets_keep_no_memory(message: &str, check: impl AsyncFn(&mut Socket, usize)) {
    const SOCKETS: usize = 60;
    let (_program, server, admin) = serve().await;
    let mut sockets = Vec::new();
    let mut before = 0;
    for number in 0..SOCKETS {
        let mut socket = Socket::open(&server.url).await;
        socket.introduce(&token(&format!("user-{number}"), TIMEOUT * 4)).await;
        socket.send_raw(Message::text(message)).await;
        check(&mut socket, number).await;
        sockets.push(socket);
        if number == 4 {
            before = server.peak_memory();
        }
    }
    reserved(&admin, 0).await;
    let grown = server.peak_growth(before);
    // With the buffers of all it would be 55 MiB.
    assert!(grown < 32 * LIMIT as u64, "{grown} bytes more");
}

#[tokio::test]
async fn sockets_keep_no_memory_of_large_messages() {
    let message = subscribe("1", "{ viewer { id } }", LIMIT - 200).to_string();
    sockets_keep_no_memory(&message, async |socket, number| {
        assert_eq!(socket.receive().await["payload"]["data"]["viewer"]["id"], format!("user-{number}"));
        assert_eq!(socket.receive().await["type"], "complete");
    })
    .await;
}

#[tokio::test]
async fn sockets_keep_no_memory_of_large_answers() {
    // The answer is as large.
    let message = ping(LIMIT - 200);
    let expected: Value = serde_json::from_str(&message).unwrap();
    sockets_keep_no_memory(&message, async |socket, number| {
        let answer = socket.receive().await;
        assert!(answer["type"] == "pong" && answer["payload"] == expected["payload"], "{number}");
    })
    .await;
}

#[tokio::test]
async fn a_slow_large_message_closes_the_socket() {
    let app = TestApp::start_with(Engine::Sqlite, &[("server.body_timeout", "1s")]).await;
    let (mut slow, mut small) = (app.socket("ada").await, app.socket("ada").await);
    small.send_raw(fragment(Data::Text, &ping(10 * KIB), false)).await;
    slow.send_raw(fragment(Data::Text, &ping(100 * KIB), false)).await;
    let start = Instant::now();
    // It pings meanwhile, as often as it is answered.
    let end = loop {
        assert!(start.elapsed() < TIMEOUT, "it is not closed");
        let _ = futures_util::SinkExt::send(&mut slow.stream, Message::Ping("".into())).await;
        match timeout(TIMEOUT, futures_util::StreamExt::next(&mut slow.stream)).await.unwrap() {
            Some(Ok(Message::Pong(_) | Message::Text(_))) => {}
            other => break other,
        }
    };
    let Some(Ok(Message::Close(Some(frame)))) = end else { panic!("{end:?}") };
    assert_eq!((u16::from(frame.code), &*frame.reason), (4408, "a large message must arrive within 1s"));
    // A small one has no such limit.
    small.send_raw(fragment(Data::Continue, "", false)).await;
    small.send_raw(Message::Ping("still there".into())).await;
    match timeout(TIMEOUT, futures_util::StreamExt::next(&mut small.stream)).await.unwrap() {
        Some(Ok(Message::Pong(payload))) => assert_eq!(payload, "still there"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_large_message_can_come_in_fragments() {
    let app = TestApp::start(Engine::Sqlite).await;
    fragments_are_joined(app.socket("ada").await).await;
    let mut socket = Socket::open_over_http2(&app.url).await;
    socket.introduce(&token("ada", TIMEOUT)).await;
    fragments_are_joined(socket).await;
}

async fn fragments_are_joined<S: AsyncRead + AsyncWrite + Unpin>(mut socket: Socket<S>) {
    let text = ping(3 * LIMIT + 7);
    for size in [1000 * KIB, 100 * KIB, 3 * KIB] {
        let parts: Vec<&str> =
            text.as_bytes().chunks(size).map(|part| str::from_utf8(part).unwrap()).collect();
        for (number, part) in parts.iter().enumerate() {
            let kind = if number == 0 { Data::Text } else { Data::Continue };
            socket.send_raw(Message::Ping("between".into())).await;
            socket.send_raw(fragment(kind, part, number + 1 == parts.len())).await;
        }
        let answer: Value = socket.receive().await;
        let expected: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["payload"] == expected["payload"] && answer["type"] == "pong", "{size}");
    }
}

#[tokio::test]
async fn pings_are_not_counted() {
    let app = TestApp::start(Engine::Sqlite).await;
    let mut socket = Socket::open(&app.url).await;
    for _ in 0..2 {
        for _ in 0..1000 {
            socket.send_raw(Message::Ping(vec![b'x'; 125].into())).await;
        }
        socket.settle().await;
    }
    socket.introduce(&token("ada", TIMEOUT)).await;
}

#[tokio::test]
async fn large_messages_leave_no_reservation() {
    let (_program, server, admin) = serve_program(Program::believing()).await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(&token("ada", TIMEOUT * 4)).await;
    // Four of them would fill the memory of an owner.
    for id in ["1", "2", "3", "4", "5", "6"] {
        socket.send(subscribe(id, "{ viewer { id } }", 5 * LIMIT)).await;
        assert_eq!(socket.receive().await["payload"]["data"]["viewer"]["id"], "ada");
        assert_eq!(socket.receive().await["type"], "complete");
        socket.send(subscribe(id, "{ nothing }", 5 * LIMIT)).await;
        assert_eq!(socket.receive().await["type"], "error");
    }
    reserved(&admin, 0).await;
    // A subscription keeps none of the message that started it.
    let id = server.client("ada").new_conversation().await;
    let follow = format!("subscription {{ messageAdded(conversationId: {}) {{ cursor }} }}", json!(id));
    socket.send(subscribe("s", &follow, 5 * LIMIT)).await;
    socket.settle().await;
    reserved(&admin, 0).await;
    socket.send_raw(Message::text("x".repeat(LIMIT))).await;
    assert_eq!(socket.next().await, Err(closed(4400, "Invalid message received")));
    reserved(&admin, 0).await;
}
