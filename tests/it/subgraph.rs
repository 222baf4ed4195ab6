//! Scrollback as a subgraph of Apollo Federation.

mod requests;

use std::process::Stdio;

use reqwest::Method;
use scrollback::graphql::subgraph_sdl;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Client, Engine, TestApp, on_each_database, run_script_with, with_row_level_security};

on_each_database!(
    a_gateway_plans_queries_over_both_subgraphs,
    entities_are_found_by_their_keys,
    entities_of_others_are_as_missing_ones,
    entities_of_one_type_are_read_in_one_statement,
);

with_row_level_security!(entities_are_found_by_their_keys, entities_of_others_are_as_missing_ones);

/// A server that is a subgraph.
async fn subgraph(engine: Engine) -> TestApp {
    TestApp::start_with(engine, &[("federation.enabled", "true")]).await
}

const ENTITIES: &str = "query($representations: [_Any!]!) { _entities(representations: $representations) {
  __typename
  ... on Conversation { id title }
  ... on Message { id content }
  ... on Attachment { id byteSize }
  ... on Viewer { id conversationCount }
} }";

/// A reference to an entity.
fn reference(name: &str, id: impl Into<Value>) -> Value {
    json!({ "__typename": name, "id": id.into() })
}

async fn entities(client: &Client, representations: Value) -> Value {
    client.data(ENTITIES, json!({ "representations": representations })).await["_entities"].take()
}

/// The ids of a conversation, its message, and an attachment.
async fn something(client: &Client) -> [String; 3] {
    let conversation = client.new_conversation().await;
    let message = client.append(&conversation, "Hello").await["id"].as_str().unwrap().to_owned();
    let attachment = crate::attachments::attach(client, b"Hello").await;
    [conversation, message, attachment]
}

async fn a_gateway_plans_queries_over_both_subgraphs(app: TestApp) {
    // As in production: a gateway does not need introspection.
    let off = [("federation.enabled", "true"), ("server.introspection", "off")];
    let app = TestApp::start_with(app.engine, &off).await;
    let bob = app.client("bob");
    run_script_with(&app, "subgraph.mjs", &[("STRANGER_TOKEN", bob.token())]).await;
}

async fn entities_are_found_by_their_keys(app: TestApp) {
    let app = subgraph(app.engine).await;
    let ada = app.client("ada");
    let [conversation, message, attachment] = something(&ada).await;
    let nowhere = "0197a1b2-0000-7000-8000-000000000001";
    let found = [
        json!({ "__typename": "Message", "id": message, "content": "Hello" }),
        json!({ "__typename": "Conversation", "id": conversation, "title": null }),
        json!({ "__typename": "Viewer", "id": "ada", "conversationCount": 1 }),
        json!({ "__typename": "Attachment", "id": attachment, "byteSize": 5 }),
    ];
    let references = json!([
        reference("Message", &*message),
        reference("Conversation", &*conversation),
        reference("Viewer", "ada"),
        reference("Attachment", &*attachment),
        // The key of another type, and no key.
        reference("Message", &*conversation),
        reference("Attachment", nowhere),
        reference("Message", &*message),
        // A gateway may send fields that the subgraph does not need.
        { "__typename": "Conversation", "id": conversation, "title": "not read", "size": 1e300, "more": [null] },
    ]);
    let expected = json!([found[0], found[1], found[2], found[3], null, null, found[0], found[1]]);
    assert_eq!(entities(&ada, references).await, expected);
    assert_eq!(entities(&ada, json!([])).await, json!([]));
    // One representation is coerced to a list. Values in a document do as well as variables.
    assert_eq!(entities(&ada, reference("Viewer", "ada")).await, json!([found[2]]));
    let document = "query($id: ID!) { _entities(representations: [{ __typename: \"Message\", id: $id }]) { __typename } }";
    let data = ada.data(document, json!({ "id": message })).await;
    assert_eq!(data, json!({ "_entities": [{ "__typename": "Message" }] }));
    // An id that is a number stands for its digits.
    let number = entities(&app.client("7"), json!([reference("Viewer", 7)])).await;
    assert_eq!(number[0]["id"], "7");
    let variables = json!({ "representations": [reference("Viewer", "ada")] }).to_string();
    let request =
        ada.request(Method::GET, "/graphql").query(&[("query", ENTITIES), ("variables", variables.as_str())]);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["_entities"], json!([found[2]]));
}

/// Also for a back end, which has the rights of the user that it acts for.
async fn entities_of_others_are_as_missing_ones(app: TestApp) {
    let app = subgraph(app.engine).await;
    let [conversation, message, attachment] = something(&app.client("ada")).await;
    let references = json!([
        reference("Conversation", conversation),
        reference("Message", message),
        reference("Attachment", attachment),
        reference("Viewer", "ada"),
        reference("Viewer", "nobody"),
    ]);
    for client in [app.client("bob"), app.back_end().acting_for("bob"), app.back_end()] {
        let variables = json!({ "representations": references });
        let answer = client.run(ENTITIES, variables).await.body;
        assert_eq!(answer, json!({ "data": { "_entities": [null, null, null, null, null] } }));
    }
    let found = entities(&app.back_end().acting_for("ada"), references).await;
    let found: Vec<_> = found.as_array().unwrap().iter().map(|entity| &entity["__typename"]).collect();
    assert_eq!(json!(found), json!(["Conversation", "Message", "Attachment", "Viewer", null]));
}

async fn entities_of_one_type_are_read_in_one_statement(app: TestApp) {
    let app = subgraph(app.engine).await;
    let ada = app.client("ada");
    let create = "mutation { createConversation(input: { messages: [{ role: USER, content: \"Hi\" }] }) { conversation { id head { id } } } }";
    let (mut conversations, mut messages) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let created = ada.data(create, json!({})).await["createConversation"]["conversation"].take();
        conversations.push(reference("Conversation", created["id"].clone()));
        messages.push(reference("Message", created["head"]["id"].clone()));
    }
    let missing = |number| reference("Conversation", format!("0197a1b2-0000-7000-8000-{number:012}"));
    let many = conversations.iter().cloned().chain((0..970).map(missing)).collect::<Vec<_>>();
    let mixed = conversations.iter().chain(&messages).cloned().collect::<Vec<_>>();
    for (representations, statements) in [(many, 1), (messages, 1), (mixed, 2)] {
        let before = app.store.statements();
        let found = entities(&ada, json!(representations)).await;
        assert_eq!(app.store.statements() - before, statements);
        for (found, asked) in found.as_array().unwrap().iter().zip(&representations) {
            let is_there = !asked["id"].as_str().unwrap().starts_with("0197a1b2-0000");
            assert_eq!(found["id"], if is_there { asked["id"].clone() } else { Value::Null });
        }
    }
}

#[tokio::test]
async fn the_schema_can_be_read_while_introspection_is_off() {
    let settings = [("mode", "production"), ("federation.enabled", "true")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    let data = ada.data("{ _service { sdl } }", json!({})).await;
    assert_eq!(data, json!({ "_service": { "sdl": subgraph_sdl() } }));
    assert_eq!(ada.fault("{ __schema { queryType { name } } }", json!({})).await.0, "INTROSPECTION_DISABLED");
    assert_eq!(app.anonymous().fault("{ _service { sdl } }", json!({})).await.0, "UNAUTHENTICATED");
    let mut printed = Command::new(env!("CARGO_BIN_EXE_scrollback"));
    let printed = printed.args(["schema", "--federation"]).stderr(Stdio::inherit()).output().await.unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), subgraph_sdl());
}

#[tokio::test]
async fn the_schema_has_the_fields_of_a_subgraph_only_where_it_is_one() {
    let query = "{ __schema { types { name description
        possibleTypes { name } fields { name description args { name description } } } } }";
    let told = |app: TestApp| async move {
        app.client("ada").data(query, json!({})).await["__schema"]["types"].take()
    };
    let alone = told(TestApp::start(Engine::Sqlite).await).await;
    let mut federated = told(subgraph(Engine::Sqlite).await).await;
    // All that is more begins with an underscore, and is described.
    let mut more = Vec::new();
    let types = federated.as_array_mut().unwrap();
    for kind in types.iter_mut() {
        let name = kind["name"].as_str().unwrap().to_owned();
        if let Some(fields) = kind["fields"].as_array_mut().filter(|_| name == "Query") {
            more.extend(fields.extract_if(.., |field| field["name"].as_str().unwrap().starts_with('_')));
        }
    }
    let is_new = |kind: &mut Value| ["_Any", "_Entity", "_Service"].iter().any(|name| kind["name"] == *name);
    let new: Vec<_> = types.extract_if(.., is_new).collect();
    assert_eq!(federated, alone);
    let entity = new.iter().find(|kind| kind["name"] == "_Entity").unwrap();
    let members =
        entity["possibleTypes"].as_array().unwrap().iter().map(|kind| kind["name"].as_str().unwrap());
    for member in members {
        let head = format!("type {member} ");
        let line = subgraph_sdl().lines().find(|line| line.starts_with(&head)).unwrap().to_owned();
        assert!(line.contains("@key(fields: \"id\")"), "{line}");
    }
    assert_eq!(
        subgraph_sdl().matches("@key(fields").count(),
        entity["possibleTypes"].as_array().unwrap().len()
    );
    more.extend(new);
    let names: Vec<_> = more.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["_service", "_entities", "_Any", "_Entity", "_Service"]);
    let is_described = |one: &Value| !one["description"].as_str().unwrap_or_default().is_empty();
    assert!(more.iter().all(is_described), "{more:?}");
    let app = TestApp::start(Engine::Sqlite).await;
    for query in ["{ _service { sdl } }", "{ _entities(representations: []) { __typename } }"] {
        assert_eq!(app.client("ada").fault(query, json!({})).await.0, "GRAPHQL_VALIDATION_FAILED");
    }
}
