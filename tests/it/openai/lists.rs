//! Pages of conversations and items.

use reqwest::Method;
use serde_json::{Value, json};

use super::{call, create, ok, texts, uuid};
use crate::harness::{TestApp, on_each_database};

on_each_database!(
    conversations_are_listed,
    items_are_paged,
    pages_go_on_while_items_are_deleted,
    only_the_active_branch_is_listed
);

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

async fn conversations_are_listed(app: TestApp) {
    let ada = app.client("ada");
    let empty = ok(&ada, Method::GET, "", None).await;
    assert_eq!(
        empty,
        json!({ "object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false })
    );
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(create(&ada, json!([])).await);
    }
    let list = async |query: &str| ok(&ada, Method::GET, query, None).await;
    let newest = list("?limit=2").await;
    assert_eq!(ids(&newest), [&created[4], &created[3]]);
    assert_eq!((&newest["first_id"], &newest["last_id"]), (&json!(created[4]), &json!(created[3])));
    assert_eq!(newest["has_more"], true);
    let rest = list(&format!("?after={}", created[3])).await;
    assert_eq!(
        (ids(&rest), &rest["has_more"]),
        (vec![&*created[2], &*created[1], &*created[0]], &json!(false))
    );
    let oldest = list("?order=asc&limit=2").await;
    assert_eq!(ids(&oldest), [&created[0], &created[1]]);
    let before = list(&format!("?before={}&limit=1", created[1])).await;
    assert_eq!((ids(&before), &before["has_more"]), (vec![&*created[2]], &json!(true)));
    let between = list(&format!("?after={}&before={}", created[4], created[1])).await;
    assert_eq!(ids(&between), [&created[3], &created[2]]);
    // Those in the trash are not in the list, archived ones are.
    let update = "mutation($id: ID!, $trash: ID!) {
        updateConversation(input: { id: $id, archived: true }) { conversation { id } }
        trashConversation(input: { id: $trash }) { conversation { id } } }";
    ada.data(update, json!({ "id": uuid(&json!(created[0])), "trash": uuid(&json!(created[1])) })).await;
    assert_eq!(ids(&list("?order=asc&limit=2").await), [&created[0], &created[2]]);
    let body = json!({ "items": [{ "role": "user", "content": "x" }] });
    let (status, refused) = call(&ada, Method::POST, &format!("/{}/items", created[1]), Some(body)).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")));
}

/// A conversation of this many messages, whose texts are numbers.
async fn numbered(client: &crate::harness::Client, count: usize) -> String {
    let message = |number: usize| json!({ "role": "user", "content": number.to_string() });
    create(client, (0..count).map(message).collect()).await
}

async fn items_are_paged(app: TestApp) {
    let ada = app.client("ada");
    let conversation = numbered(&ada, 20).await;
    for (order, expected) in [("asc", (0..20).collect::<Vec<_>>()), ("desc", (0..20).rev().collect())] {
        for limit in [1, 7, 19, 20, 100] {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/{conversation}/items?order={order}&limit={limit}{after}");
                let page = ok(&ada, Method::GET, &path, None).await;
                let data = page["data"].as_array().unwrap();
                found.extend(texts(data).into_iter().map(|text| text.parse::<i32>().unwrap()));
                assert!(data.len() == limit || page["has_more"] == false);
                if page["has_more"] == false {
                    break;
                }
                after = format!("&after={}", page["last_id"].as_str().unwrap());
            }
            assert_eq!(found, expected, "{order} {limit}");
        }
    }
}

async fn pages_go_on_while_items_are_deleted(app: TestApp) {
    let ada = app.client("ada");
    let conversation = numbered(&ada, 6).await;
    let path = format!("/{conversation}/items");
    let first = ok(&ada, Method::GET, &format!("{path}?order=asc&limit=2"), None).await;
    for id in ids(&first) {
        ok(&ada, Method::DELETE, &format!("{path}/{id}"), None).await;
    }
    let last = first["last_id"].as_str().unwrap();
    let next = ok(&ada, Method::GET, &format!("{path}?order=asc&limit=2&after={last}"), None).await;
    assert_eq!((texts(next["data"].as_array().unwrap()), &next["has_more"]), (vec!["2", "3"], &json!(true)));
    let (status, _) = call(&ada, Method::DELETE, &format!("{path}/{last}"), None).await;
    assert_eq!(status, 404, "it is deleted");
    let whole = ok(&ada, Method::GET, &format!("{path}?order=asc"), None).await;
    assert_eq!(texts(whole["data"].as_array().unwrap()), ["2", "3", "4", "5"]);
}

async fn only_the_active_branch_is_listed(app: TestApp) {
    let ada = app.client("ada");
    let conversation = numbered(&ada, 3).await;
    let first = super::items(&ada, &conversation).await[0]["id"].clone();
    let input = json!({ "conversationId": uuid(&json!(conversation)), "role": "ASSISTANT", "content": "other", "parentId": uuid(&first) });
    ada.data(crate::harness::APPEND, json!({ "input": input })).await;
    assert_eq!(texts(&super::items(&ada, &conversation).await), ["0", "other"]);
    let added = json!({ "items": [{ "role": "user", "content": "more" }] });
    ok(&ada, Method::POST, &format!("/{conversation}/items"), Some(added)).await;
    assert_eq!(texts(&super::items(&ada, &conversation).await), ["0", "other", "more"]);
}
