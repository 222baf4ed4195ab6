//! Files inside of messages become attachments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{APPEND, get, text};
use crate::harness::{Engine, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_large_data_url_becomes_an_attachment,
    a_small_data_url_stays,
    a_wrong_data_url_is_refused,
    every_way_to_write_parts_attaches,
);

with_row_level_security!(a_large_data_url_becomes_an_attachment);

fn data_url(file: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(file))
}

fn part(url: &str) -> Value {
    json!({ "file": { "mediaType": "image/png", "filename": "shot.png", "url": url } })
}

async fn a_large_data_url_becomes_an_attachment(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    // Larger than a message may be otherwise.
    let file: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = uuid::Uuid::new_v4();
    let input = json!({ "conversationId": conversation, "id": id, "role": "USER", "parts": [part(&data_url(&file))] });
    let first = ada.data(APPEND, json!({ "input": input })).await;
    let stored = &first["appendMessage"]["message"]["parts"][0];
    let attachment = &stored["attachment"];
    assert_eq!(stored["url"], format!("attachment:{}", text(&attachment["id"])));
    assert_eq!((&stored["filename"], &attachment["byteSize"]), (&json!("shot.png"), &json!(4_000_000)));
    let fetched = get(&app.anonymous(), text(&attachment["downloadUrl"])).await;
    assert_eq!(fetched.bytes().await.unwrap(), file);
    // A retry, several at once, and the same picture in another message.
    let again = || ada.data(APPEND, json!({ "input": input }));
    let (one, other) = tokio::join!(again(), again());
    assert_eq!((&one, &other), (&first, &first));
    let more = json!({ "conversationId": conversation, "role": "USER", "parts": [part(&data_url(&file))] });
    let more = ada.data(APPEND, json!({ "input": more })).await;
    assert_eq!(more["appendMessage"]["message"]["parts"][0]["url"], stored["url"]);
    assert_eq!(app.files().len(), 1);
    let count =
        ada.data("query($id: ID!) { conversation(id: $id) { messageCount } }", json!({ "id": conversation }));
    assert_eq!(count.await["conversation"]["messageCount"], 2);
}

async fn a_small_data_url_stays(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let url = data_url(&[7; 5_000]);
    let input = json!({ "conversationId": conversation, "role": "USER", "parts": [part(&url)] });
    let stored = ada.data(APPEND, json!({ "input": input })).await;
    let stored = &stored["appendMessage"]["message"]["parts"][0];
    assert_eq!((&stored["url"], &stored["attachment"]), (&json!(url), &Value::Null));
    assert!(app.files().is_empty());
}

async fn a_wrong_data_url_is_refused(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let wrong = format!("data:image/png;base64,{}", "*".repeat(9_000));
    let parts = [json!({ "text": { "text": "a" } }), part(&wrong)];
    let input = json!({ "conversationId": conversation, "role": "USER", "parts": parts });
    let (code, rule) = ada.fault(APPEND, json!({ "input": input })).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(rule, "`input.parts[1].file.url` must be a valid `data:` URL with a file");
    // What else is in the message counts as before.
    let parts = [part(&data_url(&[1; 10_000])), json!({ "text": { "text": "x".repeat(1_048_576) } })];
    let input = json!({ "conversationId": conversation, "role": "USER", "parts": parts });
    let (_, rule) = ada.fault(APPEND, json!({ "input": input })).await;
    assert!(rule.starts_with("`input.parts` must have at most 1048576 bytes of JSON in total"), "{rule}");
    assert!(app.files().is_empty());
}

async fn every_way_to_write_parts_attaches(app: TestApp) {
    let ada = app.client("ada");
    let url = |byte: u8| data_url(&[byte; 20_000]);
    let parts = |message: &Value| text(&message["parts"][0]["url"]).starts_with("attachment:");
    let fields = "{ id parts { ... on FilePart { url } } }";
    let create = format!(
        "mutation($input: CreateConversationInput!) {{ createConversation(input: $input) {{ conversation {{ id messages {{ nodes {fields} }} }} }} }}"
    );
    let messages = json!([{ "role": "USER", "parts": [part(&url(1))] }, { "role": "USER", "content": "a" }]);
    let made = ada.data(&create, json!({ "input": { "messages": messages } })).await;
    let conversation = &made["createConversation"]["conversation"];
    assert!(parts(&conversation["messages"]["nodes"][0]));
    let several = format!(
        "mutation($input: AppendMessagesInput!) {{ appendMessages(input: $input) {{ messages {fields} }} }}"
    );
    let messages = json!([{ "role": "USER", "content": "a" }, { "role": "USER", "parts": [part(&url(2))] }]);
    let input = json!({ "conversationId": conversation["id"], "messages": messages });
    let appended = ada.data(&several, json!({ "input": input })).await["appendMessages"]["messages"].take();
    assert!(parts(&appended[1]));
    let update = format!(
        "mutation($input: UpdateMessageInput!) {{ updateMessage(input: $input) {{ message {fields} }} }}"
    );
    let input = json!({ "id": appended[0]["id"], "parts": [part(&url(3))] });
    assert!(parts(&ada.data(&update, json!({ "input": input })).await["updateMessage"]["message"]));
    let stream = json!({ "conversationId": conversation["id"], "role": "ASSISTANT", "status": "STREAMING" });
    let begun = ada.data(APPEND, json!({ "input": stream })).await["appendMessage"]["message"]["id"].clone();
    let finish = format!(
        "mutation($input: FinishMessageInput!) {{ finishMessage(input: $input) {{ message {fields} }} }}"
    );
    let input = json!({ "messageId": begun, "status": "COMPLETE", "parts": [part(&url(4))] });
    assert!(parts(&ada.data(&finish, json!({ "input": input })).await["finishMessage"]["message"]));
    assert_eq!(app.files().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_attachments_data_urls_stay() {
    let app = TestApp::start_with(Engine::Sqlite, &[("files.enabled", "false")]).await;
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let url = data_url(&[1; 100_000]);
    let input = json!({ "conversationId": conversation, "role": "USER", "parts": [part(&url)] });
    let stored = ada.data(APPEND, json!({ "input": input })).await;
    assert_eq!(stored["appendMessage"]["message"]["parts"][0]["url"], url);
}
