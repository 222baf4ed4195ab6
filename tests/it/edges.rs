//! Edges in payloads and changes, with the cursors of the connections.

use serde_json::{Value, json};

use crate::harness::{APPEND, Client, TestApp, on_each_database};

on_each_database!(
    mutations_answer_with_edges_of_the_connection_of_messages,
    creations_answer_with_edges_of_the_list_in_each_order,
    changes_have_edges_until_the_conversation_is_deleted,
    edges_are_equal_on_every_code_path,
);

const MESSAGES: &str = "query($id: ID!, $after: String, $before: String) { conversation(id: $id) {
    messages(first: 100, after: $after, before: $before) { edges { cursor node { id content status } } } } }";

/// The edges of a conversation's messages.
async fn messages(client: &Client, conversation: &str, range: Value) -> Vec<Value> {
    let mut variables = range;
    variables["id"] = json!(conversation);
    let data = client.data(MESSAGES, variables).await;
    data["conversation"]["messages"]["edges"].as_array().unwrap().clone()
}

async fn mutations_answer_with_edges_of_the_connection_of_messages(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    ada.append(&conversation, "zero").await;
    let edge = "cursor node { id content status }";
    let append = format!(
        "mutation($input: AppendMessageInput!) {{ appendMessage(input: $input) {{ messageEdge {{ {edge} }} }} }}"
    );
    let id = "0197a1b2-0000-7000-8000-00000000e0e0";
    let input = json!({ "conversationId": conversation, "id": id, "role": "USER", "content": "one" });
    let mut edges = Vec::new();
    // A repeat answers with the same edge.
    for _ in 0..2 {
        let data = ada.data(&append, json!({ "input": input })).await;
        edges = vec![data["appendMessage"]["messageEdge"].clone()];
    }
    let append_many = format!(
        "mutation($input: AppendMessagesInput!) {{ appendMessages(input: $input) {{ messageEdges {{ {edge} }} messages {{ id }} }} }}"
    );
    let turn = json!([{ "role": "USER", "content": "two" }, { "role": "ASSISTANT", "status": "STREAMING", "content": "thr" }]);
    let data = ada
        .data(&append_many, json!({ "input": { "conversationId": conversation, "messages": turn } }))
        .await;
    let payload = &data["appendMessages"];
    edges.extend(payload["messageEdges"].as_array().unwrap().clone());
    let ids = |list: &[Value]| list.iter().map(|edge| edge["node"]["id"].clone()).collect::<Vec<_>>();
    let appended: Vec<_> =
        payload["messages"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    assert_eq!(ids(&edges[1..]), appended);
    assert_eq!(messages(&ada, &conversation, json!({})).await[1..], edges);
    // Pages continue from each of them, in both directions.
    for (at, edge) in edges.iter().enumerate() {
        let after = messages(&ada, &conversation, json!({ "after": edge["cursor"] })).await;
        assert_eq!(after, edges[at + 1..]);
        let before = messages(&ada, &conversation, json!({ "before": edge["cursor"] })).await;
        assert_eq!(before[1..], edges[..at]);
    }
    // What changes a message answers with the edge as it is now.
    let finish = format!(
        "mutation($id: ID!) {{ finishMessage(input: {{ messageId: $id, status: COMPLETE }}) {{ messageEdge {{ {edge} }} }} }}"
    );
    let data = ada.data(&finish, json!({ "id": appended[1] })).await;
    edges[2] = data["finishMessage"]["messageEdge"].clone();
    let update = format!(
        "mutation($id: ID!) {{ updateMessage(input: {{ id: $id, content: \"deux\" }}) {{ messageEdge {{ {edge} }} }} }}"
    );
    let data = ada.data(&update, json!({ "id": appended[0] })).await;
    edges[1] = data["updateMessage"]["messageEdge"].clone();
    assert_eq!(
        (&edges[1]["node"]["content"], &edges[2]["node"]["status"]),
        (&json!("deux"), &json!("COMPLETE"))
    );
    assert_eq!(messages(&ada, &conversation, json!({})).await[1..], edges);
}

async fn creations_answer_with_edges_of_the_list_in_each_order(app: TestApp) {
    let ada = app.client("ada");
    let create = "mutation($title: String, $order: ConversationOrder) {
        createConversation(input: { title: $title }) { conversationEdge(orderBy: $order) { cursor node { title } } } }";
    let list = "query($order: ConversationOrder, $after: String, $before: String) {
        conversations(orderBy: $order, after: $after, before: $before) { edges { cursor node { title } } } }";
    let edges = |data: Value| data["conversations"]["edges"].as_array().unwrap().clone();
    let orders = ["UPDATED_AT", "CREATED_AT"]
        .into_iter()
        .flat_map(|field| ["DESC", "ASC"].map(|direction| json!({ "field": field, "direction": direction })));
    // Without an order: that of the list without an order.
    for (at, order) in orders.chain([Value::Null]).enumerate() {
        for _ in 0..2 {
            ada.new_conversation().await;
        }
        let data = ada.data(create, json!({ "title": format!("c{at}"), "order": order })).await;
        let edge = &data["createConversation"]["conversationEdge"];
        assert_eq!(edge["node"]["title"], format!("c{at}"));
        ada.new_conversation().await;
        let all = edges(ada.data(list, json!({ "order": order })).await);
        let place = all.iter().position(|other| other == edge).expect("the list has the same edge");
        let after = edges(ada.data(list, json!({ "order": order, "after": edge["cursor"] })).await);
        let before = edges(ada.data(list, json!({ "order": order, "before": edge["cursor"] })).await);
        assert_eq!((after.as_slice(), before.as_slice()), (&all[place + 1..], &all[..place]), "{order}");
        assert!(!after.is_empty() && !before.is_empty());
    }
}

async fn changes_have_edges_until_the_conversation_is_deleted(app: TestApp) {
    let ada = app.client("ada");
    let selected =
        "__typename ... on MessageAdded { messageEdge { cursor node { id content status } } message { id } }
        ... on ConversationCreated { conversationEdge { cursor node { id } } }";
    let query = format!("{{ changes {{ nodes {{ {selected} }} }} }}");
    let mut socket = app.socket("ada").await;
    let start = ada.data("{ changes { endCursor } }", json!({})).await["changes"]["endCursor"].clone();
    let follow = format!("subscription($after: String) {{ changes(after: $after) {{ {selected} }} }}");
    socket.subscribe("s", &follow, json!({ "after": start })).await;
    let conversation = ada.new_conversation().await;
    let list = ada.data("{ conversations { edges { cursor node { id } } } }", json!({})).await;
    let message = ada.append(&conversation, "one").await["id"].clone();
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(socket.receive().await["payload"]["data"]["changes"].clone());
    }
    let edges = messages(&ada, &conversation, json!({})).await;
    let added =
        json!({ "__typename": "MessageAdded", "messageEdge": edges[0], "message": { "id": message } });
    assert_eq!(told[1], added);
    assert_eq!(told[0]["conversationEdge"]["node"]["id"], conversation.as_str());
    let created = &list["conversations"]["edges"][0];
    let nodes = ada.data(&query, json!({})).await["changes"]["nodes"].clone();
    assert_eq!(nodes[1], added);
    // The conversation moved to its new place when the message came.
    assert_ne!(nodes[0]["conversationEdge"]["cursor"], created["cursor"]);
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": conversation })).await;
    let nodes = ada.data(&query, json!({})).await["changes"]["nodes"].clone();
    assert_eq!((&nodes[0]["conversationEdge"], &nodes[1]["messageEdge"]), (&Value::Null, &Value::Null));
}

/// Plain selections are written in one walk, others by async-graphql, and subscriptions in a third way.
async fn edges_are_equal_on_every_code_path(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let plain = "cursor node { __typename id content position }";
    let loaded = "cursor node { __typename id content position parent { id } siblings { id } }";
    let mut socket = app.socket("ada").await;
    let start = ada.append(&conversation, "zero").await["id"].clone();
    let cursor = messages(&ada, &conversation, json!({})).await[0]["cursor"].clone();
    for (id, edge) in [("plain", plain), ("loaded", loaded)] {
        let follow = format!(
            "subscription($id: ID!, $after: String) {{ messageAdded(conversationId: $id, after: $after) {{ {edge} }} }}"
        );
        socket.subscribe(id, &follow, json!({ "id": conversation, "after": cursor })).await;
    }
    let append = format!(
        "mutation($input: AppendMessagesInput!) {{ appendMessages(input: $input) {{ plain: messageEdges {{ {plain} }}
            loaded: messageEdges {{ {loaded} }} plain2: messages {{ id }} loaded2: messages {{ id parent {{ id }} }} }} }}"
    );
    let input = json!({ "conversationId": conversation, "messages": [{ "role": "USER", "content": "one" }] });
    let payload = ada.data(&append, json!({ "input": input })).await["appendMessages"].clone();
    let without = |mut edge: Value| {
        let node = edge["node"].as_object_mut().unwrap();
        let (parent, siblings) = (node.remove("parent").unwrap(), node.remove("siblings").unwrap());
        assert_eq!((&parent["id"], siblings.as_array().unwrap().len()), (&start, 1));
        edge
    };
    let expected = payload["plain"][0].clone();
    assert_eq!(without(payload["loaded"][0].clone()), expected);
    assert_eq!(payload["plain2"], json!([{ "id": expected["node"]["id"] }]));
    assert_eq!(payload["loaded2"], json!([{ "id": expected["node"]["id"], "parent": { "id": start } }]));
    for _ in 0..2 {
        let event = socket.receive().await;
        let edge = event["payload"]["data"]["messageAdded"].clone();
        assert_eq!(if event["id"] == "plain" { edge } else { without(edge) }, expected);
    }
    let two = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) {
        message { id } messageEdge { cursor node { id position } } messageEdge { node { content } } } }";
    let input = json!({ "conversationId": conversation, "role": "USER", "content": "two" });
    let payload = ada.data(two, json!({ "input": input })).await["appendMessage"].clone();
    assert_eq!(payload["messageEdge"]["node"]["id"], payload["message"]["id"]);
    assert_eq!(
        (&payload["messageEdge"]["node"]["position"], &payload["messageEdge"]["node"]["content"]),
        (&json!(3), &json!("two"))
    );
    // A payload without an edge is what it was.
    let input = json!({ "conversationId": conversation, "role": "USER", "content": "three" });
    let payload = ada.data(APPEND, json!({ "input": input })).await["appendMessage"].clone();
    assert_eq!(payload.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
}
