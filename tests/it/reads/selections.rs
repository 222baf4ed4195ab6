//! Selections that are written without async-graphql give the same JSON, letter for letter.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use super::{forked, furnished};
use crate::harness::{Client, Socket, TestApp, on_each_database};

on_each_database!(
    prerendered_selections_have_the_same_result,
    subscribers_get_the_same_events_with_and_without_prerendering,
);

/// The body as it came, letter for letter.
async fn body(client: &Client, query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    client.request(Method::POST, "/graphql").json(&body).send().await.unwrap().text().await.unwrap()
}

/// Selections of an object: some of its fields, in any order, some under other names, some twice.
fn selections(fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    let directive =
        select(vec!["", "", "", "", " @include(if: true)", " @skip(if: true)", " @include(if: $yes)"]);
    let field = (select(fields), 0..6u8, directive).prop_map(|(field, alias, directive)| {
        let (name, below) = field.split_at(field.find(" {").unwrap_or(field.len()));
        let alias = if alias < 3 { format!("a{alias}: ") } else { String::new() };
        format!("{alias}{name}{directive}{below}")
    });
    // Something must be left, whatever is skipped.
    prop::collection::vec(field, 0..7).prop_map(|fields| format!("t: __typename {}", fields.join(" ")))
}

const MESSAGE: &[&str] = &[
    "id",
    "position",
    "role",
    "content",
    "status",
    "model",
    "metadata",
    "createdAt",
    "editedAt",
    "deletedAt",
    "pinned",
    "tokenCount",
    "tokenCount(tokenizer: ESTIMATE)",
    "__typename",
    "usage { inputTokens }",
    "feedback { rating comment }",
    "usage { __typename outputTokens totalTokens cachedInputTokens reasoningTokens }",
    "parts { __typename }",
    "parts { ... on TextPart { text @include(if: true) } ... { __typename @skip(if: true) } }",
    "parts { ... on MessagePart { __typename } ... on TextPart { text extra } ... on ReasoningPart { r: text } \
     ... on FilePart { mediaType filename url } ... on ToolPart { toolCallId toolName state input output errorText } \
     ... on SourceUrlPart { sourceId url title } ... on SourceDocumentPart { sourceId mediaType d: title filename } \
     ... on DataPart { name data } ... on CustomPart { kind data extra } }",
    "parts { ... on FilePart { url attachment { id } } }",
    "parent { id }",
    "parent { i: id content parent { parts { __typename } siblings { id role } } }",
    "siblings { id }",
    "siblings { __typename p: position ... on Node { id } }",
    "siblings { id content parent { position } }",
    "siblings { siblings { id content } }",
    "conversation { id }",
];

const CONVERSATION: &[&str] = &[
    "id",
    "title",
    "metadata",
    "createdAt",
    "updatedAt",
    "messageCount",
    "__typename",
    "head { id role content metadata }",
    "head { c: content status parent { id } }",
    "messages(last: 2) { nodes { id content } }",
    "messages(first: 1) { edges { cursor node { position } } }",
];

async fn prerendered_selections_have_the_same_result(app: TestApp) {
    let ada = app.client("ada");
    let conversation = furnished(&ada).await;
    let plain = ada.new_conversation().await;
    ada.append(&plain, "one").await;
    let forked = forked(&ada).await;
    ada.new_conversation().await;
    let mut before = Vec::new();
    for id in [&conversation, &plain, &forked] {
        let last = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
        let data = ada.data(last, json!({ "id": id })).await;
        before.push(data["conversation"]["messages"]["pageInfo"]["endCursor"].clone());
    }
    let mut runner = TestRunner::deterministic();
    let mut answered = 0;
    let mut sample = |fields| selections(fields).new_tree(&mut runner).unwrap().current();
    for round in 0..60 {
        let (messages, conversations) = (sample(MESSAGE), sample(CONVERSATION));
        let page = ["last: 20", "last: 4", "first: 5", "last: 3, before: $before"][round % 4];
        let declared = if page.contains("$before") { ", $before: String" } else { "" };
        let query = |on_message: &str, on_conversation: &str| {
            format!(
                "query($id: ID!, $yes: Boolean!{declared}) {{ conversation(id: $id) {{ messages({page}) {{ \
                 edges {{ cursor node {{ {on_message} }} }} nodes {{ {on_message} }} }} }} \
                 conversations(first: 5) {{ edges {{ cursor node {{ {on_conversation} }} }} \
                 nodes {{ {on_conversation} }} }} viewer {{ id @include(if: $yes) }} FRAGMENT }}"
            )
        };
        let short = query(&messages, &conversations).replace("FRAGMENT", "");
        let in_fragments = query("...M", "... @include(if: $yes) { ...C }").replace("FRAGMENT", "")
            + &format!(" fragment M on Message {{ ... on Message {{ {messages} }} }}")
            + &format!(" fragment C on Conversation {{ {conversations} }}");
        // Where objects are merged anywhere in an operation, all of it takes the long way.
        let long = query(&messages, &conversations).replace("FRAGMENT", "... on Query { viewer { id } }");
        for (id, before) in [&conversation, &plain, &forked].into_iter().zip(&before) {
            let variables = json!({ "id": id, "yes": true, "before": before });
            let answer = body(&ada, &short, &variables).await;
            // Where a key stands for two things, or all of it costs too much, the document is refused whichever way.
            let is_valid = !answer.contains("\"errors\"");
            answered += usize::from(is_valid);
            let long_answer = body(&ada, &long, &variables).await;
            let answer_in_fragments = body(&ada, &in_fragments, &variables).await;
            if is_valid {
                assert_eq!(answer, long_answer, "{short}");
                assert_eq!(answer, answer_in_fragments, "{in_fragments}");
            } else {
                assert!(long_answer.contains("\"errors\""), "{long}");
                assert!(answer_in_fragments.contains("\"errors\""), "{in_fragments}");
            }
        }
    }
    assert!(answered >= 30, "only {answered} of the documents were valid");
}

async fn subscribers_get_the_same_events_with_and_without_prerendering(app: TestApp) {
    let ada = app.client("ada");
    let id = furnished(&ada).await;
    let first = "query($id: ID!) { conversation(id: $id) { head { position } messages(first: 1) { pageInfo { endCursor } } } }";
    let found = ada.data(first, json!({ "id": id })).await["conversation"].take();
    let (last, after) = (&found["head"]["position"], &found["messages"]["pageInfo"]["endCursor"]);
    // All but the first, and two more.
    let count = usize::try_from(last.as_u64().unwrap() + 1).unwrap();
    let mut runner = TestRunner::deterministic();
    let documents: Vec<String> = (0..20)
        .map(|_| {
            let fields = selections(MESSAGE).new_tree(&mut runner).unwrap().current();
            format!(
                "subscription($id: ID!, $after: String, $yes: Boolean! = true) {{ \
                 told: messageAdded(conversationId: $id, after: $after) {{ \
                 cursor node {{ {fields} i: id @include(if: $yes) MORE }} }} }}"
            )
        })
        .collect();
    // What a message follows is not plain, so all of it takes the long way.
    let ways = ["", "", "... on Message { t: __typename }", "long: parent { id }"];
    let mut sockets = Vec::new();
    for way in ways {
        let mut socket = app.socket("ada").await;
        for (number, document) in documents.iter().enumerate() {
            let variables = json!({ "id": id, "after": after });
            socket.subscribe(&number.to_string(), &document.replace("MORE", way), variables).await;
        }
        sockets.push(socket);
    }
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    for status in ["STREAMING", "COMPLETE"] {
        let input = json!({ "conversationId": id, "role": "ASSISTANT", "content": "news", "status": status });
        ada.data(append, json!({ "input": input })).await;
    }
    let mut told = Vec::new();
    for socket in &mut sockets {
        told.push(events(socket, documents.len(), count).await);
    }
    let plain = &told[0];
    let valid = plain.iter().filter(|events| events[0]["type"] == "next").count();
    assert!(valid >= 10, "only {valid} of the documents were valid");
    for (way, told) in ways.iter().zip(&told) {
        for ((document, told), plain) in documents.iter().zip(told).zip(plain) {
            // Where a key stands for two things, the document is refused whichever way.
            if plain[0]["type"] == "next" {
                assert_eq!(told, plain, "{way}: {document}");
            } else {
                assert_eq!(told[0]["type"], "error", "{way}: {document}");
            }
        }
    }
}

/// The events of each operation of a WebSocket: this many, or one error.
async fn events(socket: &mut Socket, operations: usize, each: usize) -> Vec<Vec<Value>> {
    let mut told = vec![Vec::new(); operations];
    while told.iter().any(|told: &Vec<Value>| told.len() < each) {
        let mut event = socket.receive().await;
        let id: usize = event["id"].as_str().unwrap().parse().unwrap();
        if let Some(node) = event.pointer_mut("/payload/data/told/node").and_then(Value::as_object_mut) {
            node.remove("long");
        }
        let times = if event["type"] == "error" { each } else { 1 };
        told[id].extend(vec![event; times]);
    }
    told
}
