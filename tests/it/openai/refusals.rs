//! What is refused, and how; limits; requests that are repeated.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{call, create, items, ok};
use crate::harness::{Client, Engine, TestApp, on_each_database};

on_each_database!(
    errors_have_the_form_of_openai,
    limits_apply,
    a_repeated_request_creates_nothing_twice,
    other_metadata_stays,
);

async fn errors_have_the_form_of_openai(app: TestApp) {
    let ada = app.client("ada");
    let conversation = create(&ada, json!([])).await;
    let item = |value: Value| Some(json!({ "items": [value] }));
    let own = format!("/{conversation}");
    let path = format!("/{conversation}/items");
    let (own, path) = (own.as_str(), path.as_str());
    let (everything, before) = (format!("{path}?include=all"), format!("{path}?before=x"));
    let many: Vec<_> = (0..21).map(|_| json!({ "role": "user", "content": "x" })).collect();
    for (method, path, body, status, param) in [
        (Method::POST, "", Some(json!({ "metadata": { "a": 1 } })), 400, "metadata.a"),
        (Method::POST, "", Some(json!({ "metadata": [] })), 400, "metadata"),
        (Method::POST, "", Some(json!({ "title": "x" })), 400, "title"),
        (Method::POST, "?x=1", Some(json!({})), 400, "x"),
        (Method::POST, "", Some(json!({ "items": {} })), 400, "items"),
        (Method::GET, "?limit=0", None, 400, "limit"),
        (Method::GET, "?limit=101", None, 400, "limit"),
        (Method::GET, "?order=up", None, 400, "order"),
        (Method::POST, own, Some(json!({})), 400, "metadata"),
        (Method::POST, path, Some(json!({})), 400, "items"),
        (Method::POST, path, Some(json!({ "items": [] })), 400, "items"),
        (Method::POST, path, Some(json!({ "items": many })), 400, "items"),
        (Method::POST, path, item(json!(7)), 400, "items[0]"),
        (Method::POST, path, item(json!({ "role": "king", "content": "x" })), 400, "items[0].role"),
        (Method::POST, path, item(json!({ "role": "user" })), 400, "items[0].content"),
        (
            Method::POST,
            path,
            item(json!({ "role": "user", "content": [{ "type": "input_text" }] })),
            400,
            "items[0].content[0].text",
        ),
        (
            Method::POST,
            path,
            item(json!({ "type": "function_call", "name": "f", "arguments": "{}" })),
            400,
            "items[0].call_id",
        ),
        (Method::POST, path, item(json!({ "type": "item_reference", "id": "msg_1" })), 400, "items[0].type"),
        (Method::POST, path, item(json!({ "role": "user", "content": "a\0b" })), 400, "items[0].content"),
        (Method::GET, everything.as_str(), None, 400, "include"),
        (Method::GET, before.as_str(), None, 400, "before"),
    ] {
        let (found, answer) = call(&ada, method.clone(), path, body).await;
        let error = &answer["error"];
        assert_eq!((found, error["param"].as_str()), (status, Some(param)), "{method} {path}: {answer}");
        assert_eq!(error["type"], "invalid_request_error", "{answer}");
        assert!(error["message"].is_string() && error["code"].is_string(), "{answer}");
    }
    assert_eq!(items(&ada, &conversation).await, Vec::<Value>::new());
    for (method, path, allowed) in [
        (Method::PUT, "", "GET, POST"),
        (Method::PATCH, "/conv_1", "GET, POST, DELETE"),
        (Method::DELETE, "/conv_1/items", "GET, POST"),
        (Method::POST, "/conv_1/items/msg_1", "GET, DELETE"),
    ] {
        let response = ada.request(method, &format!("/v1/conversations{path}")).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::ALLOW]),
            (405, &allowed.parse().unwrap())
        );
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "method_not_supported");
    }
    let nowhere = call(&ada, Method::GET, "/conv_1/other", None).await;
    assert_eq!((nowhere.0, &nowhere.1["error"]["type"]), (404, &json!("invalid_request_error")));
    let text = ada.request(Method::POST, "/v1/conversations").body("{}").send().await.unwrap();
    assert_eq!(text.status(), 415);
    let broken =
        ada.request(Method::POST, "/v1/conversations").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(broken.body("{").send().await.unwrap().status(), 400);
    // Nothing at all is an empty object.
    let nothing = ada.request(Method::POST, "/v1/conversations").send().await.unwrap();
    assert_eq!(nothing.status(), 200);
    assert_eq!(nothing.headers()[header::CACHE_CONTROL], "private, no-store");
}

async fn limits_apply(app: TestApp) {
    let settings = [("limits.message_bytes", "2000"), ("server.body_limit", "100000")];
    let app = TestApp::start_with(app.engine, &settings).await;
    let ada = app.client("ada");
    let text = |length: usize| json!([{ "role": "user", "content": "x".repeat(length) }]);
    let (status, answer) = call(&ada, Method::POST, "", Some(json!({ "items": text(2001) }))).await;
    assert_eq!((status, &answer["error"]["param"]), (400, &json!("items[0].content")));
    create(&ada, text(2000)).await;
    let (status, answer) = call(&ada, Method::POST, "", Some(json!({ "items": text(100_000) }))).await;
    assert_eq!((status, &answer["error"]["type"]), (413, &json!("invalid_request_error")));
    let off = TestApp::start_with(app.engine, &[("openai.enabled", "false")]).await;
    let response = off.client("ada").request(Method::GET, "/v1/conversations").send().await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn rate_limits_apply() {
    let settings = [("rate.operations_per_minute", "1"), ("rate.burst", "2")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    for _ in 0..2 {
        ok(&ada, Method::GET, "", None).await;
    }
    let response = ada.request(Method::GET, "/v1/conversations").send().await.unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    let error = response.json::<Value>().await.unwrap()["error"].take();
    assert_eq!((&error["type"], &error["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
    ok(&app.client("bob"), Method::GET, "", None).await;
}

async fn with_key(client: &Client, path: &str, body: &Value) -> (u16, Value) {
    let request = client.request(Method::POST, &format!("/v1/conversations{path}")).json(body);
    let response = request.header("idempotency-key", "the first").send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn a_repeated_request_creates_nothing_twice(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let new = json!({ "items": [{ "role": "user", "content": "Hi" }, { "type": "web_search_call", "action": { "type": "search" }, "status": "completed" }] });
    let (status, created) = with_key(&ada, "", &new).await;
    assert_eq!(status, 200, "{created}");
    assert_eq!(with_key(&ada, "", &new).await, (200, created.clone()));
    assert_eq!(ok(&ada, Method::GET, "", None).await["data"].as_array().unwrap().len(), 1);
    let path = format!("/{}/items", created["id"].as_str().unwrap());
    let (_, added) = with_key(&ada, &path, &new).await;
    assert_eq!(with_key(&ada, &path, &new).await, (200, added));
    assert_eq!(items(&ada, created["id"].as_str().unwrap()).await.len(), 4);
    let other = json!({ "items": [{ "role": "user", "content": "Something else" }] });
    assert_eq!(with_key(&ada, &path, &other).await.0, 409);
    // The key of another user is another key.
    assert_ne!(with_key(&bob, "", &new).await.1["id"], created["id"]);
    // Without a key, a repeated request is another one.
    ok(&ada, Method::POST, &path, Some(new.clone())).await;
    assert_eq!(items(&ada, created["id"].as_str().unwrap()).await.len(), 6);
    // A repeated request does not answer with an item that is no longer there.
    let (_, added) = with_key(&ada, &path, &new).await;
    let item = added["data"][0]["id"].as_str().unwrap();
    ok(&ada, Method::DELETE, &format!("{path}/{item}"), None).await;
    let (status, refused) = with_key(&ada, &path, &new).await;
    let message =
        "An item that an earlier request with this `Idempotency-Key` created was deleted. Use a new key.";
    assert_eq!((status, &refused["error"]["message"]), (404, &json!(message)));
    assert_eq!(items(&ada, created["id"].as_str().unwrap()).await.len(), 5);
}

async fn other_metadata_stays(app: TestApp) {
    let ada = app.client("ada");
    let create = "mutation { createConversation(input: { metadata: { tenant: 7, topic: \"x\" } }) { conversation { id } } }";
    let data = ada.data(create, json!({})).await;
    let uuid = data["createConversation"]["conversation"]["id"].as_str().unwrap();
    let id = super::api_id("conv", uuid);
    let metadata = async || {
        let data =
            ada.data("query($id: ID!) { conversation(id: $id) { metadata } }", json!({ "id": uuid })).await;
        data["conversation"]["metadata"].clone()
    };
    assert_eq!(ok(&ada, Method::GET, &format!("/{id}"), None).await["metadata"], json!({}));
    let set = async |pairs: Value| {
        let body = Some(json!({ "metadata": pairs }));
        ok(&ada, Method::POST, &format!("/{id}"), body).await["metadata"].clone()
    };
    assert_eq!(set(json!({ "topic": "moons", "n": "1" })).await, json!({ "topic": "moons", "n": "1" }));
    assert_eq!(
        metadata().await,
        json!({ "tenant": 7, "topic": "x", "openai": { "topic": "moons", "n": "1" } })
    );
    assert_eq!(
        set(json!({ "topic": "suns" })).await,
        json!({ "topic": "suns" }),
        "the other pair is removed"
    );
    assert_eq!(set(Value::Null).await, json!({}));
    assert_eq!(metadata().await, json!({ "tenant": 7, "topic": "x" }));
}
