//! Clearing conversations, and lists without deleted messages.

use serde_json::{Value, json};

use crate::harness::{APPEND, Client, TestApp, on_each_database};

on_each_database!(
    a_cleared_conversation_goes_on,
    clearing_reaches_every_branch_and_everything_derived,
    lists_can_leave_out_deleted_messages,
    of_several_that_delete_a_message_one_deletes_it,
    a_repeated_deletion_is_the_same_one,
);

const CLEAR: &str = "mutation($id: ID!) { clearConversation(input: { id: $id }) { conversation {
  id title updatedAt messageCount unreadCount messages(includeDeleted: false) { nodes { id } } } } }";

const DELETE: &str =
    "mutation($id: ID!) { deleteMessage(input: { id: $id }) { wasDeleted message { content } } }";

const LIST: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $leaf: ID) {
  conversation(id: $id) { messages(first: $first, after: $after, last: $last, before: $before, leafId: $leaf,
    includeDeleted: false) {
      nodes { position content } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

async fn clear(client: &Client, id: &str) -> Value {
    client.data(CLEAR, json!({ "id": id })).await["clearConversation"]["conversation"].clone()
}

async fn append(client: &Client, input: Value) -> String {
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

/// The contents of a page, and whether there are messages before and after.
async fn page(client: &Client, id: &str, arguments: Value) -> (Vec<String>, bool, bool, Value) {
    let mut variables = json!({ "id": id });
    variables.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    let data = client.data(LIST, variables).await;
    let messages = &data["conversation"]["messages"];
    let nodes = messages["nodes"].as_array().unwrap().iter();
    let contents = nodes.map(|node| node["content"].as_str().unwrap().to_owned()).collect();
    let info = messages["pageInfo"].clone();
    (contents, info["hasPreviousPage"] == true, info["hasNextPage"] == true, info)
}

async fn a_cleared_conversation_goes_on(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for n in 1..=3 {
        ada.append(&id, &format!("before {n}")).await;
    }
    let query = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } changes: viewer { id } }";
    let cursor =
        ada.data(query, json!({ "id": id })).await["conversation"]["messages"]["pageInfo"]["endCursor"]
            .clone();
    let mut updated = None;
    for _ in 0..2 {
        let cleared = clear(&ada, &id).await;
        // A repeat changes nothing, not even the time.
        let stored =
            ada.data("query($id: ID!) { conversation(id: $id) { updatedAt } }", json!({ "id": id })).await;
        assert_eq!(cleared["updatedAt"], stored["conversation"]["updatedAt"]);
        assert_eq!(updated.get_or_insert(cleared["updatedAt"].clone()), &cleared["updatedAt"]);
        assert_eq!((&cleared["messageCount"], &cleared["unreadCount"]), (&json!(0), &json!(0)));
        assert_eq!(cleared["messages"]["nodes"], json!([]));
    }
    // Positions go on, so a subscriber with a cursor misses nothing.
    assert_eq!(ada.append(&id, "after").await["position"], 4);
    let follow = "query($id: ID!, $after: String) { conversation(id: $id) { messageCount
      messages(first: 100, after: $after) { nodes { position content } } } }";
    let data = ada.data(follow, json!({ "id": id, "after": cursor })).await;
    assert_eq!(
        data["conversation"],
        json!({ "messageCount": 1, "messages": { "nodes": [{ "position": 4, "content": "after" }] } })
    );
    assert_eq!(page(&ada, &id, json!({})).await.0, ["after"]);
}

async fn clearing_reaches_every_branch_and_everything_derived(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let first = append(&ada, json!({ "conversationId": id, "role": "USER", "content": "zebra one" })).await;
    let answer = json!({ "conversationId": id, "role": "ASSISTANT", "content": "zebra two", "parentId": first,
        "usage": { "totalTokens": 7 } });
    let other = append(&ada, answer.clone()).await;
    append(&ada, answer).await;
    let feedback =
        "mutation($id: ID!) { setMessageFeedback(input: { messageId: $id, rating: UP }) { message { id } } }";
    ada.data(feedback, json!({ "id": other })).await;
    let streaming =
        json!({ "conversationId": id, "role": "ASSISTANT", "status": "STREAMING", "content": "zebra" });
    let streaming = append(&ada, streaming).await;
    let changes = "query($after: String) { changes(after: $after, first: 100) {
      nodes { __typename ... on MessageDeleted { messageId } } } }";
    let cursor =
        ada.data("{ conversations { changeCursor } }", json!({})).await["conversations"]["changeCursor"]
            .clone();
    clear(&ada, &id).await;
    let changes = ada.data(changes, json!({ "after": cursor })).await;
    let nodes = changes["changes"]["nodes"].as_array().unwrap();
    let deleted: Vec<_> = nodes.iter().filter(|node| node["__typename"] == "MessageDeleted").collect();
    assert_eq!(deleted.len(), 4, "{nodes:?}");
    let found = ada.data("{ searchMessages(query: \"zebra\") { nodes { id } } }", json!({})).await;
    assert_eq!(found["searchMessages"]["nodes"], json!([]));
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Message {
        content status deletedAt usage { totalTokens } feedback { rating } } } }";
    let data = ada.data(query, json!({ "ids": [first, other, streaming] })).await;
    let statuses = ["COMPLETE", "COMPLETE", "INTERRUPTED"];
    for (node, status) in data["nodes"].as_array().unwrap().iter().zip(statuses) {
        assert_eq!((&node["content"], &node["status"]), (&json!(""), &json!(status)));
        assert!(node["deletedAt"].is_string() && node["usage"].is_null() && node["feedback"].is_null());
    }
    // What was used stays used.
    let usage = "{ viewer { usage(since: \"2000-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\") { totalTokens } } }";
    assert_eq!(ada.data(usage, json!({})).await["viewer"]["usage"][0]["totalTokens"], 14.0);
    // The writer of the answer learns that it is no more.
    let append_text = "mutation($id: ID!) { appendMessageText(input: { messageId: $id, offset: 5, text: \"!\" }) { length } }";
    assert_eq!(ada.fault(append_text, json!({ "id": streaming })).await.0, "CONFLICT");
}

async fn lists_can_leave_out_deleted_messages(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let mut ids = Vec::new();
    for n in 1..=9 {
        ids.push(ada.append(&id, &n.to_string()).await["id"].clone());
    }
    for n in [2, 3, 9] {
        ada.data(DELETE, json!({ "id": ids[n - 1] })).await;
    }
    let (contents, before, after, info) = page(&ada, &id, json!({ "last": 3 })).await;
    assert_eq!((contents, before, after), (vec!["6".into(), "7".into(), "8".into()], true, false));
    let earlier = json!({ "last": 3, "before": info["startCursor"] });
    let (contents, before, after, _) = page(&ada, &id, earlier).await;
    assert_eq!((contents, before, after), (vec!["1".into(), "4".into(), "5".into()], false, true));
    let (contents, before, after, info) = page(&ada, &id, json!({ "first": 2 })).await;
    assert_eq!((contents, before, after), (vec!["1".into(), "4".into()], false, true));
    let later = json!({ "first": 10, "after": info["endCursor"] });
    let (contents, _, after, _) = page(&ada, &id, later).await;
    assert_eq!((contents.join(""), after), ("5678".into(), false));
    // On branches, too.
    let fork = json!({ "conversationId": id, "role": "USER", "content": "b", "parentId": ids[4] });
    append(&ada, fork).await;
    assert_eq!(page(&ada, &id, json!({})).await.0.join(""), "145b");
    assert_eq!(page(&ada, &id, json!({ "leaf": ids[8] })).await.0.join(""), "145678");
}

async fn of_several_that_delete_a_message_one_deletes_it(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let message = ada.append(&id, "x").await["id"].clone();
    let delete = || ada.data(DELETE, json!({ "id": message }));
    let answers = futures_util::future::join_all((0..8).map(|_| delete())).await;
    let deleted = answers.iter().filter(|answer| answer["deleteMessage"]["wasDeleted"] == false);
    assert_eq!(deleted.count(), 1);
}

async fn a_repeated_deletion_is_the_same_one(app: TestApp) {
    const DELETE: &str = "mutation($id: ID!, $deletion: ID) {
      deleteMessage(input: { id: $id, deletionId: $deletion }) { wasDeleted message { deletedAt } } }";
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let message = ada.append(&id, "x").await["id"].clone();
    let delete = async |deletion: Value| {
        ada.data(DELETE, json!({ "id": message, "deletion": deletion })).await["deleteMessage"].clone()
    };
    let (one, other) = (json!(uuid::Uuid::from_u128(1)), json!(uuid::Uuid::from_u128(2)));
    let first = delete(one.clone()).await;
    assert_eq!(first["wasDeleted"], false);
    assert_eq!(delete(other).await["wasDeleted"], true);
    assert_eq!(delete(Value::Null).await["wasDeleted"], true);
    // Also after others have tried.
    assert_eq!(delete(one.clone()).await, first);
    // Without an id there is nothing to compare.
    let message = ada.append(&id, "y").await["id"].clone();
    for was_deleted in [false, true] {
        let data = ada.data(DELETE, json!({ "id": message })).await;
        assert_eq!(data["deleteMessage"]["wasDeleted"], was_deleted);
    }
    let data = ada.data(DELETE, json!({ "id": message, "deletion": one })).await;
    assert_eq!(data["deleteMessage"]["wasDeleted"], true);
    // What was cleared, nobody deleted by name.
    let message = ada.append(&id, "z").await["id"].clone();
    clear(&ada, &id).await;
    let data = ada.data(DELETE, json!({ "id": message, "deletion": one })).await;
    assert_eq!(data["deleteMessage"]["wasDeleted"], true);
    let (code, rule) = ada.fault(DELETE, json!({ "id": message, "deletion": "once" })).await;
    assert_eq!((&*code, &*rule), ("BAD_USER_INPUT", "`input.deletionId` must be a UUID"));
}
