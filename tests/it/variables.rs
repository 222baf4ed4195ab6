//! Invalid variables: the whole request is rejected and nothing has run.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, EventStream, TestApp, on_each_database};

on_each_database!(
    an_invalid_variable_of_a_later_field_rejects_the_whole_request,
    every_transport_reports_the_same_error,
    a_condition_without_a_value_uses_its_default,
    a_condition_that_is_null_is_refused,
    an_object_whose_fields_are_all_skipped_is_empty,
);

async fn sent(client: &Client, query: &str, variables: &Value, accept: &str) -> (u16, Value) {
    let body = json!({ "query": query, "variables": variables });
    let request = client.request(Method::POST, "/graphql").header("accept", accept).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn an_invalid_variable_of_a_later_field_rejects_the_whole_request(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let query = "mutation($good: CreateConversationInput!, $bad: AppendMessageInput!) {
        createConversation(input: $good) { conversation { id } }
        appendMessage(input: $bad) { message { id } }
    }";
    let long = "long ".repeat(1000);
    for (bad, path) in [
        (json!({ "conversationId": id, "role": "USR", "content": "a" }), "$bad.role"),
        (json!({ "conversationId": id, "role": "USER", "content": 7 }), "$bad.content"),
        (json!({ "conversationId": id, "role": "USER", "contents": long }), "$bad.contents"),
        (json!({ "conversationId": id, "content": "a" }), "$bad.role"),
        (json!({ "conversationId": null, "role": "USER", "content": "a" }), "$bad.conversationId"),
        (json!({ "conversationId": id, "role": long, "content": "a" }), "$bad.role"),
        (
            json!({ "conversationId": id, "role": "USER", "parts": [{ "text": { "text": [long] } }] }),
            "$bad.parts[0].text.text",
        ),
        (json!({ "conversationId": id, "role": "USER", "parts": [{}] }), "$bad.parts[0]"),
        (json!([]), "$bad"),
        (json!(null), "$bad"),
    ] {
        let variables = json!({ "good": { "title": "must not be" }, "bad": bad });
        for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
            let (answered, body) = sent(&ada, query, &variables, accept).await;
            assert_eq!((answered, body.get("data")), (status, None), "{body}");
            let error = &body["errors"][0];
            assert_eq!(error["extensions"], json!({ "code": "BAD_USER_INPUT", "argument": path }), "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("`{path}` ")) && message.len() < 200, "{message}");
            assert!(!message.contains("long long"), "{message}");
        }
    }
    let data = ada.data("{ conversations { nodes { id messageCount } } }", json!({})).await;
    assert_eq!(data["conversations"]["nodes"], json!([{ "id": id, "messageCount": 0 }]));
    let good = json!({ "conversationId": id, "role": "USER", "content": "a" });
    ada.data(query, json!({ "good": { "title": "may be" }, "bad": good })).await;
}

async fn every_transport_reports_the_same_error(app: TestApp) {
    let ada = app.client("ada");
    let query = "query($first: Int) { conversations(first: $first) { nodes { id } } }";
    let told = json!("`$first` must be an Int: a whole number of 32 bits");
    for wrong in [json!("10"), json!(1.5), json!(1_u64 << 40), json!([10, 11]), json!({})] {
        let variables = json!({ "first": wrong });
        let (_, body) = sent(&ada, query, &variables, "application/json").await;
        assert_eq!(body["errors"][0]["message"], told, "{wrong}");
        let mut stream = EventStream::open(&ada, query, variables.clone(), None).await;
        assert_eq!(stream.next().await.unwrap().data["errors"][0]["message"], told);
        let mut socket = app.socket("ada").await;
        socket.subscribe("q", query, variables).await;
        let message = socket.receive().await;
        assert_eq!((&message["type"], &message["payload"][0]["message"]), (&json!("error"), &told));
    }
    let mut socket = app.socket("ada").await;
    let follow = "subscription($id: ID!) { messageAdded(conversationId: $id) { cursor } }";
    socket.subscribe("s", follow, json!({ "id": { "not": "an id" } })).await;
    let message = socket.receive().await;
    assert_eq!(message["payload"][0]["extensions"]["argument"], "$id");
    // Variables that no definition names are nobody's.
    let extra = json!({ "first": 1, "other": { "any": [1] } });
    assert_eq!(sent(&ada, query, &extra, "application/json").await.1["errors"], Value::Null);
}

async fn a_condition_without_a_value_uses_its_default(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "a").await;
    let conditions =
        "position @include(if: $yes) role @skip(if: $yes) status @include(if: $no) content @skip(if: $no)";
    let whole = json!({ "position": 1, "content": "a" });
    let opposite = json!({ "role": "USER", "status": "COMPLETE" });
    for variables in
        ["$yes: Boolean! = true, $no: Boolean! = false", "$yes: Boolean = true, $no: Boolean = false"]
    {
        for (fields, fragment) in [
            // A list that is written in one walk, fields of an object, and both kinds of fragments.
            (format!("messages {{ nodes {{ {conditions} }} }}"), String::new()),
            (format!("head {{ {conditions} }}"), String::new()),
            (format!("head {{ ... on Message {{ {conditions} }} }}"), String::new()),
            ("head { ...F }".into(), format!("fragment F on Message {{ {conditions} }}")),
            (format!("head @include(if: $yes) {{ {conditions} }} title @skip(if: $yes)"), String::new()),
        ] {
            let query =
                format!("query($id: ID!, {variables}) {{ conversation(id: $id) {{ {fields} }} }} {fragment}");
            let asked = async |given: Value| {
                let mut conversation = ada.data(&query, given).await["conversation"].take();
                match conversation.get("messages") {
                    Some(messages) => messages["nodes"][0].clone(),
                    None => conversation["head"].take(),
                }
            };
            assert_eq!(asked(json!({ "id": id })).await, whole, "{query}");
            assert_eq!(asked(json!({ "id": id, "yes": true })).await, whole, "{query}");
            if !fields.contains("title") {
                assert_eq!(asked(json!({ "id": id, "yes": false, "no": true })).await, opposite, "{query}");
            }
        }
    }
    // Subscriptions too.
    let follow = "subscription($id: ID!, $yes: Boolean = true) {
      messageAdded(conversationId: $id) { node { content @include(if: $yes) role @skip(if: $yes) } }
    }";
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", follow, json!({ "id": id })).await;
    socket.settle().await;
    ada.append(&id, "b").await;
    let message = socket.receive().await;
    assert_eq!(message["payload"]["data"]["messageAdded"]["node"], json!({ "content": "b" }));
}

async fn a_condition_that_is_null_is_refused(app: TestApp) {
    let ada = app.client("ada");
    for (definition, selection, code) in [
        // A variable that may be null may not stand there: §5.8.5.
        ("$if: Boolean", "viewer { id @include(if: $if) }", "GRAPHQL_VALIDATION_FAILED"),
        ("$if: Boolean!", "viewer { id @include(if: $if) }", "BAD_USER_INPUT"),
        // With a default it may, and may be null all the same.
        ("$if: Boolean = true", "viewer { id @include(if: $if) }", "BAD_USER_INPUT"),
        ("$if: Boolean = false", "viewer { id @skip(if: $if) }", "BAD_USER_INPUT"),
        ("$if: Boolean = true", "viewer @include(if: $if) { id }", "BAD_USER_INPUT"),
        ("$if: Boolean = true", "... @include(if: $if) { viewer { id } }", "BAD_USER_INPUT"),
        ("$if: Boolean = true", "viewer { ...F @include(if: $if) }", "BAD_USER_INPUT"),
        ("$if: Boolean = true", "viewer { ...G }", "BAD_USER_INPUT"),
    ] {
        let fragment = match selection {
            _ if selection.contains("...F") => "fragment F on Viewer { id }",
            _ if selection.contains("...G") => "fragment G on Viewer { ... { id @skip(if: $if) } }",
            _ => "",
        };
        let query = format!("query({definition}) {{ {selection} }} {fragment}");
        for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
            let (answered, body) = sent(&ada, &query, &json!({ "if": null }), accept).await;
            assert_eq!((answered, body.get("data")), (status, None), "{query}: {body}");
            assert_eq!(body["errors"][0]["extensions"]["code"], code, "{query}: {body}");
        }
    }
}

async fn an_object_whose_fields_are_all_skipped_is_empty(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    ada.append(&id, "a").await;
    for (query, expected) in [
        ("messages { nodes { id @skip(if: true) } }", json!({ "messages": { "nodes": [{}] } })),
        (
            "messages { edges { node { id @include(if: false) } } }",
            json!({ "messages": { "edges": [{ "node": {} }] } }),
        ),
        ("messages { edges { cursor @skip(if: true) } }", json!({ "messages": { "edges": [{}] } })),
        ("head { ... on Message @skip(if: true) { id } }", json!({ "head": {} })),
    ] {
        let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {query} }} }}");
        assert_eq!(ada.data(&query, json!({ "id": id })).await["conversation"], expected, "{query}");
    }
    let list =
        "{ conversations { nodes { head { id @skip(if: true) } } edges { node { id @skip(if: true) } } } }";
    let expected = json!({ "conversations": { "nodes": [{ "head": {} }], "edges": [{ "node": {} }] } });
    assert_eq!(ada.data(list, json!({})).await, expected);
    let follow =
        "subscription($id: ID!) { messageAdded(conversationId: $id) { node { id @skip(if: true) } } }";
    let mut socket = app.socket("ada").await;
    socket.subscribe("s", follow, json!({ "id": id })).await;
    socket.settle().await;
    ada.append(&id, "b").await;
    assert_eq!(socket.receive().await["payload"]["data"], json!({ "messageAdded": { "node": {} } }));
}
