//! Streaming messages.

mod parts;

use std::time::Duration;

use scrollback::model::{MessageId, MessageStatus, OwnerId, Timestamp, Viewer};
use serde_json::{Value, json};

use crate::harness::{
    APPEND, APPEND_TEXT, Client, EventStream, FINISH, Socket, TestApp, on_each_database,
    with_row_level_security,
};

on_each_database!(
    queries_return_the_current_text_of_a_streaming_message,
    repeated_text_changes_nothing_and_gaps_are_refused,
    text_subscribers_get_the_rest_and_then_new_text,
    text_is_not_read_for_subscribers_of_the_same_server,
    server_sent_events_resume_from_the_last_id,
    a_text_can_be_read_from_any_offset,
    any_client_can_request_a_stop,
    an_ended_message_refuses_more_text,
    an_expired_writer_is_interrupted_and_its_text_kept,
    deleting_a_streaming_message_removes_its_chunks,
);

with_row_level_security!(
    an_expired_writer_is_interrupted_and_its_text_kept,
    deleting_a_streaming_message_removes_its_chunks
);

const READ: &str = "query($id: ID!) { node(id: $id) { ... on Message { status content } } }";

const FOLLOW: &str = "subscription($id: ID!, $offset: Int) { messageText(messageId: $id, offset: $offset) { offset text status } }";

/// A streaming message.
async fn begin(ada: &Client, conversation: &str, content: Option<&str>) -> Value {
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING", "content": content, "model": "m-1" });
    ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone()
}

async fn add(ada: &Client, id: &Value, offset: usize, text: &str) -> Value {
    ada.data(APPEND_TEXT, json!({ "id": id, "offset": offset, "text": text })).await["appendMessageText"]
        .clone()
}

async fn read(ada: &Client, id: &Value) -> Value {
    ada.data(READ, json!({ "id": id })).await["node"].clone()
}

/// The next chunk of a followed text.
async fn chunk(socket: &mut Socket) -> Value {
    let message = socket.receive().await;
    assert_eq!(message["type"], "next", "{message}");
    message["payload"]["data"]["messageText"].clone()
}

async fn queries_return_the_current_text_of_a_streaming_message(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let id = begin(&ada, &conversation, None).await;
    assert_eq!(read(&ada, &id).await, json!({ "status": "STREAMING", "content": "" }));
    // Offsets count code points, not bytes and not UTF-16 units.
    assert_eq!(add(&ada, &id, 0, "Hé👍").await, json!({ "length": 3, "stopRequested": false }));
    assert_eq!(add(&ada, &id, 3, "👩‍👩‍👧 ").await["length"], 9);
    assert_eq!(add(&ada, &id, 9, "end").await["length"], 12);
    assert_eq!(read(&ada, &id).await, json!({ "status": "STREAMING", "content": "Hé👍👩‍👩‍👧 end" }));
    let lists =
        "query($id: ID!) { conversation(id: $id) { head { content model } messages { nodes { content } } } }";
    let data = ada.data(lists, json!({ "id": conversation })).await;
    assert_eq!(data["conversation"]["head"], json!({ "content": "Hé👍👩‍👩‍👧 end", "model": "m-1" }));
    assert_eq!(data["conversation"]["messages"]["nodes"][0]["content"], "Hé👍👩‍👩‍👧 end");
    let finished = json!({ "status": "COMPLETE", "content": "Hé👍👩‍👩‍👧 end" });
    for _ in 0..2 {
        let data = ada.data(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
        assert_eq!(data["finishMessage"]["message"], finished, "and again: a repeat changes nothing");
    }
    assert_eq!(read(&ada, &id).await, finished);
    // A stream may begin with text.
    let id = begin(&ada, &conversation, Some("So")).await;
    assert_eq!(add(&ada, &id, 2, " far").await["length"], 6);
    assert_eq!(read(&ada, &id).await["content"], "So far");
}

async fn repeated_text_changes_nothing_and_gaps_are_refused(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, None).await;
    add(&ada, &id, 0, "abc").await;
    assert_eq!(add(&ada, &id, 0, "abc").await["length"], 3);
    assert_eq!(add(&ada, &id, 1, "b").await["length"], 3);
    // A writer that resends more than it knows to have arrived adds what is new.
    assert_eq!(add(&ada, &id, 1, "bcdef").await["length"], 6);
    assert_eq!(add(&ada, &id, 6, "").await["length"], 6, "only a sign of life");
    assert_eq!(read(&ada, &id).await["content"], "abcdef");
    let hole =
        ada.run(APPEND_TEXT, json!({ "id": id, "offset": 7, "text": "x" })).await.body["errors"][0].clone();
    assert_eq!(hole["extensions"], json!({ "code": "CONFLICT", "length": 6 }));
    for (offset, text, rule) in [
        (-1, "x".to_owned(), "`input.offset` must not be negative"),
        (6, "a\0".to_owned(), "`input.text` must not contain NUL (U+0000)"),
        (6, "x".repeat(1024 * 1024 - 5), "`input.text` must end within 1048576 code points"),
    ] {
        let fault = ada.fault(APPEND_TEXT, json!({ "id": id, "offset": offset, "text": text })).await;
        assert_eq!(fault, ("BAD_USER_INPUT".into(), rule.into()));
    }
    // Many writers send the same pieces at once: each is there once.
    let sends = (0..10).map(|_| {
        let (ada, id) = (ada.clone(), id.clone());
        tokio::spawn(async move {
            for number in 0..20 {
                let variables = json!({ "id": id, "offset": 6 + number, "text": "z" });
                while ada.attempt_any(APPEND_TEXT, variables.clone()).await.is_none() {}
            }
        })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.unwrap();
    }
    assert_eq!(read(&ada, &id).await["content"], format!("abcdef{}", "z".repeat(20)));
}

async fn text_subscribers_get_the_rest_and_then_new_text(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, None).await;
    add(&ada, &id, 0, "Hé👍").await;
    let mut sockets = Vec::new();
    for offset in [0, 1, 2, 3] {
        let mut socket = app.socket("ada").await;
        socket.subscribe("s", FOLLOW, json!({ "id": id, "offset": offset })).await;
        sockets.push((usize::try_from(offset).unwrap(), String::new(), socket));
    }
    let whole: String = "Hé👍".chars().chain((0..60).map(|n| char::from(b'a' + n % 26))).collect();
    for (at, letter) in whole.chars().enumerate().skip(3) {
        add(&ada, &id, at, &letter.to_string()).await;
        if at == 30 {
            // One that comes in the middle.
            let mut socket = app.socket("ada").await;
            socket.subscribe("s", FOLLOW, json!({ "id": id, "offset": 10 })).await;
            sockets.push((10, String::new(), socket));
        }
    }
    ada.data(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
    for (start, mut text, mut socket) in sockets {
        loop {
            let chunk = chunk(&mut socket).await;
            assert_eq!(chunk["offset"], start + text.chars().count(), "{chunk}");
            text.push_str(chunk["text"].as_str().unwrap());
            if chunk["status"] != "STREAMING" {
                assert_eq!(chunk["status"], "COMPLETE");
                break;
            }
        }
        assert_eq!(text, whole.chars().skip(start).collect::<String>());
        assert_eq!(socket.receive().await["type"], "complete");
    }
    // Of what has ended already: the rest in one chunk.
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id, "offset": 60 })).await;
    assert_eq!(
        chunk(&mut socket).await,
        json!({ "offset": 60, "text": whole.chars().skip(60).collect::<String>(), "status": "COMPLETE" })
    );
    assert_eq!(socket.receive().await["type"], "complete");
    socket.subscribe("t", FOLLOW, json!({ "id": id, "offset": 64 })).await;
    assert_eq!(socket.receive().await["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

async fn text_is_not_read_for_subscribers_of_the_same_server(app: TestApp) {
    const CHUNKS: usize = 40;
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let mut costs = Vec::new();
    for followers in [0, 3] {
        let id = begin(&ada, &conversation, Some("x")).await;
        let mut sockets = Vec::new();
        for _ in 0..followers {
            let mut socket = app.socket("ada").await;
            socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
            assert_eq!(chunk(&mut socket).await["text"], "x");
            sockets.push(socket);
        }
        let before = app.store.statements();
        for offset in 1..=CHUNKS {
            add(&ada, &id, offset, "y").await;
            for socket in &mut sockets {
                let expected = json!({ "offset": offset, "text": "y", "status": "STREAMING" });
                assert_eq!(chunk(socket).await, expected);
            }
        }
        costs.push(app.store.statements() - before);
    }
    // The followers join a reader, which reads when it is new.
    assert!(costs[1] <= costs[0] + CHUNKS as u64 / 4, "{costs:?}");
}

async fn server_sent_events_resume_from_the_last_id(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, None).await;
    // A browser repeats its request unchanged.
    let variables = json!({ "id": id, "offset": 0 });
    let mut stream = EventStream::open(&ada, FOLLOW, variables.clone(), None).await;
    let (mut offset, mut last) = (0, None);
    for piece in ["Hé👍", "llo ", "wor"] {
        let length = add(&ada, &id, offset, piece).await["length"].clone();
        let event = stream.next().await.unwrap();
        let chunk = json!({ "offset": offset, "text": piece, "status": "STREAMING" });
        assert_eq!(event.data["data"]["messageText"], chunk);
        assert_eq!(event.id, Some(length.to_string()));
        offset += piece.chars().count();
        last = event.id;
    }
    drop(stream);
    add(&ada, &id, 10, "ld").await;
    let mut stream = EventStream::open(&ada, FOLLOW, variables.clone(), last.as_deref()).await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.data["data"]["messageText"]["text"], "ld");
    ada.data(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
    for last in [None, Some("12"), Some("3")] {
        if last.is_some() {
            stream = EventStream::open(&ada, FOLLOW, variables.clone(), last).await;
        }
        let event = stream.next().await.unwrap();
        let text = if last == Some("3") { "llo world" } else { "" };
        assert_eq!(event.id.as_deref(), Some("12"));
        let chunk = &event.data["data"]["messageText"];
        assert_eq!([&chunk["text"], &chunk["status"]], [text, "COMPLETE"]);
        assert_eq!(stream.next().await.unwrap().name, "complete");
    }
    for (last, rule) in [
        ("13", "`offset` must be between 0 and 12 (the length of the text), got 13"),
        ("-1", "`offset` must be a cursor of this text"),
        ("x", "`offset` must be a cursor of this text"),
    ] {
        let mut stream = EventStream::open(&ada, FOLLOW, variables.clone(), Some(last)).await;
        assert_eq!(stream.next().await.unwrap().data["errors"][0]["message"], rule);
    }
}

async fn a_text_can_be_read_from_any_offset(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, None).await;
    add(&ada, &id, 0, "Hé👍").await;
    add(&ada, &id, 3, "l").await;
    add(&ada, &id, 4, "o wörld").await;
    let store = app.store.viewed_by(&Viewer::new(OwnerId::new("ada").unwrap()));
    let message = MessageId(id.as_str().unwrap().parse().unwrap());
    for end in [MessageStatus::Streaming, MessageStatus::Complete] {
        for offset in 0..=11_i64 {
            let (pieces, status) = store.pieces(message, offset).await.unwrap().unwrap();
            assert!(status == end && pieces.first().is_none_or(|first| first.offset == offset), "{pieces:?}");
            let rest = pieces.iter().map(|piece| &*piece.text).collect::<String>();
            assert_eq!(rest, "Hé👍lo wörld".chars().skip(offset.try_into().unwrap()).collect::<String>());
        }
        ada.data(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
    }
    let other = app.store.viewed_by(&Viewer::new(OwnerId::new("bob").unwrap()));
    assert_eq!(other.pieces(message, 0).await.unwrap(), None);
}

async fn any_client_can_request_a_stop(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, None).await;
    add(&ada, &id, 0, "Once upon").await;
    let stop = "mutation($id: ID!) { stopMessage(input: { messageId: $id }) { message { status } } }";
    // Two devices at once.
    let variables = json!({ "id": id });
    let (one, two) = tokio::join!(ada.data(stop, variables.clone()), ada.data(stop, variables.clone()));
    assert_eq!((&one, &one["stopMessage"]["message"]["status"]), (&two, &json!("STREAMING")));
    assert_eq!(add(&ada, &id, 9, " a time").await, json!({ "length": 16, "stopRequested": true }));
    ada.data(FINISH, json!({ "id": id, "status": "INTERRUPTED" })).await;
    assert_eq!(read(&ada, &id).await, json!({ "status": "INTERRUPTED", "content": "Once upon a time" }));
    assert_eq!(ada.data(stop, variables).await["stopMessage"]["message"]["status"], "INTERRUPTED");
}

async fn an_ended_message_refuses_more_text(app: TestApp) {
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, Some("x")).await;
    let update =
        "mutation($id: ID!) { updateMessage(input: { id: $id, content: \"y\" }) { message { content } } }";
    assert_eq!(
        ada.fault(update, json!({ "id": id })).await,
        ("CONFLICT".into(), "the message is being written".into())
    );
    ada.data(FINISH, json!({ "id": id, "status": "FAILED" })).await;
    let late = json!({ "id": id, "offset": 1, "text": "late" });
    assert_eq!(
        ada.fault(APPEND_TEXT, late).await,
        ("CONFLICT".into(), "the message is not being written any more".into())
    );
    assert_eq!(ada.fault(FINISH, json!({ "id": id, "status": "COMPLETE" })).await.0, "CONFLICT");
    assert_eq!(ada.fault(FINISH, json!({ "id": id, "status": "STREAMING" })).await.0, "BAD_USER_INPUT");
    ada.data(update, json!({ "id": id })).await;
    assert_eq!(read(&ada, &id).await, json!({ "status": "FAILED", "content": "y" }));
}

async fn an_expired_writer_is_interrupted_and_its_text_kept(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let id = begin(&ada, &conversation, Some("Half an ans")).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id, "offset": 0 })).await;
    assert_eq!(chunk(&mut socket).await["text"], "Half an ans");
    assert_eq!(app.store.interrupt_silent(Timestamp(0)).await.unwrap(), 0);
    // Two sweeps at once: the message is interrupted once.
    let now = Timestamp(i64::MAX);
    let (one, two) = tokio::join!(app.store.interrupt_silent(now), app.store.interrupt_silent(now));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(read(&ada, &id).await, json!({ "status": "INTERRUPTED", "content": "Half an ans" }));
    assert_eq!(chunk(&mut socket).await, json!({ "offset": 11, "text": "", "status": "INTERRUPTED" }));
    let kinds = "{ changes { nodes { __typename } } }";
    let data = ada.data(kinds, json!({})).await;
    let told = data["changes"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["__typename"] == "MessageUpdated");
    assert_eq!(told.count(), 1);
    // The server itself looks after it.
    let app = TestApp::start_with(app.engine, &[("feed.lease", "200ms")]).await;
    let ada = app.client("ada");
    let id = begin(&ada, &ada.new_conversation().await, Some("x")).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id, "offset": 1 })).await;
    assert_eq!(chunk(&mut socket).await["status"], "INTERRUPTED");
}

async fn deleting_a_streaming_message_removes_its_chunks(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let id = begin(&ada, &conversation, Some("secret")).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    assert_eq!(chunk(&mut socket).await["text"], "secret");
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { status content } } }";
    let data = ada.data(delete, json!({ "id": id })).await;
    assert_eq!(data["deleteMessage"]["message"], json!({ "status": "INTERRUPTED", "content": "" }));
    assert_eq!(ada.fault(APPEND_TEXT, json!({ "id": id, "offset": 6, "text": "x" })).await.0, "CONFLICT");
    assert_eq!(chunk(&mut socket).await["status"], "INTERRUPTED");
    // With its conversation it is gone, for its followers too.
    let id = begin(&ada, &conversation, Some("secret")).await;
    socket.subscribe("t", FOLLOW, json!({ "id": id, "offset": 6 })).await;
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": conversation })).await;
    assert_eq!(ada.fault(APPEND_TEXT, json!({ "id": id, "offset": 6, "text": "x" })).await.0, "NOT_FOUND");
    tokio::time::timeout(Duration::from_secs(20), async { while socket.receive().await["id"] != "t" {} })
        .await
        .unwrap();
}
