//! `/v1/conversations`: the Conversations API for the packages of OpenAI.

mod document;
mod graphql;
mod lists;
mod packages;
mod refusals;
mod strangers;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Client;

/// The UUID in an id of OpenAI's form, as GraphQL has it.
fn uuid(id: &Value) -> String {
    let digits = id.as_str().unwrap().split('_').nth(1).unwrap();
    uuid::Uuid::try_parse(digits).unwrap().to_string()
}

/// The id of OpenAI's form.
fn api_id(prefix: &str, uuid: &str) -> String {
    format!("{prefix}_{}", uuid.replace('-', ""))
}

/// Sends a request: the status and the body.
async fn call(client: &Client, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = client.request(method, &format!("/v1/conversations{path}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Sends a request that succeeds.
async fn ok(client: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, body) = call(client, method, path, body).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// A new conversation with these items: its id.
async fn create(client: &Client, items: Value) -> String {
    let created = ok(client, Method::POST, "", Some(json!({ "items": items }))).await;
    created["id"].as_str().unwrap().to_owned()
}

/// All items of a conversation, oldest first.
async fn items(client: &Client, conversation: &str) -> Vec<Value> {
    let page = ok(client, Method::GET, &format!("/{conversation}/items?order=asc&limit=100"), None).await;
    assert_eq!(page["has_more"], false);
    page["data"].as_array().unwrap().clone()
}

/// The texts of messages, and the types of other items.
fn texts(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["content"][0]["text"].as_str().or(item["type"].as_str()).unwrap()).collect()
}
