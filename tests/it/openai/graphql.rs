//! Items in GraphQL, and messages of GraphQL as items.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{api_id, call, create, items, ok, texts, uuid};
use crate::harness::{APPEND, APPEND_TEXT, Client, FINISH, TestApp, on_each_database};

on_each_database!(
    items_are_typed_parts,
    items_are_found_and_followed,
    messages_of_graphql_are_items,
    items_of_one_message_are_deleted_one_by_one,
    a_streaming_message_is_in_progress,
    large_files_come_back,
);

const MESSAGES: &str = "query($id: ID!) { conversation(id: $id) { messages(first: 100) { nodes { role content metadata deletedAt parts {
  __typename
  ... on TextPart { text extra } ... on ReasoningPart { text extra } ... on FilePart { url mediaType filename extra }
  ... on ToolPart { toolCallId toolName state input output extra } ... on CustomPart { kind data }
} } } } }";

async fn messages(client: &Client, conversation: &str) -> Vec<Value> {
    let data = client.data(MESSAGES, json!({ "id": uuid(&json!(conversation)) })).await;
    data["conversation"]["messages"]["nodes"].as_array().unwrap().clone()
}

async fn items_are_typed_parts(app: TestApp) {
    let ada = app.client("ada");
    let conversation = create(&ada, json!([
        { "role": "user", "content": "Hi" },
        { "role": "developer", "content": "Be brief" },
        { "type": "message", "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": "Hello", "annotations": [], "logprobs": [] }], "id": "msg_68a0" },
        { "type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Rome\"}" },
    ])).await;
    let output = json!({ "items": [
        { "type": "function_call_output", "call_id": "call_1", "output": "{\"celsius\":21}" },
        { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "warm" }], "encrypted_content": "g" },
        { "type": "web_search_call", "id": "ws_1", "status": "completed", "action": { "type": "search", "query": "moon" } },
        { "type": "compaction", "encrypted_content": "g" },
        { "role": "user", "content": [{ "type": "input_image", "image_url": "https://example.org/a.png" }] },
    ] });
    ok(&ada, Method::POST, &format!("/{conversation}/items"), Some(output)).await;
    let found = messages(&ada, &conversation).await;
    let roles: Vec<_> = found.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(
        roles,
        ["USER", "SYSTEM", "ASSISTANT", "ASSISTANT", "TOOL", "ASSISTANT", "ASSISTANT", "ASSISTANT", "USER"]
    );
    assert_eq!(
        (&found[0]["content"], &found[0]["metadata"]),
        (&json!("Hi"), &json!({})),
        "nothing is added to a plain message"
    );
    assert_eq!(found[0]["parts"], json!([{ "__typename": "TextPart", "text": "Hi", "extra": null }]));
    assert_eq!(found[1]["metadata"], json!({ "openai": { "role": "developer", "type": "message" } }));
    assert_eq!(found[2]["parts"][0]["extra"], json!({ "openai": { "logprobs": [] } }));
    assert_eq!(
        found[2]["metadata"],
        json!({ "openai": { "id": "msg_68a0" } }),
        "the id of the other system is kept"
    );
    let tool = |at: usize| {
        let part = &found[at]["parts"][0];
        json!([
            part["toolCallId"],
            part["toolName"],
            part["state"],
            part["input"],
            part["output"],
            part["extra"]
        ])
    };
    assert_eq!(tool(3), json!(["call_1", "weather", "INPUT_AVAILABLE", { "city": "Rome" }, null, null]));
    assert_eq!(tool(4), json!(["call_1", "weather", "OUTPUT_AVAILABLE", null, { "celsius": 21 }, null]));
    assert_eq!(found[5]["parts"], json!([{ "__typename": "ReasoningPart", "text": "warm", "extra": null }]));
    assert_eq!(tool(6).as_array().unwrap()[..3], ["ws_1", "web_search", "INPUT_AVAILABLE"]);
    assert_eq!(found[7]["parts"][0]["kind"], "openai.compaction");
    let file = json!([{ "__typename": "FilePart", "url": "https://example.org/a.png", "mediaType": "image/*", "filename": null, "extra": null }]);
    assert_eq!(found[8]["parts"], file);
}

async fn items_are_found_and_followed(app: TestApp) {
    let ada = app.client("ada");
    let conversation = create(&ada, json!([])).await;
    let id = uuid(&json!(conversation));
    let mut socket = app.socket("ada").await;
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { role content } } }";
    socket.subscribe("s", follow, json!({ "id": id })).await;
    socket.settle().await;
    let body = json!({ "items": [{ "role": "user", "content": "The largest is Ganymede" }] });
    ok(&ada, Method::POST, &format!("/{conversation}/items"), Some(body)).await;
    let event = socket.receive().await;
    assert_eq!(
        event["payload"]["data"]["messageAdded"]["node"],
        json!({ "role": "USER", "content": "The largest is Ganymede" })
    );
    let search = "{ searchMessages(query: \"ganymede\") { nodes { content } } }";
    assert_eq!(ada.data(search, json!({})).await["searchMessages"]["nodes"].as_array().unwrap().len(), 1);
    let changes = "{ changes { nodes { __typename } } }";
    let kinds = ada.data(changes, json!({})).await["changes"]["nodes"].to_string();
    assert!(kinds.contains("ConversationCreated") && kinds.contains("MessageAdded"), "{kinds}");
}

/// A message of GraphQL with several kinds of parts: the conversation and the message.
async fn mixed(client: &Client) -> (String, String) {
    let id = client.new_conversation().await;
    let parts = json!([
        { "reasoning": { "text": "Let me think", "extra": { "state": "done" } } },
        { "text": { "text": "I look it up", "extra": { "state": "done", "providerMetadata": {} } } },
        { "sourceUrl": { "sourceId": "1", "url": "https://example.org", "title": "Moons" } },
        { "tool": { "toolCallId": "c1", "toolName": "search", "state": "OUTPUT_AVAILABLE", "input": { "q": 1 }, "output": [1] } },
        { "custom": { "kind": "step-start", "data": {} } },
        { "text": { "text": "Ganymede" } },
    ]);
    let input = json!({ "conversationId": id, "role": "ASSISTANT", "parts": parts });
    let message =
        client.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    (api_id("conv", &id), message.as_str().unwrap().replace('-', ""))
}

async fn messages_of_graphql_are_items(app: TestApp) {
    let ada = app.client("ada");
    let (conversation, message) = mixed(&ada).await;
    let citation = json!({ "type": "url_citation", "url": "https://example.org", "title": "Moons", "start_index": 12, "end_index": 12 });
    let text = |text: &str, annotations: Value| json!([{ "type": "output_text", "text": text, "annotations": annotations }]);
    assert_eq!(
        Value::from(items(&ada, &conversation).await),
        json!([
            { "id": format!("rs_{message}"), "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Let me think" }] },
            { "id": format!("msg_{message}_1"), "type": "message", "role": "assistant", "status": "completed", "content": text("I look it up", json!([citation])) },
            { "id": format!("fc_{message}_3"), "type": "function_call", "call_id": "c1", "name": "search", "arguments": "{\"q\":1}", "status": "completed" },
            { "id": format!("fco_{message}_3"), "type": "function_call_output", "call_id": "c1", "output": "[1]", "status": "completed" },
            { "id": format!("msg_{message}_5"), "type": "message", "role": "assistant", "status": "completed", "content": text("Ganymede", json!([])) },
        ])
    );
    // Pages may begin and end inside of the message.
    for (order, expected) in
        [("asc", ["rs", "msg", "fc", "fco", "msg"]), ("desc", ["msg", "fco", "fc", "msg", "rs"])]
    {
        let (mut found, mut after) = (Vec::new(), String::new());
        for _ in 0..5 {
            let page =
                ok(&ada, Method::GET, &format!("/{conversation}/items?order={order}&limit=1{after}"), None)
                    .await;
            let id = page["last_id"].as_str().unwrap().to_owned();
            assert_eq!(page["has_more"], found.len() < 4, "{page}");
            after = format!("&after={id}");
            found.push(id.split('_').next().unwrap().to_owned());
        }
        assert_eq!(found, expected);
    }
    let one = ok(&ada, Method::GET, &format!("/{conversation}/items/fco_{message}_3"), None).await;
    assert_eq!(one["output"], "[1]");
    assert_eq!(call(&ada, Method::GET, &format!("/{conversation}/items/fc_{message}"), None).await.0, 404);
    // What they are copied as is the same.
    let copied: Vec<Value> = items(&ada, &conversation).await;
    let copy = create(&ada, json!(copied)).await;
    let without_id = |mut item: Value| {
        item.as_object_mut().unwrap().remove("id");
        item
    };
    let copies: Vec<_> = items(&ada, &copy).await.into_iter().map(without_id).collect();
    assert_eq!(copies, copied.into_iter().map(without_id).collect::<Vec<_>>());
    assert_eq!(messages(&ada, &copy).await.len(), 5);
}

async fn items_of_one_message_are_deleted_one_by_one(app: TestApp) {
    let ada = app.client("ada");
    let (conversation, message) = mixed(&ada).await;
    let mut left = vec![
        format!("rs_{message}"),
        format!("msg_{message}_1"),
        format!("fc_{message}_3"),
        format!("fco_{message}_3"),
        format!("msg_{message}_5"),
    ];
    for at in [2, 0, 1, 1, 0] {
        let gone = left.remove(at);
        let path = format!("/{conversation}/items/{gone}");
        assert_eq!(ok(&ada, Method::DELETE, &path, None).await["id"], conversation);
        assert_eq!(call(&ada, Method::DELETE, &path, None).await.0, 404);
        let found: Vec<_> = items(&ada, &conversation).await.iter().map(|item| item["id"].clone()).collect();
        assert_eq!(found, left, "the others keep their ids");
    }
    let deleted = messages(&ada, &conversation).await;
    assert!(deleted[0]["deletedAt"].is_string() && deleted[0]["parts"] == json!([]), "{deleted:?}");
}

async fn a_streaming_message_is_in_progress(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let conversation = api_id("conv", &id);
    let input = json!({ "conversationId": id, "role": "ASSISTANT", "status": "STREAMING" });
    let message = ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    let status = async || {
        let found = items(&ada, &conversation).await;
        (found[0]["status"].as_str().unwrap().to_owned(), found[0]["content"].clone())
    };
    assert_eq!(status().await, ("in_progress".to_owned(), json!([])));
    ada.data(APPEND_TEXT, json!({ "id": message, "offset": 0, "text": "Gany" })).await;
    let (now, content) = status().await;
    assert_eq!((&*now, &content[0]["text"]), ("in_progress", &json!("Gany")));
    ada.data(FINISH, json!({ "id": message, "status": "INTERRUPTED" })).await;
    assert_eq!(status().await.0, "incomplete");
    assert_eq!(texts(&items(&ada, &conversation).await), ["Gany"]);
}

async fn large_files_come_back(app: TestApp) {
    let ada = app.client("ada");
    let file: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let image = format!("data:image/png;base64,{}", STANDARD.encode(&file));
    let unpadded = image.trim_end_matches('=').to_owned() + "\n";
    let content = json!([
        { "type": "input_image", "image_url": image, "detail": "high" },
        { "type": "input_file", "filename": "a.pdf", "file_data": image.replace("image/png", "application/pdf") },
        { "type": "input_image", "image_url": unpadded, "detail": "auto" },
    ]);
    let conversation = create(&ada, json!([{ "role": "user", "content": content }])).await;
    let found = items(&ada, &conversation).await;
    assert_eq!(found[0]["content"], content);
    let stored = messages(&ada, &conversation).await;
    let url = |at: usize| stored[0]["parts"][at]["url"].as_str().unwrap_or_default().to_owned();
    assert!(url(0).starts_with("attachment:") && url(1).starts_with("attachment:"), "{} {}", url(0), url(1));
    assert_eq!(stored[0]["parts"][2]["kind"], "openai.input_image");
}
