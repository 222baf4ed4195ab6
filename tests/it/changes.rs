//! The change feed: every change in commit order, once.

use scrollback::model::Timestamp;
use serde_json::{Value, json};

use crate::harness::{TestApp, on_each_database, with_row_level_security};

on_each_database!(
    changes_are_in_commit_order,
    a_page_and_the_feed_from_its_cursor_have_no_gap,
    subscribers_resume_and_get_each_change_once,
    deleted_objects_are_null_in_changes,
    trimmed_forged_and_foreign_cursors_are_refused,
    the_subscription_begins_where_the_query_ended,
);

with_row_level_security!(
    subscribers_resume_and_get_each_change_once,
    trimmed_forged_and_foreign_cursors_are_refused,
);

const CHANGES: &str = "query Changes($after: String, $first: Int) {
  changes(after: $after, first: $first) {
    nodes {
      __typename cursor changedAt conversationId
      ... on ConversationCreated { conversation { title } }
      ... on ConversationUpdated { conversation { title } }
      ... on MessageAdded { messageId message { content position } }
    }
    endCursor hasNextPage
  }
}";

const FOLLOW: &str = "subscription Follow($after: String) {
  changes(after: $after) { __typename cursor conversationId ... on MessageAdded { messageId message { content } } }
}";

fn kinds(data: &Value) -> Vec<&str> {
    data["changes"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["__typename"].as_str().unwrap())
        .collect()
}

async fn changes_are_in_commit_order(app: TestApp) {
    let ada = app.client("ada");
    assert_eq!(ada.data(CHANGES, json!({})).await["changes"]["nodes"], json!([]));
    let create = "mutation { createConversation(input: { title: \"One\", messages: [
        { role: USER, content: \"a\" }, { role: ASSISTANT, content: \"b\" }] }) { conversation { id } } }";
    let data = ada.data(create, json!({})).await;
    let id = data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
    app.client("bob").new_conversation().await;
    ada.append(&id, "c").await;
    ada.data("mutation($id: ID!) { updateConversation(input: { id: $id, title: \"Two\" }) { conversation { id } } }", json!({ "id": id })).await;
    let data = ada.data(CHANGES, json!({})).await;
    assert_eq!(
        kinds(&data),
        ["ConversationCreated", "MessageAdded", "MessageAdded", "MessageAdded", "ConversationUpdated"]
    );
    let nodes = data["changes"]["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["conversationId"] == id.as_str()));
    let contents: Vec<_> = nodes[1..4].iter().map(|node| &node["message"]["content"]).collect();
    assert_eq!(contents, ["a", "b", "c"]);
    assert_eq!(nodes[0]["conversation"]["title"], "Two", "as it is now");
    assert_eq!(data["changes"]["hasNextPage"], false);
    assert_eq!(data["changes"]["endCursor"], nodes[4]["cursor"]);
    // In pages, and again from the end: nothing new.
    let page = ada.data(CHANGES, json!({ "first": 2 })).await;
    assert_eq!((kinds(&page).len(), &page["changes"]["hasNextPage"]), (2, &json!(true)));
    let rest = ada.data(CHANGES, json!({ "after": page["changes"]["endCursor"], "first": 100 })).await;
    assert_eq!(rest["changes"]["nodes"].as_array().unwrap()[..], nodes[2..]);
    let none = ada.data(CHANGES, json!({ "after": rest["changes"]["endCursor"] })).await;
    assert_eq!((kinds(&none).len(), &none["changes"]["endCursor"]), (0, &rest["changes"]["endCursor"]));
    assert_eq!(
        ada.fault(CHANGES, json!({ "first": 101 })).await.1,
        "`first` must be between 1 and 100, got 101"
    );
}

async fn a_page_and_the_feed_from_its_cursor_have_no_gap(app: TestApp) {
    let ada = app.client("ada");
    // While conversations are made, every page and the changes after its cursor hold all of them.
    let maker = tokio::spawn({
        let ada = ada.clone();
        async move {
            for _ in 0..40 {
                ada.new_conversation().await;
            }
        }
    });
    let mut cursors = Vec::new();
    while !maker.is_finished() {
        let page = ada.data("{ conversations(first: 100) { changeCursor nodes { id } } }", json!({})).await;
        let ids: Vec<String> = page["conversations"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap().to_owned())
            .collect();
        cursors.push((page["conversations"]["changeCursor"].clone(), ids));
    }
    maker.await.unwrap();
    for (cursor, mut ids) in cursors {
        let data = ada.data(CHANGES, json!({ "after": cursor, "first": 100 })).await;
        let later = data["changes"]["nodes"].as_array().unwrap().iter();
        ids.extend(later.map(|node| node["conversationId"].as_str().unwrap().to_owned()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 40);
    }
}

async fn subscribers_resume_and_get_each_change_once(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let start = ada.data("{ conversations { changeCursor } }", json!({})).await;
    let mut cursor = start["conversations"]["changeCursor"].clone();
    let mut received = Vec::new();
    for round in 0..5 {
        for number in 0..30 {
            ada.append(&id, &format!("{round} {number}")).await;
        }
        let mut socket = app.socket("ada").await;
        socket.subscribe("s", FOLLOW, json!({ "after": cursor })).await;
        // Some of what is there already, then some that comes while it follows.
        ada.append(&id, &format!("{round} live")).await;
        for _ in 0..(if round == 4 { 35 } else { 30 }) {
            let event = socket.receive().await["payload"]["data"]["changes"].clone();
            cursor = event["cursor"].clone();
            received.push(event["message"]["content"].as_str().unwrap().to_owned());
        }
    }
    let expected: Vec<String> = (0..5)
        .flat_map(|round| {
            (0..30).map(move |number| format!("{round} {number}")).chain([format!("{round} live")])
        })
        .collect();
    assert_eq!(received, expected);
}

async fn deleted_objects_are_null_in_changes(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "Forget me").await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "after": start(&ada).await })).await;
    for kind in ["ConversationCreated", "MessageAdded"] {
        assert_eq!(socket.receive().await["payload"]["data"]["changes"]["__typename"], kind);
    }
    ada.data(
        "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }",
        json!({ "id": id }),
    )
    .await;
    let event = socket.receive().await["payload"]["data"]["changes"].clone();
    assert_eq!((&event["__typename"], &event["conversationId"]), (&json!("ConversationDeleted"), &json!(id)));
    let data = ada.data(CHANGES, json!({})).await;
    assert_eq!(kinds(&data), ["ConversationCreated", "MessageAdded", "ConversationDeleted"]);
    assert_eq!(data["changes"]["nodes"][0]["conversation"], Value::Null);
    assert_eq!(data["changes"]["nodes"][1]["message"], Value::Null);
    assert!(!data.to_string().contains("Forget"));
}

/// The cursor before the very first change.
async fn start(client: &crate::harness::Client) -> Value {
    let data = client.data(CHANGES, json!({ "first": 1 })).await;
    let first = data["changes"]["nodes"][0]["cursor"].as_str().unwrap();
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut bytes = URL_SAFE_NO_PAD.decode(first).unwrap();
    *bytes.last_mut().unwrap() -= 1;
    json!(URL_SAFE_NO_PAD.encode(bytes))
}

async fn trimmed_forged_and_foreign_cursors_are_refused(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = ada.new_conversation().await;
    let early = ada.data(CHANGES, json!({})).await["changes"]["endCursor"].clone();
    ada.append(&id, "old").await;
    bob.new_conversation().await;
    let late = ada.data(CHANGES, json!({})).await["changes"]["endCursor"].clone();
    let bobs = bob.data(CHANGES, json!({})).await["changes"]["endCursor"].clone();
    let messages = "query($id: ID!) { conversation(id: $id) { messages { pageInfo { endCursor } } } }";
    let message =
        ada.data(messages, json!({ "id": id })).await["conversation"]["messages"]["pageInfo"]["endCursor"]
            .clone();
    assert_eq!(app.store.trim_changes(Timestamp(0)).await.unwrap(), 0);
    assert_eq!(app.store.trim_changes(Timestamp(i64::MAX)).await.unwrap(), 3);
    ada.append(&id, "new").await;
    let forged = start(&ada).await;
    let mut ahead = late.as_str().unwrap().to_owned();
    ahead.replace_range(20..21, "C");
    for (cursor, code) in [
        (&early, "CURSOR_EXPIRED"),
        (&bobs, "BAD_USER_INPUT"),
        (&message, "BAD_USER_INPUT"),
        (&json!("nonsense"), "BAD_USER_INPUT"),
        (&json!(""), "BAD_USER_INPUT"),
    ] {
        assert_eq!(ada.fault(CHANGES, json!({ "after": cursor })).await.0, code, "{cursor}");
        let mut socket = app.socket("ada").await;
        socket.subscribe("s", FOLLOW, json!({ "after": cursor })).await;
        let refused = socket.receive().await;
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{refused}");
    }
    assert!(
        ["CURSOR_EXPIRED", "BAD_USER_INPUT"].contains(
            &ada.run(CHANGES, json!({ "after": ahead })).await.body["errors"][0]["extensions"]["code"]
                .as_str()
                .unwrap()
        )
    );
    // The newest place before the trimming is still a place, and so is the one before what is kept.
    for cursor in [&late, &forged] {
        assert_eq!(kinds(&ada.data(CHANGES, json!({ "after": cursor })).await), ["MessageAdded"]);
    }
    assert_eq!(kinds(&ada.data(CHANGES, json!({})).await), ["MessageAdded"], "from the oldest that is kept");
}

async fn the_subscription_begins_where_the_query_ended(app: TestApp) {
    let ada = app.client("ada");
    ada.new_conversation().await;
    let end = ada.data(CHANGES, json!({})).await["changes"]["endCursor"].clone();
    let mut socket = app.socket("ada").await;
    let mut from_now = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "after": end })).await;
    from_now.subscribe("s", FOLLOW, json!({})).await;
    let id = ada.new_conversation().await;
    assert_eq!(socket.receive().await["payload"]["data"]["changes"]["conversationId"], id.as_str());
    // Without a cursor it begins some time after it was asked for: the next changes show where.
    let mut ids = vec![id];
    let first = loop {
        ids.push(ada.new_conversation().await);
        match tokio::time::timeout(std::time::Duration::from_millis(50), from_now.receive()).await {
            Ok(event) => {
                break event["payload"]["data"]["changes"]["conversationId"].as_str().unwrap().to_owned();
            }
            Err(_) => assert!(ids.len() < 100),
        }
    };
    let at = ids.iter().position(|id| *id == first).unwrap();
    for id in &ids[at + 1..] {
        assert_eq!(from_now.receive().await["payload"]["data"]["changes"]["conversationId"], id.as_str());
    }
}
