//! Large messages and metadata: what fits, what does not, and what the limits follow from.

use serde_json::{Value, json};

use crate::harness::{Client, Program, TestApp, on_each_database};

on_each_database!(
    messages_may_be_large,
    what_is_too_large_is_named,
    values_may_nest_two_hundred_levels,
    streamed_texts_may_be_large,
    sockets_take_large_messages,
);

const MIB: usize = 1024 * 1024;

const CREATE: &str = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
const APPEND: &str =
    "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id content metadata
  parts { ... on FilePart { url } ... on ToolPart { output } } } } }";

async fn append(client: &Client, id: &str, more: Value) -> Value {
    client.data(APPEND, json!({ "input": input(id, &more) })).await["appendMessage"]["message"].take()
}

fn input(id: &str, more: &Value) -> Value {
    let mut input = json!({ "conversationId": id, "role": "ASSISTANT" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn nested(levels: usize) -> Value {
    (0..levels)
        .fold(json!(1), |value, level| if level % 2 == 0 { json!([value]) } else { json!({ "a": value }) })
}

/// What people paste, and what tools return.
async fn messages_may_be_large(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    // Each character takes two bytes as JSON.
    let text = "\"\n".repeat(MIB / 2);
    let url = format!("data:image/png;base64,{}", "A".repeat(8 * 1024 - 30));
    let output: Vec<_> = (0..60_000).collect();
    let metadata = json!({ "text": "x".repeat(65_000) });
    assert_eq!(append(&ada, &id, json!({ "content": text, "metadata": metadata })).await["content"], text);
    let parts = json!([
        { "file": { "mediaType": "image/png", "url": url } },
        { "tool": { "toolCallId": "1", "toolName": "look", "state": "OUTPUT_AVAILABLE", "output": output } },
    ]);
    let appended = append(&ada, &id, json!({ "parts": parts })).await;
    assert_eq!(
        (&appended["parts"][0]["url"], &appended["parts"][1]["output"]),
        (&json!(url), &json!(output))
    );
    // They are read back alike, counted and found, and one who follows gets them.
    let read = "query($id: ID!) { conversation(id: $id) { messages { nodes { content metadata tokenCount(tokenizer: ESTIMATE) } } } }";
    let data = ada.data(read, json!({ "id": id })).await;
    let nodes = &data["conversation"]["messages"]["nodes"];
    assert_eq!((&nodes[0]["content"], &nodes[0]["metadata"]), (&json!(text), &metadata));
    assert_eq!(nodes[0]["tokenCount"], MIB / 4);
    let edit =
        "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { content } } }";
    let large = format!("needle {}", "x".repeat(MIB - 7));
    let message = append(&ada, &id, json!({ "content": "small" })).await["id"].clone();
    ada.data(edit, json!({ "input": { "id": message, "content": large } })).await;
    let found = ada.data("{ searchMessages(query: \"needle\") { nodes { id } } }", json!({})).await;
    assert_eq!(found["searchMessages"]["nodes"], json!([{ "id": message }]));
    // A page of many is too large for an answer: less is to be asked for.
    for _ in 0..20 {
        append(&ada, &id, json!({ "content": large })).await;
    }
    let (code, _) = ada.fault(read, json!({ "id": id })).await;
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    let few = read.replace("messages {", "messages(last: 5) {");
    assert_eq!(
        ada.data(&few, json!({ "id": id })).await["conversation"]["messages"]["nodes"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

async fn what_is_too_large_is_named(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let large = "x".repeat(MIB + 1);
    let tool = |output: Value| json!([{ "tool": { "toolCallId": "1", "toolName": "t", "state": "OUTPUT_AVAILABLE", "output": output } }]);
    for (more, expected) in [
        (json!({ "content": large }), "`input.content` must be at most 1048576 bytes of UTF-8, has 1048577"),
        (
            json!({ "parts": [{ "text": { "text": large } }] }),
            "`input.parts` must have at most 1048576 bytes of JSON in total, has 1048599",
        ),
        (
            json!({ "parts": tool(json!(large)) }),
            "`input.parts[0].tool.output` must be at most 1048576 bytes of JSON, has 1048579",
        ),
        (
            json!({ "content": "a", "metadata": { "a": "x".repeat(65_536) } }),
            "`input.metadata` must be at most 65536 bytes of JSON, has 65544",
        ),
        (
            json!({ "parts": [{ "file": { "mediaType": "a/b", "url": format!("https://example.org/{}", "x".repeat(8192)) } }] }),
            "`input.parts[0].file.url` must be at most 8192 bytes of UTF-8, has 8212",
        ),
    ] {
        let told = ada.fault(APPEND, json!({ "input": input(&id, &more) })).await;
        assert_eq!(told, ("BAD_USER_INPUT".into(), expected.into()));
    }
    let told =
        ada.fault(CREATE, json!({ "input": { "messages": [{ "role": "USER", "content": large }] } })).await;
    assert!(told.1.starts_with("`input.messages[0].content` must be at most 1048576 bytes"), "{told:?}");
    // A body beyond its limit is refused before it is read.
    let status = ada
        .run(APPEND, json!({ "input": input(&id, &json!({ "content": "x".repeat(9 * MIB) })) }))
        .await
        .status;
    assert_eq!(status, 413);
    let count = "query($id: ID!) { conversation(id: $id) { messageCount } }";
    assert_eq!(
        ada.data(count, json!({ "id": id })).await["conversation"]["messageCount"],
        0,
        "nothing is kept"
    );
}

async fn values_may_nest_two_hundred_levels(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let deep = nested(200);
    let parts = json!([{ "tool": { "toolCallId": "1", "toolName": "t", "state": "OUTPUT_AVAILABLE", "output": deep } }]);
    // A repeat compares them.
    let more = json!({ "id": uuid::Uuid::new_v4().to_string(), "parts": parts, "metadata": deep });
    for _ in 0..2 {
        // The test's own parser does not read so deep.
        let body = json!({ "query": APPEND, "variables": { "input": input(&id, &more) } });
        let response = ada.request(reqwest::Method::POST, "/graphql").json(&body).send().await.unwrap();
        let text = response.text().await.unwrap();
        assert_eq!(text.matches(&deep.to_string()).count(), 2, "{text}");
    }
    // An index reads them.
    ada.data("{ searchMessages(query: \"look\") { nodes { id } } }", json!({})).await;
    let told = ada
        .fault(APPEND, json!({ "input": input(&id, &json!({ "content": "a", "metadata": nested(201) })) }))
        .await;
    assert_eq!(told, ("BAD_USER_INPUT".into(), "`input.metadata` must nest at most 200 levels deep".into()));
}

async fn streamed_texts_may_be_large(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let message = append(&ada, &id, json!({ "status": "STREAMING" })).await["id"].clone();
    let text = "mutation($id: ID!, $offset: Int!, $text: String!) { appendMessageText(input: { messageId: $id, offset: $offset, text: $text }) { length } }";
    let half = "x".repeat(MIB / 2);
    for offset in [0, MIB / 2] {
        ada.data(text, json!({ "id": message, "offset": offset, "text": half })).await;
    }
    let told = ada.fault(text, json!({ "id": message, "offset": MIB, "text": "x" })).await;
    assert_eq!(told, ("BAD_USER_INPUT".into(), "`input.text` must end within 1048576 code points".into()));
    let finish = "mutation($id: ID!) { finishMessage(input: { messageId: $id, status: COMPLETE }) { message { content } } }";
    let data = ada.data(finish, json!({ "id": message })).await;
    assert_eq!(data["finishMessage"]["message"]["content"].as_str().unwrap().len(), MIB);
}

async fn sockets_take_large_messages(app: TestApp) {
    let id = app.client("ada").new_conversation().await;
    let mut socket = app.socket("ada").await;
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    socket.subscribe("1", follow, json!({ "id": id })).await;
    let large = "\"".repeat(MIB);
    let mut followed = false;
    // The first may come before the subscription.
    for number in 2..20 {
        let variables = json!({ "input": input(&id, &json!({ "content": large })) });
        socket.subscribe(&number.to_string(), APPEND, variables).await;
        loop {
            let event = socket.receive().await;
            assert!(event["id"] != "1" || event["type"] == "next", "{event}");
            if event["type"] == "complete" {
                break;
            }
            let data = &event["payload"]["data"];
            followed |= data["messageAdded"].is_object();
            for message in [&data["appendMessage"]["message"], &data["messageAdded"]["node"]] {
                assert!(message.is_null() || message["content"] == large);
            }
        }
        if followed {
            return;
        }
    }
    panic!("it follows nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn larger_messages_need_larger_bodies_and_answers() {
    let program = Program::believing().with("SCROLLBACK_LIMITS_MESSAGE_BYTES", (16 * MIB).to_string());
    for name in ["server.body_limit", "server.message_limit", "limits.answer_bytes"] {
        let program = Program::believing().with("SCROLLBACK_LIMITS_MESSAGE_BYTES", (9 * MIB).to_string());
        let others = [
            ("SCROLLBACK_SERVER_BODY_LIMIT", "server.body_limit"),
            ("SCROLLBACK_SERVER_MESSAGE_LIMIT", "server.message_limit"),
        ];
        let program = others
            .into_iter()
            .filter(|(_, other)| *other != name)
            .fold(program, |program, (variable, _)| program.with(variable, (32 * MIB).to_string()));
        let said = program.refused(&["--listen", "127.0.0.1:0"]).await;
        let expected =
            format!("the setting `{name}` must be at least 18874368, twice `limits.message_bytes`, got ");
        assert!(said.contains(&expected), "{said}");
    }
    let said = Program::believing()
        .with("SCROLLBACK_LIMITS_MESSAGE_BYTES", "16777217")
        .refused(&["--listen", "127.0.0.1:0"])
        .await;
    assert!(said.contains("must be 1024 to 16777216, got 16777217"), "{said}");
    let program = [
        ("SCROLLBACK_SERVER_BODY_LIMIT", 64),
        ("SCROLLBACK_SERVER_MESSAGE_LIMIT", 32),
        ("SCROLLBACK_LIMITS_ANSWER_BYTES", 64),
        ("SCROLLBACK_SERVER_MEMORY_PER_OWNER", 1024),
        ("SCROLLBACK_SERVER_MEMORY", 2048),
    ]
    .into_iter()
    .fold(program, |program, (variable, mib)| program.with(variable, (mib * MIB).to_string()));
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let text = "é".repeat(8 * MIB);
    assert_eq!(append(&ada, &id, json!({ "content": text })).await["content"], text);
    let told =
        ada.fault(APPEND, json!({ "input": input(&id, &json!({ "content": format!("{text}!") })) })).await;
    assert_eq!(told.1, "`input.content` must be at most 16777216 bytes of UTF-8, has 16777217");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_messages_at_once_take_bounded_memory() {
    let program = Program::believing();
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let text = "x".repeat(MIB);
    let appends = (0..100)
        .map(|_| ada.attempt_any(APPEND, json!({ "input": input(&id, &json!({ "content": text })) })));
    let appended = futures_util::future::join_all(appends).await.into_iter().flatten().count();
    assert!(appended > 0);
    let peak = server.peak_memory();
    assert!(peak < 700 * MIB as u64, "{peak}");
}
