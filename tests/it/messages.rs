//! Messages: appends, reads, retries, subscriptions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{APPEND, TestApp, on_each_database};

on_each_database!(
    history_defaults_to_the_last_fifty_oldest_first,
    lists_page_forwards_and_backwards,
    appending_with_the_same_id_is_idempotent,
    text_is_kept_byte_for_byte,
    contents_have_limits,
    concurrent_appends_have_positions_without_gaps,
    acknowledged_messages_survive_a_restart,
    subscribers_get_messages_live,
    subscribers_resume_from_a_cursor,
    a_deleted_conversation_ends_its_subscriptions,
    node_prefers_the_conversation_if_a_message_has_the_same_id,
);

const HISTORY: &str = "query History($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  conversation(id: $id) {
    messages(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { position } }
      nodes { position content role }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}";

const FOLLOW: &str = "subscription Follow($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { position content } }
}";

fn positions(data: &Value) -> Vec<i64> {
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["position"].as_i64().unwrap()).collect()
}

fn append(conversation: &str, id: &str, content: &str) -> Value {
    json!({ "input": { "conversationId": conversation, "id": id, "role": "USER", "content": content } })
}

async fn history_defaults_to_the_last_fifty_oldest_first(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for number in 1..=60 {
        let message = ada.append(&id, &format!("m{number}")).await;
        assert_eq!(message["position"], number);
    }
    let data = ada.data(HISTORY, json!({ "id": id })).await;
    assert_eq!(positions(&data), (11..=60).collect::<Vec<_>>());
    assert_eq!(data["conversation"]["messages"]["nodes"][0]["content"], "m11");
    let info = &data["conversation"]["messages"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(false), &json!(true)));
    let roles = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { role } } }";
    for role in ["USER", "ASSISTANT", "SYSTEM", "TOOL"] {
        let input = json!({ "conversationId": id, "role": role, "content": "x" });
        assert_eq!(
            ada.data(roles, json!({ "input": input })).await["appendMessage"]["message"]["role"],
            role
        );
    }
    let input = json!({ "conversationId": id, "role": "NOBODY", "content": "x" });
    let answer = ada.run(roles, json!({ "input": input })).await;
    assert_eq!(answer.body["errors"][0]["message"], "`$input.role` must be a value of the enum `Role`");
}

async fn lists_page_forwards_and_backwards(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for number in 1..=12 {
        ada.append(&id, &format!("m{number}")).await;
    }
    let page = async |mut variables: Value| {
        variables["id"] = json!(id);
        ada.data(HISTORY, variables).await
    };
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = page(json!({ "first": 5, "after": after })).await;
        seen.extend(positions(&data));
        let info = &data["conversation"]["messages"]["pageInfo"];
        after = info["endCursor"].clone();
        if info["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, (1..=12).collect::<Vec<_>>());
    let (mut seen, mut before) = (Vec::new(), Value::Null);
    loop {
        let data = page(json!({ "last": 5, "before": before })).await;
        seen.splice(0..0, positions(&data));
        let info = &data["conversation"]["messages"]["pageInfo"];
        before = info["startCursor"].clone();
        if info["hasPreviousPage"] == false {
            break;
        }
    }
    assert_eq!(seen, (1..=12).collect::<Vec<_>>());
    let data = page(json!({ "first": 12 })).await;
    let edges = data["conversation"]["messages"]["edges"].as_array().unwrap();
    let cursor = |position: usize| edges[position - 1]["cursor"].clone();
    let between = page(json!({ "after": cursor(3), "before": cursor(7) })).await;
    assert_eq!(positions(&between), [4, 5, 6]);
    let info = &between["conversation"]["messages"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(true)));
    let nothing = page(json!({ "after": cursor(12) })).await;
    let info = &nothing["conversation"]["messages"]["pageInfo"];
    assert_eq!(positions(&nothing), Vec::<i64>::new());
    assert_eq!((&info["startCursor"], &info["endCursor"]), (&Value::Null, &Value::Null));
    // A cursor of another conversation, even one's own, is no place in this one.
    let other = ada.new_conversation().await;
    let (code, _) = ada.fault(HISTORY, json!({ "id": other, "after": cursor(3) })).await;
    assert_eq!(code, "BAD_USER_INPUT");
}

async fn appending_with_the_same_id_is_idempotent(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let (one, two) = (ada.new_conversation().await, ada.new_conversation().await);
    let id = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    let first = ada.data(APPEND, append(&one, id, "Hello")).await;
    ada.append(&one, "between").await;
    let read = "query($id: ID!) { conversation(id: $id) { updatedAt messageCount } }";
    let before = ada.data(read, json!({ "id": one })).await;
    assert_eq!(ada.data(APPEND, append(&one, id, "Hello")).await, first);
    assert_eq!(ada.data(read, json!({ "id": one })).await, before, "a repeat writes nothing");
    for other in [append(&one, id, "Other"), append(&two, id, "Hello")] {
        assert_eq!(ada.fault(APPEND, other).await.0, "CONFLICT");
    }
    let bobs = bob.new_conversation().await;
    let (code, message) = bob.fault(APPEND, append(&bobs, id, "Hello")).await;
    assert_eq!((code.as_str(), message.as_str()), ("CONFLICT", "the id has been used for something else"));
    assert_eq!(bob.fault(APPEND, append(&one, id, "Hello")).await.0, "NOT_FOUND", "whatever the id");
    // Twenty clients send the same append at once: it is stored once, and all get the same answer.
    let id = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
    let sends = (0..20).map(|_| {
        let (ada, two) = (ada.clone(), two.clone());
        tokio::spawn(async move { ada.data(APPEND, append(&two, id, "once")).await })
    });
    let answers = futures_util::future::join_all(sends.collect::<Vec<_>>()).await;
    let answers: BTreeSet<String> = answers.into_iter().map(|answer| answer.unwrap().to_string()).collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(ada.data(read, json!({ "id": two })).await["conversation"]["messageCount"], 1);
}

async fn text_is_kept_byte_for_byte(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let texts = [
        "👩‍👩‍👧‍👦 family",
        "שלום עליכם",
        "e\u{301} is not é",
        "\u{FFFE}\u{FEFF}\u{200B}\u{202E}",
        " \t\r\n ",
        "\u{1}\u{1f}\u{7f}\"\\\u{2028}",
        "𝕳𝖊𝖑𝖑𝖔",
        "'); DROP TABLE message; --",
        "${x} $1 %s ?",
    ];
    for text in texts {
        assert_eq!(ada.append(&id, text).await["content"], text);
    }
    let data = ada.data(HISTORY, json!({ "id": id })).await;
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    let kept: Vec<_> = nodes.iter().map(|node| node["content"].as_str().unwrap()).collect();
    assert_eq!(kept, texts);
}

async fn contents_have_limits(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let largest = "x".repeat(1024 * 1024);
    assert_eq!(ada.append(&id, &largest).await["content"], largest.as_str());
    let input =
        |content: &str| json!({ "input": { "conversationId": id, "role": "USER", "content": content } });
    for (content, expected) in [
        (largest + "x", "`input.content` must be at most 1048576 bytes of UTF-8, has 1048577"),
        (String::new(), "`input.content` must not be empty"),
        ("a\0b".into(), "`input.content` must not contain NUL (U+0000)"),
    ] {
        assert_eq!(ada.fault(APPEND, input(&content)).await, ("BAD_USER_INPUT".into(), expected.into()));
    }
    let data =
        ada.data("query($id: ID!) { conversation(id: $id) { messageCount } }", json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messageCount"], 1);
}

async fn concurrent_appends_have_positions_without_gaps(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let writers = (0..20).map(|writer| {
        let (ada, id) = (ada.clone(), id.clone());
        tokio::spawn(async move {
            let mut positions = Vec::new();
            for number in 0..10 {
                let message = ada.append(&id, &format!("{writer} {number}")).await;
                positions.push(message["position"].as_i64().unwrap());
            }
            positions
        })
    });
    let written = futures_util::future::join_all(writers.collect::<Vec<_>>()).await;
    let mut all = Vec::new();
    for positions in written {
        let positions = positions.unwrap();
        assert!(positions.is_sorted(), "one writer's messages stand as it sent them: {positions:?}");
        all.extend(positions);
    }
    all.sort_unstable();
    assert_eq!(all, (1..=200).collect::<Vec<_>>());
    let data = ada.data("query($id: ID!) { conversation(id: $id) { messageCount messages(last: 100) { nodes { createdAt } } } }", json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messageCount"], 200);
    let times: Vec<_> = data["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["createdAt"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted());
}

async fn acknowledged_messages_survive_a_restart(app: TestApp) {
    let id = app.client("ada").new_conversation().await;
    app.client("ada").append(&id, "Remember me").await;
    let app = app.restart().await;
    let data = app.client("ada").data(HISTORY, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"][0]["content"], "Remember me");
}

async fn subscribers_get_messages_live(app: TestApp) {
    let ada = app.client("ada");
    let (id, other) = (ada.new_conversation().await, ada.new_conversation().await);
    ada.append(&id, "before").await;
    let mut socket = app.socket("ada").await;
    let mut second = app.socket("ada").await;
    // Starting from a cursor makes sure nothing is missed while the subscription begins.
    let cursor =
        ada.data(HISTORY, json!({ "id": id })).await["conversation"]["messages"]["pageInfo"]["endCursor"]
            .clone();
    for socket in [&mut socket, &mut second] {
        socket.subscribe("s", FOLLOW, json!({ "id": id, "after": cursor })).await;
    }
    for number in 2..=30 {
        ada.append(&other, "elsewhere").await;
        ada.append(&id, &format!("m{number}")).await;
    }
    for socket in [&mut socket, &mut second] {
        for number in 2..=30 {
            let event = socket.receive().await;
            assert_eq!((&event["type"], &event["id"]), (&json!("next"), &json!("s")));
            let node = json!({ "position": number, "content": format!("m{number}") });
            assert_eq!(event["payload"]["data"]["messageAdded"]["node"], node);
        }
    }
}

async fn subscribers_resume_from_a_cursor(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for number in 1..=250 {
        ada.append(&id, &format!("m{number}")).await;
    }
    let data = ada.data(HISTORY, json!({ "id": id, "first": 20 })).await;
    let after = data["conversation"]["messages"]["pageInfo"]["endCursor"].clone();
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id, "after": after })).await;
    let mut cursor = Value::Null;
    for number in 21..=250 {
        let event = socket.receive().await["payload"]["data"]["messageAdded"].clone();
        assert_eq!(event["node"]["position"], number);
        if number == 150 {
            cursor = event["cursor"].clone();
        }
    }
    drop(socket);
    ada.append(&id, "m251").await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id, "after": cursor })).await;
    for number in 151..=251 {
        let event = socket.receive().await["payload"]["data"]["messageAdded"].clone();
        assert_eq!(event["node"]["position"], number);
    }
    // The cursor of another conversation begins nothing.
    let other = ada.new_conversation().await;
    socket.subscribe("t", FOLLOW, json!({ "id": other, "after": cursor })).await;
    let refused = socket.receive().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("t")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

async fn a_deleted_conversation_ends_its_subscriptions(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": id })).await;
    let end = socket.receive().await;
    // Whether it began before the conversation was gone or after.
    assert!(end["type"] == "complete" || end["payload"][0]["extensions"]["code"] == "NOT_FOUND", "{end}");
}

async fn node_prefers_the_conversation_if_a_message_has_the_same_id(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let input = json!({ "conversationId": id, "id": id, "role": "USER", "content": "Hello" });
    let twin = ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
    assert_eq!(twin, id);
    let query = "query($id: ID!) { node(id: $id) { __typename } nodes(ids: [$id]) { __typename } }";
    let found = json!({ "__typename": "Conversation" });
    assert_eq!(ada.data(query, json!({ "id": id })).await, json!({ "node": found, "nodes": [found] }));
    let data = ada.data(HISTORY, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"][0]["content"], "Hello");
    // It is not said who has used it.
    let bob = app.client("bob");
    let his = bob.append(&bob.new_conversation().await, "Hi").await["id"].clone();
    let make = "mutation($id: ID!) { createConversation(input: { id: $id }) { conversation { id } } }";
    ada.data(make, json!({ "id": his })).await;
    assert_eq!(ada.data(query, json!({ "id": his })).await, json!({ "node": found, "nodes": [found] }));
    let message = json!({ "__typename": "Message" });
    assert_eq!(bob.data(query, json!({ "id": his })).await, json!({ "node": message, "nodes": [message] }));
}
