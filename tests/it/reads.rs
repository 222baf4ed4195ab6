//! Fast paths of reads return the same as ordinary ones, and do not mix owners.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Client, Socket, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    prerendered_selections_have_the_same_result,
    subscribers_get_the_same_events_with_and_without_prerendering,
    batched_reads_do_not_mix_owners,
    a_page_read_with_its_conversation_equals_a_separate_read,
    the_fast_list_equals_the_ordinary_list,
);

with_row_level_security!(
    batched_reads_do_not_mix_owners,
    a_page_read_with_its_conversation_equals_a_separate_read,
    the_fast_list_equals_the_ordinary_list,
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
    "parts { __typename }",
    "parent { id }",
    "siblings { id }",
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
    ada.new_conversation().await;
    let mut runner = TestRunner::deterministic();
    let mut answered = 0;
    let mut sample = |fields| selections(fields).new_tree(&mut runner).unwrap().current();
    for _ in 0..60 {
        let (messages, conversations) = (sample(MESSAGE), sample(CONVERSATION));
        let query = |on_message: &str, on_conversation: &str| {
            format!(
                "query($id: ID!, $yes: Boolean!) {{ conversation(id: $id) {{ messages(last: 20) {{ \
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
        for id in [&conversation, &plain] {
            let variables = json!({ "id": id, "yes": true });
            let answer = body(&ada, &short, &variables).await;
            // Where a key stands for two things, the document is refused whichever way.
            let is_valid = !answer.contains("\"errors\"");
            answered += usize::from(is_valid);
            assert_eq!(answer, body(&ada, &long, &variables).await, "{short}");
            let answer_in_fragments = body(&ada, &in_fragments, &variables).await;
            if is_valid {
                assert_eq!(answer, answer_in_fragments, "{in_fragments}");
            } else {
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

/// A conversation with every kind of message.
async fn furnished(client: &Client) -> String {
    let create = "mutation($input: CreateConversationInput!) {
      createConversation(input: $input) { conversation { id } } }";
    let metadata = json!({ "z": [1.0, 1e300, -0.5, 18_446_744_073_709_551_615u64], "a\"": { "ä": null } });
    let input = json!({ "title": "\u{1f642} \"quoted\" \\ \t", "metadata": metadata });
    let data = client.data(create, json!({ "input": input })).await;
    let id = data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
    let escapes: String = (1..0x20u8).map(char::from).collect();
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let mut ids = Vec::new();
    for (role, more) in [
        ("SYSTEM", json!({ "content": escapes })),
        ("USER", json!({ "content": "x".repeat(3000), "metadata": metadata })),
        ("ASSISTANT", json!({ "parts": [{ "reasoning": { "text": "hm" } }, { "text": { "text": "é" } }] })),
        ("ASSISTANT", json!({ "content": "a", "model": "m-1", "usage": { "inputTokens": 7 } })),
        ("TOOL", json!({ "content": "to be deleted" })),
        ("USER", json!({ "content": "\u{fffe}\u{2028}\"\\/" })),
        ("ASSISTANT", json!({ "content": "so far", "status": "STREAMING" })),
    ] {
        let mut input = json!({ "conversationId": id, "role": role });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let data = client.data(append, json!({ "input": input })).await;
        ids.push(data["appendMessage"]["message"]["id"].clone());
    }
    let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) { message { id } } }";
    client.data(delete, json!({ "input": { "id": ids[4] } })).await;
    let update = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";
    client.data(update, json!({ "input": { "id": ids[5], "content": "edited" } })).await;
    let feedback = "mutation($id: ID!) { setMessageFeedback(input: { messageId: $id, rating: UP, comment: \"good\" }) { message { id } } }";
    client.data(feedback, json!({ "id": ids[3] })).await;
    id
}

async fn batched_reads_do_not_mix_owners(app: TestApp) {
    const USERS: usize = 6;
    let clients: Vec<Client> = (0..USERS).map(|user| app.client(&format!("user{user}"))).collect();
    let mut owned = Vec::new();
    for (user, client) in clients.iter().enumerate() {
        let id = client.new_conversation().await;
        for number in 0..=user {
            client.append(&id, &format!("{user}/{number}")).await;
        }
        owned.push(id);
    }
    owned.push("0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b".into());
    let mut reads = JoinSet::new();
    for round in 0..8 {
        for (asker, client) in clients.iter().cloned().enumerate() {
            for (owner, id) in owned.iter().cloned().enumerate() {
                let page = if round % 2 == 0 { "last: 3" } else { "first: 2" };
                let query = format!(
                    "query($id: ID!) {{ conversation(id: $id) {{ messages({page}) {{ nodes {{ content }} }} }} \
                     conversations {{ nodes {{ id head {{ content }} }} }} }}"
                );
                let client = client.clone();
                reads.spawn(async move {
                    let answer = client.run(&query, json!({ "id": id })).await.body;
                    (round % 2, asker, owner, answer)
                });
            }
        }
    }
    while let Some(read) = reads.join_next().await {
        let (first, asker, owner, answer) = read.unwrap();
        let nodes = &answer["data"]["conversation"]["messages"]["nodes"];
        if asker == owner {
            let range =
                if first == 1 { 0..(owner + 1).min(2) } else { (owner + 1).saturating_sub(3)..owner + 1 };
            let expected: Vec<_> =
                range.map(|number| json!({ "content": format!("{owner}/{number}") })).collect();
            assert_eq!(*nodes, json!(expected));
        } else {
            assert_eq!(answer["data"]["conversation"], Value::Null);
            assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");
        }
        let head = json!({ "content": format!("{asker}/{asker}") });
        let list = json!([{ "id": owned[asker], "head": head }]);
        assert_eq!(answer["data"]["conversations"]["nodes"], list);
    }
}

async fn a_page_read_with_its_conversation_equals_a_separate_read(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let contents: Vec<String> = (1..=7).map(|number| number.to_string()).collect();
    for content in &contents {
        ada.append(&id, content).await;
    }
    let read = async |arguments: &str, variables: Value| {
        let query = format!(
            "query($id: ID!, $n: Int = 9, $yes: Boolean!) {{ viewer {{ id @include(if: $yes) }} \
             changes(first: $n) {{ endCursor }} conversation(id: $id) {{ messages{arguments} {{ nodes {{ content }} pageInfo {{ hasNextPage hasPreviousPage }} }} }} }}"
        );
        let mut all = json!({ "id": id, "yes": true });
        all.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
        let page = ada.data(&query, all).await["conversation"]["messages"].clone();
        let nodes = page["nodes"].as_array().unwrap().iter();
        let contents: Vec<String> = nodes.map(|node| node["content"].as_str().unwrap().to_owned()).collect();
        (contents, page["pageInfo"]["hasNextPage"] == true, page["pageInfo"]["hasPreviousPage"] == true)
    };
    assert_eq!(read("", json!({})).await, (contents.clone(), false, false));
    assert_eq!(read("(last: 2)", json!({})).await, (contents[5..].to_vec(), false, true));
    assert_eq!(read("(first: 3)", json!({})).await, (contents[..3].to_vec(), true, false));
    assert_eq!(read("(last: $n)", json!({ "n": 1 })).await, (contents[6..].to_vec(), false, true));
    assert_eq!(read("(last: $n)", json!({})).await, (contents.clone(), false, false));
    assert_eq!(read("(last: $n)", json!({ "n": null })).await, (contents.clone(), false, false));
    assert_eq!(read("(first: $n, last: null)", json!({ "n": 7 })).await, (contents.clone(), false, false));
    assert_eq!(read("(first: 1) @include(if: $yes)", json!({})).await, (contents[..1].to_vec(), true, false));
    let two = "query($id: ID!) { conversation(id: $id) {
      a: messages(first: 1) { nodes { content } } b: messages(last: 1) { nodes { content } } } }";
    let data = ada.data(two, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["a"]["nodes"], json!([{ "content": "1" }]));
    assert_eq!(data["conversation"]["b"]["nodes"], json!([{ "content": "7" }]));
    let merged = "query($id: ID!) { conversation(id: $id) {
      messages(last: 1) { nodes { content } } messages(last: 1) { nodes { position } } } }";
    let data = ada.data(merged, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"], json!([{ "content": "7", "position": 7 }]));
    let wrong = "query($id: ID!) { conversation(id: $id) { messages(last: 0) { nodes { id } } } }";
    assert_eq!(ada.fault(wrong, json!({ "id": id })).await.0, "BAD_USER_INPUT");
}

async fn the_fast_list_equals_the_ordinary_list(app: TestApp) {
    let ada = app.client("ada");
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(ada.new_conversation().await);
    }
    ada.append(&ids[1], "moves to the top").await;
    let list = async |arguments: &str| {
        let query = format!(
            "{{ conversations{arguments} {{ nodes {{ id head {{ content }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        ada.data(&query, json!({})).await["conversations"].clone()
    };
    // An order that is given, or a filter that lets all through, is not what the short way is for.
    let all = list("(first: 100, filter: { updatedSince: \"1970-01-01T00:00:00Z\" })").await;
    assert_eq!(list("").await, all);
    let heads: HashMap<&str, &Value> = all["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), &node["head"]))
        .collect();
    assert_eq!(*heads[ids[1].as_str()], json!({ "content": "moves to the top" }));
    assert_eq!(all["nodes"][0]["id"], ids[1].as_str());
    let first = list("(first: 2)").await;
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = format!("(first: 10, after: {})", first["pageInfo"]["endCursor"]);
    let rest = list(&after).await;
    let joined: Vec<&Value> =
        first["nodes"].as_array().unwrap().iter().chain(rest["nodes"].as_array().unwrap()).collect();
    assert_eq!(joined, all["nodes"].as_array().unwrap().iter().collect::<Vec<_>>());
}
