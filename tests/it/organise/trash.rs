//! The trash.

use serde_json::{Value, json};

use super::{FIELDS, counts, create, read, titles, update};
use crate::harness::{APPEND, Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    what_is_in_the_trash_is_nowhere_else,
    a_restored_conversation_is_as_it_was,
    the_trash_takes_no_new_messages,
);

with_row_level_security!(what_is_in_the_trash_is_nowhere_else);

pub(super) async fn trash(client: &Client, id: &str) -> Value {
    let query = format!(
        "mutation($id: ID!) {{ trashConversation(input: {{ id: $id }}) {{ conversation {{ {FIELDS} }} }} }}"
    );
    client.data(&query, json!({ "id": id })).await["trashConversation"]["conversation"].clone()
}

pub(super) async fn restore(client: &Client, id: &str) -> Value {
    let query = format!(
        "mutation($id: ID!) {{ restoreConversation(input: {{ id: $id }}) {{ conversation {{ {FIELDS} }} }} }}"
    );
    client.data(&query, json!({ "id": id })).await["restoreConversation"]["conversation"].clone()
}

/// The contents that a search finds.
async fn found(client: &Client, filter: Value) -> Vec<String> {
    let query = "query($filter: MessageSearchFilter) { searchMessages(query: \"walrus\", filter: $filter, orderBy: OLDEST) { nodes { content } } }";
    let data = client.data(query, json!({ "filter": filter })).await;
    let nodes = data["searchMessages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["content"].as_str().unwrap().to_owned()).collect()
}

async fn what_is_in_the_trash_is_nowhere_else(app: TestApp) {
    let ada = app.client("ada");
    let mut ids = Vec::new();
    for title in ["kept", "archived", "trashed"] {
        let id = create(&ada, title).await;
        ada.append(&id, &format!("a {title} walrus")).await;
        update(&ada, &id, json!({ "labels": ["all", title] })).await;
        ids.push(id);
    }
    update(&ada, &ids[1], json!({ "archived": true })).await;
    for is_indexed in [false, true] {
        if is_indexed {
            app.store.index_owner(&scrollback::model::OwnerId::new("ada").unwrap()).await.unwrap();
        }
        restore(&ada, &ids[2]).await;
        assert_eq!(found(&ada, Value::Null).await.len(), 3);
        trash(&ada, &ids[2]).await;
        let walrus = |title: &str| format!("a {title} walrus");
        assert_eq!(found(&ada, Value::Null).await, [walrus("kept"), walrus("archived")]);
        assert_eq!(found(&ada, json!({ "includeArchived": false })).await, [walrus("kept")]);
        assert_eq!(found(&ada, json!({ "includeTrashed": true })).await.len(), 3);
        assert_eq!(found(&ada, json!({ "labels": ["TRASHED"] })).await, Vec::<String>::new());
        assert_eq!(
            found(&ada, json!({ "labels": ["TRASHED"], "includeTrashed": true })).await,
            [walrus("trashed")]
        );
        assert_eq!(found(&ada, json!({ "labels": ["archived", "kept"] })).await.len(), 2);
        let both = json!({ "labels": ["archived"], "conversationIds": [ids[0]] });
        assert_eq!(found(&ada, both).await, Vec::<String>::new());
    }
    assert_eq!(titles(&ada, Value::Null).await, ["kept"]);
    assert_eq!(titles(&ada, json!({ "archived": null })).await, ["archived", "kept"]);
    assert_eq!(titles(&ada, json!({ "query": "walrus", "archived": null })).await, ["archived", "kept"]);
    assert_eq!(titles(&ada, json!({ "trashed": true })).await, ["trashed"]);
    assert_eq!(
        titles(&ada, json!({ "trashed": null, "archived": null })).await,
        ["trashed", "archived", "kept"]
    );
    assert_eq!(titles(&ada, json!({ "trashed": true, "label": "all" })).await, ["trashed"]);
    assert_eq!(counts(&ada).await.0, 2);
    let data = ada.data("{ labels { label conversationCount } }", json!({})).await;
    let count = |label: &str, count: i64| json!({ "label": label, "conversationCount": count });
    assert_eq!(data["labels"], json!([count("all", 2), count("archived", 1), count("kept", 1)]));
    assert!(read(&ada, &ids[2]).await["trashedAt"].is_string(), "it can be read by its id");
    let query = "query($id: ID!) { conversation(id: $id) { context(maxTokens: 100) { tokenCount } } }";
    let (code, message) = ada.fault(query, json!({ "id": ids[2] })).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("CONFLICT", "the conversation is in the trash: restore it first")
    );
}

async fn a_restored_conversation_is_as_it_was(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = create(&ada, "plans").await;
    ada.append(&id, "hello").await;
    let before = update(&ada, &id, json!({ "pinned": true, "archived": true, "labels": ["a"] })).await;
    let trashed = trash(&ada, &id).await;
    assert!(trashed["trashedAt"].is_string(), "{trashed}");
    assert_eq!(trash(&ada, &id).await, trashed, "a repeat changes nothing");
    assert_eq!(restore(&ada, &id).await, before);
    assert_eq!(restore(&ada, &id).await, before, "a repeat changes nothing");
    for mutation in ["trashConversation", "restoreConversation"] {
        let query =
            format!("mutation($id: ID!) {{ {mutation}(input: {{ id: $id }}) {{ conversation {{ id }} }} }}");
        assert_eq!(bob.fault(&query, json!({ "id": id })).await.0, "NOT_FOUND");
    }
    assert_eq!(read(&ada, &id).await, before);
}

async fn the_trash_takes_no_new_messages(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, "plans").await;
    let own_id = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    let message = |id: &str, content: &str| json!({ "input": { "conversationId": id, "role": "USER", "content": content } });
    let mut first = message(&id, "first");
    first["input"]["id"] = json!(own_id);
    ada.data(APPEND, first.clone()).await;
    let before = trash(&ada, &id).await;
    let (code, said) = ada.fault(APPEND, message(&id, "second")).await;
    assert_eq!(
        (code.as_str(), said.as_str()),
        ("CONFLICT", "the conversation is in the trash: restore it first")
    );
    ada.data(APPEND, first).await;
    let branch = "mutation($id: ID!) { appendMessage(input: { conversationId: $id, parentId: null, role: USER, content: \"again\" }) { message { id } } }";
    assert_eq!(ada.fault(branch, json!({ "id": id })).await.0, "CONFLICT");
    let start = "mutation($id: ID!) { appendMessage(input: { conversationId: $id, role: ASSISTANT, status: STREAMING }) { message { id } } }";
    assert_eq!(ada.fault(start, json!({ "id": id })).await.0, "CONFLICT");
    assert_eq!(read(&ada, &id).await, before, "nothing was written");
    restore(&ada, &id).await;
    ada.data(APPEND, message(&id, "second")).await;
}
