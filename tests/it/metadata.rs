//! Merge patches of metadata: several clients change different fields of one object.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    patches_are_merged_into_the_metadata,
    patches_at_once_are_all_kept,
    wrong_patches_change_nothing,
);

with_row_level_security!(patches_at_once_are_all_kept);

const UPDATE_CONVERSATION: &str = "mutation($input: UpdateConversationInput!) {
  updateConversation(input: $input) { object: conversation { metadata } } }";

const UPDATE_MESSAGE: &str = "mutation($input: UpdateMessageInput!) {
  updateMessage(input: $input) { object: message { metadata } } }";

/// A conversation and a message with this metadata, and the mutations that update them.
async fn objects(ada: &Client, metadata: Value) -> [(&'static str, Value); 2] {
    let create = "mutation($input: CreateConversationInput!) {
      createConversation(input: $input) { conversation { id head { id } } } }";
    let message = json!({ "role": "USER", "content": "x", "metadata": metadata });
    let input = json!({ "metadata": metadata, "messages": [message] });
    let data = ada.data(create, json!({ "input": input })).await;
    let conversation = &data["createConversation"]["conversation"];
    [(UPDATE_CONVERSATION, conversation["id"].clone()), (UPDATE_MESSAGE, conversation["head"]["id"].clone())]
}

/// The metadata after an update.
async fn update(ada: &Client, (mutation, id): &(&str, Value), mut input: Value) -> Value {
    input["id"] = id.clone();
    let data = ada.data(mutation, json!({ "input": input })).await;
    let (_, payload) = data.as_object().unwrap().iter().next().unwrap();
    payload["object"]["metadata"].clone()
}

async fn patches_are_merged_into_the_metadata(app: TestApp) {
    let ada = app.client("ada");
    for object in objects(&ada, json!({ "kept": [1], "state": { "a": 1, "b": 2 } })).await {
        for (patch, metadata) in [
            (json!({ "state": { "a": null, "c": 3 } }), json!({ "kept": [1], "state": { "b": 2, "c": 3 } })),
            (json!({ "kept": null, "gone": null }), json!({ "state": { "b": 2, "c": 3 } })),
            (json!({ "state": "text" }), json!({ "state": "text" })),
            (json!({}), json!({ "state": "text" })),
        ] {
            // Also a second time.
            for _ in 0..2 {
                assert_eq!(update(&ada, &object, json!({ "metadataPatch": patch })).await, metadata);
            }
        }
        assert_eq!(update(&ada, &object, json!({ "metadataPatch": null })).await, json!({ "state": "text" }));
        // What is no object gives way.
        update(&ada, &object, json!({ "metadata": [1, 2] })).await;
        assert_eq!(update(&ada, &object, json!({ "metadataPatch": { "a": 1 } })).await, json!({ "a": 1 }));
    }
}

async fn patches_at_once_are_all_kept(app: TestApp) {
    let ada = app.client("ada");
    for object in objects(&ada, json!({})).await {
        let patch = |key: usize| json!({ "metadataPatch": { "state": { key.to_string(): key } } });
        join_all((0..8).map(|key| update(&ada, &object, patch(key)))).await;
        let metadata = update(&ada, &object, json!({ "metadataPatch": {} })).await;
        let state = metadata["state"].as_object().unwrap();
        assert_eq!(state.len(), 8, "{state:?}");
    }
}

async fn wrong_patches_change_nothing(app: TestApp) {
    let app = TestApp::start_with(app.engine, &[("limits.metadata_bytes", "1024")]).await;
    let ada = app.client("ada");
    let before = json!({ "text": "x".repeat(1000) });
    for object in objects(&ada, before.clone()).await {
        for (input, rule) in [
            (json!({ "metadataPatch": [1] }), "`input.metadataPatch` must be an object"),
            (
                json!({ "metadataPatch": { "a": 1 }, "metadata": {} }),
                "`input.metadataPatch` must not be given together with metadata",
            ),
            (
                json!({ "metadataPatch": { "more": "x".repeat(20) } }),
                "`input.metadataPatch` must be at most 1024 bytes of JSON, has 1041 after the merge",
            ),
            (
                json!({ "metadataPatch": { "more": "x".repeat(1020) } }),
                "`input.metadataPatch` must be at most 1024 bytes of JSON, has 1031",
            ),
        ] {
            let mut input = input;
            input["id"] = object.1.clone();
            let (code, message) = ada.fault(object.0, json!({ "input": input })).await;
            assert_eq!((&*code, &*message), ("BAD_USER_INPUT", rule));
        }
        assert_eq!(update(&ada, &object, json!({ "metadataPatch": {} })).await, before);
    }
}
