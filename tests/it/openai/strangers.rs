//! Users reach only what they own, and cannot find out what others have.

use reqwest::Method;
use serde_json::{Value, json};

use super::{call, create, items, ok};
use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(foreign_ids_are_like_missing_ones, back_ends_act_for_users);

with_row_level_security!(foreign_ids_are_like_missing_ones);

const NO_CONVERSATION: &str = "conv_0197a1b2000070008000000000000001";
const NO_ITEM: &str = "msg_0197a1b2000070008000000000000002";

/// Every endpoint with the ids of a conversation and an item, with a body.
fn requests(conversation: &str, item: &str) -> Vec<(Method, String, Option<Value>)> {
    let items = json!({ "items": [{ "role": "user", "content": "x" }] });
    vec![
        (Method::GET, format!("/{conversation}"), None),
        (Method::POST, format!("/{conversation}"), Some(json!({ "metadata": { "a": "b" } }))),
        (Method::GET, format!("/{conversation}/items"), None),
        (Method::POST, format!("/{conversation}/items"), Some(items)),
        (Method::GET, format!("/{conversation}/items/{item}"), None),
        (Method::GET, format!("/{conversation}/items?after={item}"), None),
        (Method::DELETE, format!("/{conversation}/items/{item}"), None),
        (Method::GET, format!("?after={conversation}"), None),
        (Method::GET, format!("?before={conversation}"), None),
        (Method::DELETE, format!("/{conversation}"), None),
    ]
}

/// The answers to all requests, without the ids.
async fn answers(client: &Client, conversation: &str, item: &str) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for (method, path, body) in requests(conversation, item) {
        let (status, body) = call(client, method, &path, body).await;
        answers.push((status, body.to_string().replace(conversation, "<id>").replace(item, "<item>")));
    }
    answers
}

async fn foreign_ids_are_like_missing_ones(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let conversation = create(&ada, json!([{ "role": "user", "content": "Ada's own" }])).await;
    let item = items(&ada, &conversation).await[0]["id"].as_str().unwrap().to_owned();
    let foreign = answers(&bob, &conversation, &item).await;
    assert!(foreign.iter().all(|(status, _)| *status == 404), "{foreign:?}");
    assert_eq!(foreign, answers(&bob, NO_CONVERSATION, NO_ITEM).await);
    assert_eq!(foreign, answers(&bob, "conv_123", "msg_abc").await, "nor like ids that nobody can have");
    // An item is in one conversation, also for its owner.
    let own = create(&bob, json!([])).await;
    let other = create(&ada, json!([])).await;
    for (client, conversation) in [(&bob, &own), (&ada, &other)] {
        let (status, body) = call(client, Method::GET, &format!("/{conversation}/items/{item}"), None).await;
        assert_eq!(status, 404, "{body}");
    }
    assert_eq!(ok(&bob, Method::GET, "", None).await["data"].as_array().unwrap().len(), 1);
    assert_eq!(items(&ada, &conversation).await[0]["content"][0]["text"], "Ada's own");
    // The item's type is in its id: another prefix is another id.
    let (status, _) =
        call(&ada, Method::GET, &format!("/{conversation}/items/{}", item.replace("msg", "fc")), None).await;
    assert_eq!(status, 404);
}

async fn back_ends_act_for_users(app: TestApp) {
    let acting = app.back_end().acting_for("ada");
    let conversation = create(&acting, json!([{ "role": "user", "content": "for ada" }])).await;
    assert_eq!(items(&app.client("ada"), &conversation).await.len(), 1);
    let (status, body) = call(&app.client("bob").acting_for("ada"), Method::GET, "", None).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("insufficient_scope")));
    let (status, body) = call(&app.anonymous(), Method::GET, "", None).await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_api_key")));
}
