//! Fast paths of reads return the same as ordinary ones, and do not mix owners.

mod selections;

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    batched_reads_do_not_mix_owners,
    a_page_read_with_its_conversation_equals_a_separate_read,
    the_fast_list_equals_the_ordinary_list,
    a_page_of_a_chat_is_one_statement,
);

with_row_level_security!(
    batched_reads_do_not_mix_owners,
    a_page_read_with_its_conversation_equals_a_separate_read,
    the_fast_list_equals_the_ordinary_list,
);

/// A part of each kind, with and without what is optional.
fn every_part() -> Value {
    json!([
        { "text": { "text": "\"t\"", "extra": { "state": "done" } } },
        { "reasoning": { "text": "" } },
        { "file": { "mediaType": "image/png", "url": "https://example.com/\u{e9}.png" } },
        { "file": { "mediaType": "text/plain", "url": "data:text/plain,hi", "filename": "a.txt" } },
        { "tool": { "toolCallId": "c1", "toolName": "weather", "state": "OUTPUT_AVAILABLE",
            "input": { "b": 1, "a": [null] }, "output": null } },
        { "tool": { "toolCallId": "c2", "toolName": "weather", "state": "OUTPUT_ERROR", "errorText": "\n" } },
        { "sourceUrl": { "sourceId": "s1", "url": "https://example.com", "title": "A page" } },
        { "sourceDocument": { "sourceId": "s2", "mediaType": "application/pdf", "title": "A document" } },
        { "data": { "name": "n", "data": [1.50, "x"] } },
        { "custom": { "kind": "step-start", "data": {}, "extra": { "y": 1e2 } } },
    ])
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
        (
            "ASSISTANT",
            json!({ "parts": every_part(), "usage": { "cachedInputTokens": 0, "reasoningTokens": 3 } }),
        ),
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

/// A conversation with forks: at its beginning, on the trunk and on branches.
async fn forked(client: &Client) -> String {
    let id = client.new_conversation().await;
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let mut ids: Vec<Value> = Vec::new();
    // The number of the message that each follows.
    let parents = [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(1),
        Some(4),
        Some(4),
        Some(6),
        None,
        Some(7),
        Some(6),
        Some(10),
    ];
    for (number, parent) in parents.into_iter().enumerate() {
        let mut input =
            json!({ "conversationId": id, "role": "USER", "content": format!("message {number}") });
        input["parentId"] = parent.map_or(Value::Null, |parent: usize| ids[parent].clone());
        let data = client.data(append, json!({ "input": input })).await;
        ids.push(data["appendMessage"]["message"]["id"].clone());
    }
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

async fn a_page_of_a_chat_is_one_statement(app: TestApp) {
    let ada = app.client("ada");
    let page = "query($id: ID!) { conversation(id: $id) { id ...Page } }
      fragment Page on Conversation { messages(last: 3) { edges { cursor node { ...Message } } } }
      fragment Message on Message { id role status createdAt editedAt model content metadata usage { inputTokens }
        parts { __typename ... on TextPart { text } } parent { id __typename } siblings { id position } }";
    let furnished = furnished(&ada).await;
    for (id, statements) in [
        (ada.new_conversation().await, 1),
        (forked(&ada).await, 1),
        // The text of the streaming message is stored elsewhere.
        (furnished, 2),
    ] {
        // The token is checked, and its owner known.
        ada.data("{ viewer { id } }", json!({})).await;
        let before = app.store.statements();
        ada.data(page, json!({ "id": id })).await;
        assert_eq!(app.store.statements() - before, statements, "{id}");
    }
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
