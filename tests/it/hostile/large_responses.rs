//! Short requests with huge responses: which are rejected, and how they affect others.

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::harness::{APPEND, Client, EventStream, TestApp, on_each_database};

on_each_database!(
    too_large_responses_are_rejected,
    responses_up_to_the_limit_are_sent,
    every_transport_reports_a_too_large_response,
);

const MOST: usize = 1024 * 1024;

const SETTINGS: &[(&str, &str)] = &[("limits.message_bytes", "524288"), ("limits.answer_bytes", "1048576")];

/// Eight of these are more than may be.
const LARGE: usize = 200 * 1024;

fn assert_too_large(errors: &Value, what: &str) {
    let errors = errors.as_array().unwrap_or_else(|| panic!("{what} is answered"));
    assert_eq!(errors.len(), 1, "{what}: {errors:?}");
    let extensions = json!({ "code": "QUERY_TOO_COMPLEX", "limit": "answer_bytes", "maximum": MOST });
    assert_eq!(errors[0]["extensions"], extensions, "{what}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains("bytes") && message.ends_with(": request less at once"), "{what}: {message}");
}

async fn append(client: &Client, input: Value) -> String {
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

/// Some aliases of a field.
fn aliases(count: usize, field: &str) -> String {
    (0..count).map(|number| format!("a{number}: {field} ")).collect()
}

async fn too_large_responses_are_rejected(app: TestApp) {
    let app = TestApp::start_with(app.engine, SETTINGS).await;
    let ada = app.client("ada");
    let (text, metadata) = ("x".repeat(LARGE), json!({ "a": "x".repeat(16_000) }));
    let heavy = ada.new_conversation().await;
    let mut one = String::new();
    for _ in 0..8 {
        let parts = json!([{ "text": { "text": text } }]);
        let input = json!({ "conversationId": heavy, "role": "USER", "parentId": null, "parts": parts, "metadata": metadata });
        one = append(&ada, input).await;
    }
    for _ in 0..7 {
        ada.append(&heavy, &text).await;
    }
    let linear = ada.new_conversation().await;
    for _ in 0..8 {
        ada.append(&linear, &text).await;
    }
    let many = ada.new_conversation().await;
    for _ in 0..100 {
        ada.append(&many, "x").await;
    }
    for _ in 0..8 {
        let id = ada.new_conversation().await;
        ada.append(&id, &text).await;
    }
    let long = "x".repeat(12_000);
    let contents = aliases(6, "content");
    let of = |id: &str, selection: &str| format!("{{ conversation(id: \"{id}\") {{ {selection} }} }}");
    let node = |selection: &str| format!("node(id: \"{one}\") {{ ... on Message {{ {selection} }} }}");
    let message = |selection: &str| format!("{{ {} }}", node(selection));
    let pages: String =
        (1..8).map(|size| format!("a{size}: messages(last: {size}) {{ nodes {{ content }} }} ")).collect();
    let shapes = [
        ("a list", of(&linear, "messages { nodes { content } }")),
        ("edges", of(&linear, "messages { edges { cursor node { id content } } }")),
        ("a fragment", of(&linear, "messages { nodes { ...F } }") + " fragment F on Message { content }"),
        ("a page of a branch", of(&heavy, "messages { nodes { content } }")),
        ("the start of a branch", of(&heavy, "messages(first: 50) { nodes { content } }")),
        ("other names of pages", of(&linear, &aliases(4, "messages(last: 2) { nodes { content } }"))),
        ("pages of many sizes", of(&linear, &pages)),
        ("other names of a text", message(&contents)),
        (
            "names of a text in a list",
            of(&linear, &format!("messages(last: 1) {{ nodes {{ {contents} }} }}")),
        ),
        ("other names of what is asked first", format!("{{ {} }}", aliases(6, &node("content")))),
        (
            "one id many times",
            format!("{{ nodes(ids: {:?}) {{ ... on Message {{ content }} }} }}", vec![&one; 8]),
        ),
        ("parts", message("siblings { parts { ... on TextPart { text } } }")),
        ("other names of parts", message(&aliases(6, "parts { ... on TextPart { text } }"))),
        ("siblings", message("siblings { content }")),
        ("parents", of(&linear, "messages { nodes { parent { content } } }")),
        ("data", message(&format!("siblings {{ {} }}", aliases(10, "metadata")))),
        (
            "lists of lists",
            "{ conversations { nodes { messages(last: 1) { nodes { content } } } } }".to_owned(),
        ),
        ("heads", "{ conversations { nodes { head { content } } } }".to_owned()),
        ("heads, one by one", "{ conversations(last: 20) { nodes { head { content } } } }".to_owned()),
        (
            "changes",
            "{ changes(first: 100) { nodes { ... on MessageAdded { message { content } } } } }".to_owned(),
        ),
        ("long names", of(&many, &format!("messages(last: 100) {{ nodes {{ {long}: position }} }}"))),
        (
            "long names in a fragment",
            of(&many, "messages(last: 100) { nodes { ...F } }")
                + &format!(" fragment F on Message {{ {long}: position }}"),
        ),
    ];
    for (what, query) in shapes {
        let answer = ada.run(&query, json!({})).await;
        assert_too_large(&answer.body["errors"], what);
        assert_eq!(answer.body["data"], Value::Null, "{what}: half an answer");
        let id = ada.data(&of(&many, "id"), json!({})).await["conversation"]["id"].clone();
        assert_eq!(id, json!(many), "{what}: the server is as it was");
    }
    // What was to be written is written, however much is asked for in return.
    let input = json!({ "conversationId": linear, "role": "USER", "content": "y" });
    let mutation = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) {
      message { conversation { messages { nodes { content } } } } } }";
    let answer = ada.run(mutation, json!({ "input": input })).await;
    assert_too_large(&answer.body["errors"], "what a mutation answers");
    let data = ada.data(&of(&linear, "messageCount head { content }"), json!({})).await;
    assert_eq!(data["conversation"], json!({ "messageCount": 9, "head": { "content": "y" } }));
}

/// A conversation whose page, asked for by [`CONTENTS`], is an answer of so many bytes.
async fn conversation_of(client: &Client, bytes: usize) -> String {
    let answer = |contents: &[String]| {
        let nodes: Vec<_> = contents.iter().map(|content| json!({ "content": content })).collect();
        json!({ "data": { "conversation": { "messages": { "nodes": nodes } } } }).to_string().len()
    };
    let mut contents = vec!["x".repeat(LARGE); bytes / (LARGE + 20)];
    contents.push("\"".to_owned());
    let missing = bytes - answer(&contents);
    contents.last_mut().unwrap().push_str(&"x".repeat(missing));
    assert_eq!(answer(&contents), bytes);
    let id = client.new_conversation().await;
    for content in &contents {
        client.append(&id, content).await;
    }
    id
}

const CONTENTS: &str = "query($id: ID!) { conversation(id: $id) { messages { nodes { content } } } }";
const BY_FRAGMENT: &str = "query($id: ID!) { conversation(id: $id) { messages { nodes { ...F } } } }
  fragment F on Message { content }";

async fn responses_up_to_the_limit_are_sent(app: TestApp) {
    let app = TestApp::start_with(app.engine, SETTINGS).await;
    let ada = app.client("ada");
    let (within, beyond) = (conversation_of(&ada, MOST).await, conversation_of(&ada, MOST + 1).await);
    for query in [CONTENTS, BY_FRAGMENT] {
        let body = json!({ "query": query, "variables": { "id": within } });
        let answer = ada.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap().len(), MOST);
        let answer = ada.run(query, json!({ "id": beyond })).await;
        assert_too_large(&answer.body["errors"], query);
    }
}

async fn every_transport_reports_a_too_large_response(app: TestApp) {
    let app = TestApp::start_with(app.engine, SETTINGS).await;
    let ada = app.client("ada");
    let id = conversation_of(&ada, MOST + 1).await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("1", CONTENTS, json!({ "id": id })).await;
    let message = socket.receive().await;
    assert_eq!(message["type"], "next");
    assert_too_large(&message["payload"]["errors"], "a socket");
    assert_eq!(socket.receive().await["type"], "complete");
    let mut stream = EventStream::open(&ada, CONTENTS, json!({ "id": id }), None).await;
    assert_too_large(&stream.next().await.unwrap().data["errors"], "a stream");
    // A subscription ends where an event of it would be too large; another one goes on.
    let end = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    let data = ada.data(end, json!({ "id": id })).await;
    let after = &data["conversation"]["messages"]["pageInfo"]["endCursor"];
    let follow = "subscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) { node { content SELECTION } } }";
    let all = follow.replace("SELECTION", "conversation { messages { nodes { content } } }");
    socket.subscribe("all", &all, json!({ "id": id, "after": after })).await;
    socket.subscribe("one", &follow.replace("SELECTION", ""), json!({ "id": id, "after": after })).await;
    ada.append(&id, "news").await;
    for _ in 0..2 {
        let message = socket.receive().await;
        if message["id"] == "all" {
            assert_eq!(message["type"], "error");
            assert_too_large(&message["payload"], "a subscription");
        } else {
            assert_eq!(message["payload"]["data"]["messageAdded"]["node"]["content"], "news");
        }
    }
    let accept = "application/graphql-response+json";
    let body = json!({ "query": CONTENTS, "variables": { "id": id } });
    let answer =
        ada.request(Method::POST, "/graphql").header(ACCEPT, accept).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "it was executed");
}
