//! Introspection of the schema.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, TestApp};

/// Documents that ask for the schema: at first hand, by way of fragments, among other fields.
const ASKING: &[&str] = &[
    "{ __schema { queryType { name } } }",
    "{ __type(name: \"Query\") { name } }",
    "{ viewer { id } a: __schema { queryType { name } } }",
    "{ ...F } fragment F on Query { ...G } fragment G on Query { __schema { queryType { name } } }",
    "{ ... on Query { __type(name: \"Query\") { name } } }",
    "mutation { __schema { queryType { name } } }",
    "query A { viewer { id } } query B { __schema { queryType { name } } }",
];

/// Documents with a name that is nearly right.
const MISTYPED: &[&str] = &[
    "{ viewr { id } }",
    "{ viewer { idd } }",
    "{ conversation(di: 1) { id } }",
    "{ conversation(id: 1) { titel } }",
    "mutation { createConversations(input: {}) { conversation { id } } }",
    "mutation { createConversation(input: { titel: 1 }) { conversation { id } } }",
    "mutation { createConversation(inputs: {}) { conversation { id } } }",
    "mutation { appendMessage(input: { conversationId: 1, role: USR }) { message { id } } }",
    "query($o: ConversationOrdr) { conversations(orderBy: $o) { nodes { id } } }",
    "{ node(id: 1) { ... on Conversatio { id } } }",
    "{ viewer { id @inclde(if: true) } }",
    "subscription { change { cursor } }",
];

async fn error(client: &Client, query: &str) -> Value {
    let body = json!({ "query": query, "operationName": query.starts_with("query A").then_some("A") });
    let answer = client.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body.get("data"), None, "{query}");
    body["errors"][0].clone()
}

async fn page(client: &Client, path: &str) -> StatusCode {
    client.request(Method::GET, path).send().await.unwrap().status()
}

/// Checks that introspection, suggestions and the GraphiQL page are all on or all off.
async fn assert_told(app: &TestApp, told: bool) {
    let ada = app.client("ada");
    for path in ["/", "/graphiql"] {
        assert_eq!(page(&ada, path).await == StatusCode::OK, told, "{path}");
    }
    let answer = ada.run(ASKING[0], json!({})).await;
    assert_eq!(answer.body["data"]["__schema"]["queryType"]["name"] == "Query", told, "{answer:?}");
    let suggested = error(&ada, MISTYPED[0]).await["message"].as_str().unwrap().contains("viewer");
    assert_eq!(suggested, told);
}

#[tokio::test]
async fn production_does_not_expose_the_schema() {
    let app = TestApp::start_with(Engine::Sqlite, &[("mode", "production")]).await;
    let ada = app.client("ada");
    assert_told(&app, false).await;
    assert_eq!(page(&ada, "/graphiql/main.js").await, StatusCode::NOT_FOUND);
    for query in ASKING {
        let error = error(&ada, query).await;
        assert_eq!(error["extensions"]["code"], "INTROSPECTION_DISABLED", "{query}");
        assert!(error["message"].as_str().unwrap().contains("`server.introspection`"), "{error}");
    }
    for query in MISTYPED {
        let error = error(&ada, query).await;
        let message = error["message"].as_str().unwrap();
        assert!(!message.to_lowercase().contains("did you mean"), "{message}");
        for name in ["viewer", "conversationId", "createConversation", "title", "ConversationOrder", "USER"] {
            assert!(!message.contains(name) || query.contains(name), "{query}: {message}");
        }
    }
    // What objects are is no secret: clients' caches ask for it everywhere.
    assert_eq!(ada.data("{ __typename viewer { __typename } }", json!({})).await["__typename"], "Query");
}

#[tokio::test]
async fn the_introspection_setting_applies_in_every_mode() {
    assert_told(&TestApp::start(Engine::Sqlite).await, true).await;
    let off = [("server.introspection", "off")];
    assert_told(&TestApp::start_with(Engine::Sqlite, &off).await, false).await;
    let on = [("mode", "production"), ("server.introspection", "on")];
    assert_told(&TestApp::start_with(Engine::Sqlite, &on).await, true).await;
}
