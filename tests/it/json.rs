//! JSON round-trips: keys keep their order, numbers their digits.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::json;
use serde_json::value::RawValue;

use crate::harness::{Client, EventStream, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    metadata_round_trips,
    literals_round_trip,
    parts_round_trip,
    json_round_trips_to_subscribers,
    any_json_round_trips,
    equal_json_in_another_form_is_the_same_request,
    integers_are_accepted_in_any_notation,
    invalid_json_is_refused_with_the_rule,
);

with_row_level_security!(metadata_round_trips);

const GIVEN: &str =
    r#"{"z":1,"a":1e2,"c":12345678901234567890123,"d":1.10,"é":[-0,1E+400,{"y":0.0,"x":-1e-7}]}"#;

/// Sends a body as it is, and gives the answer's text.
async fn post(client: &Client, body: String) -> String {
    let request = client.request(Method::POST, "/graphql").header("content-type", "application/json");
    request.body(body).send().await.unwrap().text().await.unwrap()
}

async fn run(client: &Client, query: &str, variables: &str) -> String {
    let answer = post(client, format!(r#"{{"query":{},"variables":{variables}}}"#, json!(query))).await;
    assert!(!answer.contains("\"errors\""), "{answer}");
    answer
}

/// The text of what stands at a path of names and numbers: `data.conversation.messages.nodes.0`.
fn at(text: &str, path: &str) -> String {
    let mut text = text.to_owned();
    for step in path.split('.') {
        text = match step.parse::<usize>() {
            Ok(at) => serde_json::from_str::<Vec<Box<RawValue>>>(&text).unwrap().swap_remove(at),
            Err(_) => serde_json::from_str::<HashMap<String, Box<RawValue>>>(&text)
                .unwrap_or_else(|_| panic!("{path} in {text}"))
                .remove(step)
                .unwrap_or_else(|| panic!("{path} in {text}")),
        }
        .get()
        .to_owned();
    }
    text
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_owned()
}

const CREATE: &str = "mutation($m: JSON) {
  createConversation(input: { title: \"a\", metadata: $m }) { conversation { id metadata } }
}";

const APPEND: &str = "mutation($c: ID!, $m: JSON) {
  appendMessage(input: { conversationId: $c, role: USER, content: \"a\", metadata: $m }) {
    message { id metadata } messageEdge { node { metadata } }
  }
}";

/// A conversation's id.
async fn create(client: &Client, metadata: &str) -> String {
    let answer = run(client, CREATE, &format!(r#"{{"m":{metadata}}}"#)).await;
    assert_eq!(at(&answer, "data.createConversation.conversation.metadata"), metadata);
    unquoted(&at(&answer, "data.createConversation.conversation.id"))
}

async fn metadata_round_trips(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, GIVEN).await;
    let answer = run(&ada, APPEND, &format!(r#"{{"c":"{id}","m":{GIVEN}}}"#)).await;
    for path in ["message.metadata", "messageEdge.node.metadata"] {
        assert_eq!(at(&answer, &format!("data.appendMessage.{path}")), GIVEN);
    }
    let message = unquoted(&at(&answer, "data.appendMessage.message.id"));
    let query = "query($c: ID!, $m: ID!) {
      conversation(id: $c) {
        metadata head { metadata }
        messages { nodes { metadata } edges { node { metadata parent { id } } } }
      }
      node(id: $m) { ... on Message { metadata } }
      conversations { nodes { metadata head { metadata } } edges { node { metadata messages { nodes { metadata } } } } }
    }";
    let answer = run(&ada, query, &format!(r#"{{"c":"{id}","m":"{message}"}}"#)).await;
    for path in [
        "conversation.metadata",
        "conversation.head.metadata",
        "conversation.messages.nodes.0.metadata",
        "conversation.messages.edges.0.node.metadata",
        "node.metadata",
        "conversations.nodes.0.metadata",
        "conversations.nodes.0.head.metadata",
        "conversations.edges.0.node.metadata",
        "conversations.edges.0.node.messages.nodes.0.metadata",
    ] {
        assert_eq!(at(&answer, &format!("data.{path}")), GIVEN, "{path}");
    }
    let other = r#"{"b":2.50,"a":[]}"#;
    let update = "mutation($c: ID!, $m: JSON) {
      updateConversation(input: { id: $c, metadata: $m }) { conversation { metadata } }
    }";
    let answer = run(&ada, update, &format!(r#"{{"c":"{id}","m":{other}}}"#)).await;
    assert_eq!(at(&answer, "data.updateConversation.conversation.metadata"), other);
}

async fn literals_round_trip(app: TestApp) {
    let ada = app.client("ada");
    let literal = r#"{z: 1, a: 1e2, c: 12345678901234567890123, d: 1.10, e: [1E+400, {y: 0.0, x: -1e-7}]}"#;
    let written = r#"{"z":1,"a":1e2,"c":12345678901234567890123,"d":1.10,"e":[1E+400,{"y":0.0,"x":-1e-7}]}"#;
    let path = "data.createConversation.conversation.metadata";
    let query = CREATE.replace("($m: JSON)", "").replace("$m", literal);
    assert_eq!(at(&run(&ada, &query, "{}").await, path), written);
    // As the default of a variable, and with variables in it.
    let query = CREATE.replace("$m: JSON", &format!("$m: JSON = {literal}"));
    assert_eq!(at(&run(&ada, &query, "{}").await, path), written);
    let query = CREATE.replace("metadata: $m", "metadata: {b: 1.50, a: $m}");
    assert_eq!(
        at(&run(&ada, &query, &format!(r#"{{"m":{GIVEN}}}"#)).await, path),
        format!(r#"{{"b":1.50,"a":{GIVEN}}}"#)
    );
}

async fn parts_round_trip(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let query = "mutation($input: AppendMessageInput!) {
      appendMessage(input: $input) { message { ...F } }
    } fragment F on Message { parts { ... on ToolPart { input output } ... on DataPart { data } } }";
    let tool = format!(
        r#"{{"tool":{{"toolCallId":"1","toolName":"t","state":"OUTPUT_AVAILABLE","input":{GIVEN},"output":1.50}}}}"#
    );
    let data = format!(r#"{{"data":{{"name":"d","data":{GIVEN}}}}}"#);
    let input =
        format!(r#"{{"input":{{"conversationId":"{id}","role":"ASSISTANT","parts":[{tool},{data}]}}}}"#);
    let appended = run(&ada, query, &input).await;
    let read = "query($c: ID!) { conversation(id: $c) { messages { nodes { parts {
      ... on ToolPart { input output } ... on DataPart { data }
    } } } } }";
    let read = run(&ada, read, &format!(r#"{{"c":"{id}"}}"#)).await;
    for (answer, path) in
        [(&appended, "data.appendMessage.message.parts"), (&read, "data.conversation.messages.nodes.0.parts")]
    {
        assert_eq!(at(answer, &format!("{path}.0.input")), GIVEN);
        assert_eq!(at(answer, &format!("{path}.0.output")), "1.50");
        assert_eq!(at(answer, &format!("{path}.1.data")), GIVEN);
    }
}

async fn json_round_trips_to_subscribers(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "before").await;
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    let read = ada.data(query, json!({ "id": id })).await;
    let follow = "subscription($id: ID!, $after: String) {
      messageAdded(conversationId: $id, after: $after) { node { metadata } }
    }";
    let variables = json!({ "id": id, "after": read["conversation"]["messages"]["pageInfo"]["endCursor"] });
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", follow, variables.clone()).await;
    let mut events = EventStream::open(&ada, follow, variables, None).await;
    // Sent over the socket, as a mutation may be.
    let payload = format!(r#"{{"query":{},"variables":{{"c":"{id}","m":{GIVEN}}}}}"#, json!(APPEND));
    let message = format!(r#"{{"type":"subscribe","id":"m","payload":{payload}}}"#);
    socket.send_raw(message.into()).await;
    let mut told = 0;
    while told < 2 {
        let text = socket.next_text().await.unwrap();
        match &*at(&text, "id") {
            _ if at(&text, "type") == "\"complete\"" => {}
            "\"s\"" => {
                assert_eq!(at(&text, "payload.data.messageAdded.node.metadata"), GIVEN);
                told += 1;
            }
            _ => {
                assert_eq!(at(&text, "payload.data.appendMessage.message.metadata"), GIVEN);
                told += 1;
            }
        }
    }
    let event = events.next().await.unwrap();
    assert_eq!(at(&event.text, "data.messageAdded.node.metadata"), GIVEN);
}

/// A text, and what is to come back: without whitespace, and of equal keys only the last value.
fn json() -> impl Strategy<Value = (String, String)> {
    let alike = |text: String| (text.clone(), text);
    let number =
        prop_oneof!["-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", "[1-9][0-9]{999}"];
    let text = "[^\u{0}]{0,12}".prop_map(|text| json!(text).to_string());
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, text].prop_map(alike);
    leaf.prop_recursive(64, 48, 6, |inner| {
        let field = ("[^\u{0}]{0,6}", inner.clone(), inner.clone(), any::<bool>());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| {
                let (given, kept): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (format!("[ {} ]", given.join(" , ")), format!("[{}]", kept.join(",")))
            }),
            prop::collection::vec(field, 0..5).prop_map(|fields| {
                let (mut first, mut again, mut kept) = (Vec::new(), Vec::new(), Vec::new());
                for (at, (name, value, other, twice)) in fields.into_iter().enumerate() {
                    let name = json!(format!("{name}{at}"));
                    let (given, last) = if twice { (&other, &value) } else { (&value, &value) };
                    first.push(format!("{name}:{}", given.0));
                    if twice {
                        again.push(format!("{name} :\n{}", last.0));
                    }
                    kept.push(format!("{name}:{}", last.1));
                }
                first.extend(again);
                (format!("{{{}}}", first.join(",\t")), format!("{{{}}}", kept.join(",")))
            }),
        ]
    })
}

async fn any_json_round_trips(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let nested = format!("{}1.0{}", "[".repeat(64), "]".repeat(64));
    let mut cases = vec![(nested.clone(), nested)];
    let mut runner = TestRunner::deterministic();
    while cases.len() < 100 {
        let case = json().new_tree(&mut runner).unwrap().current();
        if case.1.len() <= 16 * 1024 {
            cases.push(case);
        }
    }
    for (given, kept) in &cases {
        let answer = run(&ada, APPEND, &format!(r#"{{"c":"{id}","m":{given}}}"#)).await;
        // Null stands for none.
        let kept = if kept == "null" { "{}" } else { kept };
        assert_eq!(at(&answer, "data.appendMessage.message.metadata"), kept, "{given}");
    }
    let query = "query($c: ID!) { conversation(id: $c) { messages(first: 100) { nodes { metadata } } } }";
    let read = run(&ada, query, &format!(r#"{{"c":"{id}"}}"#)).await;
    for (number, (given, kept)) in cases.iter().enumerate() {
        let kept = if kept == "null" { "{}" } else { kept };
        let path = format!("data.conversation.messages.nodes.{number}.metadata");
        assert_eq!(at(&read, &path), kept, "{given}");
    }
}

async fn equal_json_in_another_form_is_the_same_request(app: TestApp) {
    let ada = app.client("ada");
    let conversation = "018f2b6e-3c1a-7d2b-9f00-0000000000a1";
    let create = "mutation($m: JSON) {
      createConversation(input: { id: \"018f2b6e-3c1a-7d2b-9f00-0000000000a1\", metadata: $m }) {
        conversation { metadata }
      }
    }";
    let append = "mutation($m: JSON, $d: JSON!) {
      appendMessage(input: {
        conversationId: \"018f2b6e-3c1a-7d2b-9f00-0000000000a1\", id: \"018f2b6e-3c1a-7d2b-9f00-0000000000a2\"
        role: USER, metadata: $m, parts: [{ data: { name: \"d\", data: $d } }]
      }) { message { metadata position } }
    }";
    let first = r#"{"b":[1e2,{"y":1.10,"x":2}],"a":12345678901234567890123}"#;
    let equal = r#"{ "a": 1.2345678901234567890123e22, "b": [100, {"x": 2.0, "y": 1.1}] }"#;
    let other = r#"{"b":[1e2,{"y":1.10,"x":2}],"a":12345678901234567890124}"#;
    for given in [first, equal, first] {
        // What was given first stays.
        let answer = run(&ada, create, &format!(r#"{{"m":{given}}}"#)).await;
        assert_eq!(at(&answer, "data.createConversation.conversation.metadata"), first);
        let answer = run(&ada, append, &format!(r#"{{"m":{given},"d":{given}}}"#)).await;
        assert_eq!(at(&answer, "data.appendMessage.message.metadata"), first);
        assert_eq!(at(&answer, "data.appendMessage.message.position"), "1");
    }
    for (query, variables) in [
        (create, format!(r#"{{"m":{other}}}"#)),
        (append, format!(r#"{{"m":{other},"d":{first}}}"#)),
        (append, format!(r#"{{"m":{first},"d":{other}}}"#)),
    ] {
        let answer = post(&ada, format!(r#"{{"query":{},"variables":{variables}}}"#, json!(query))).await;
        assert!(answer.contains("\"CONFLICT\""), "{conversation}: {answer}");
    }
}

async fn integers_are_accepted_in_any_notation(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for content in ["a", "b", "c"] {
        ada.append(&id, content).await;
    }
    let query = "query($id: ID!, $last: Int!) { conversation(id: $id) { messages(last: $last) { nodes { content } } } }";
    for last in ["2", "2.0", "2e0", "20E-1", "0.2e+1"] {
        let answer = run(&ada, query, &format!(r#"{{"id":"{id}","last":{last}}}"#)).await;
        assert_eq!(at(&answer, "data.conversation.messages.nodes"), r#"[{"content":"b"},{"content":"c"}]"#);
    }
    for last in ["2.5", "1e10", "2147483648", "1e400", "12345678901234567890123", "\"2\""] {
        let body = format!(r#"{{"query":{},"variables":{{"id":"{id}","last":{last}}}}}"#, json!(query));
        let answer = post(&ada, body).await;
        assert!(answer.contains("`$last` must be an Int: a whole number of 32 bits"), "{last}: {answer}");
    }
    // What a page costs is reckoned with the number that it is.
    let deep =
        "query($last: Int!) { conversations(last: $last) { nodes { messages(last: $last) { nodes { parent {
      children { parent { children { id } } } } } } } } }";
    let refused = async |last: &str| {
        let answer =
            post(&ada, format!(r#"{{"query":{},"variables":{{"last":{last}}}}}"#, json!(deep))).await;
        at(&answer, "errors.0.message")
    };
    assert_eq!(refused("1e2").await, refused("100").await);
    // An ID may be a number, however large; these are none of ours.
    for (id, told) in [("7", "7"), ("12345678901234567890123", "12345678901234567890123")] {
        let answer = post(
            &ada,
            format!(
                r#"{{"query":"query($id: ID!) {{ node(id: $id) {{ id }} }}","variables":{{"id":{id}}}}}"#
            ),
        )
        .await;
        assert!(!answer.contains("found ["), "{told}: {answer}");
    }
}

async fn invalid_json_is_refused_with_the_rule(app: TestApp) {
    let ada = app.client("ada");
    for (metadata, code, message) in [
        (
            format!("\"{}\"", "x".repeat(64 * 1024)),
            "BAD_USER_INPUT",
            "`input.metadata` must be at most 65536 bytes of JSON, has 65538",
        ),
        (r#"{"a\u0000":1}"#.into(), "BAD_USER_INPUT", "`input.metadata` must not contain NUL (U+0000)"),
        ("9".repeat(4301), "BAD_REQUEST", "the body has a number of more than 4300 digits"),
        (format!("{}{}", "[".repeat(216), "]".repeat(216)), "QUERY_TOO_COMPLEX", "the body nests too deep"),
        (
            format!("{}{}", "[".repeat(201), "]".repeat(201)),
            "BAD_USER_INPUT",
            "`input.metadata` must nest at most 200 levels deep",
        ),
        ("01".into(), "BAD_REQUEST", "the body must be JSON"),
    ] {
        let answer =
            post(&ada, format!(r#"{{"query":{},"variables":{{"m":{metadata}}}}}"#, json!(CREATE))).await;
        assert_eq!(at(&answer, "errors.0.extensions.code"), format!("\"{code}\""), "{answer}");
        assert_eq!(at(&answer, "errors.0.message"), format!("\"{message}\""));
    }
}
