//! What a gateway may send: representations, their limits, and the documents that are allowed.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ENTITIES, entities, reference, subgraph};
use crate::harness::{Engine, TestApp};

/// An invalid representation is an error of its own, so that it does not take the others with it.
#[tokio::test]
async fn an_invalid_representation_is_named_and_the_others_are_answered() {
    let app = subgraph(Engine::Sqlite).await;
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let is_object = "must be an object with `__typename` and `id`";
    let is_type = "must be Conversation, Message, Attachment or Viewer";
    let is_id = "must be an ID: a string or a whole number";
    let cases = [
        (json!("Conversation"), "", is_object),
        (json!([reference("Viewer", "ada")]), "", is_object),
        (json!(7), "", is_object),
        (json!({}), ".__typename", "must be the name of a type"),
        (json!({ "id": conversation }), ".__typename", "must be the name of a type"),
        (reference("Query", "1"), ".__typename", is_type),
        (reference("conversation", &*conversation), ".__typename", is_type),
        (json!({ "__typename": 1, "id": conversation }), ".__typename", "must be the name of a type"),
        (json!({ "__typename": "Message" }), ".id", "must be given"),
        (json!({ "__typename": "Viewer", "id": null }), ".id", "must be given"),
        (reference("Viewer", true), ".id", is_id),
        (reference("Viewer", json!(["ada"])), ".id", is_id),
        (reference("Viewer", 1.5), ".id", is_id),
        (reference("Conversation", "1"), ".id", "must be a UUID"),
        (reference("Message", 1), ".id", "must be a UUID"),
        (reference("Attachment", conversation.replace('-', "")), ".id", "must be a UUID"),
    ];
    let mut representations: Vec<_> =
        cases.iter().map(|(representation, _, _)| representation.clone()).collect();
    representations.push(reference("Conversation", &*conversation));
    let answer = ada.run(ENTITIES, json!({ "representations": representations })).await.body;
    let found = answer["data"]["_entities"].as_array().unwrap();
    assert!(found[..cases.len()].iter().all(Value::is_null), "{answer}");
    assert_eq!(found[cases.len()]["id"], conversation.as_str());
    let mut errors = answer["errors"].as_array().unwrap().clone();
    errors.sort_by_key(|error| error["path"][1].as_u64());
    assert_eq!(errors.len(), cases.len());
    for (at, (error, (_, field, rule))) in errors.iter().zip(&cases).enumerate() {
        let argument = format!("representations[{at}]{field}");
        assert_eq!(error["message"], format!("`{argument}` {rule}"));
        assert_eq!(error["path"], json!(["_entities", at]));
        assert_eq!(error["extensions"], json!({ "code": "BAD_USER_INPUT", "argument": argument }));
    }
    let null = ada.run(ENTITIES, json!({ "representations": [null] })).await.body;
    let error = &null["errors"][0];
    assert_eq!(error["message"], "`$representations[0]` must not be null: its type is `_Any!`");
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn only_so_many_representations_are_allowed() {
    let app = subgraph(Engine::Sqlite).await;
    let ada = app.client("ada");
    let absent = "0197a1b2-0000-7000-8000-000000000001";
    let entities_of = |count: usize| json!(vec![reference("Conversation", absent); count]);
    assert_eq!(entities(&ada, entities_of(1000)).await.as_array().unwrap().len(), 1000);
    let fault = ada.fault(ENTITIES, json!({ "representations": entities_of(1001) })).await;
    let message = "`representations` must be at most 1000 (`federation.representations`), are 1001";
    assert_eq!(fault, ("BAD_USER_INPUT".into(), message.into()));
    let settings = [("federation.enabled", "true"), ("federation.representations", "2")];
    let ada = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = ada.client("ada");
    assert_eq!(entities(&ada, entities_of(2)).await.as_array().unwrap().len(), 2);
    assert_eq!(ada.fault(ENTITIES, json!({ "representations": entities_of(3) })).await.0, "BAD_USER_INPUT");
}

/// Each costs what a list of this length costs, in variables and in the document.
#[tokio::test]
async fn entities_cost_as_a_list_of_their_number() {
    let app = subgraph(Engine::Sqlite).await;
    let ada = app.client("ada");
    let cost = |document: String, count: usize| {
        let ada = ada.clone();
        async move {
            let variables = json!({ "all": vec![reference("Viewer", "ada"); count] });
            let answer = ada.run(&document, variables).await.body;
            let extensions = &answer["errors"][0]["extensions"];
            assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{answer}");
            (extensions["limit"].clone(), extensions["actual"].as_u64().unwrap())
        }
    };
    let of_variable = "query($all: [_Any!]!) { _entities(representations: $all) { ... on Conversation { messages(last: 50) { nodes { id } } } } }";
    assert_eq!(cost(of_variable.into(), 100).await, (json!("cost"), 100 * (1 + 1 + 50)));
    // Before they are counted by the resolver.
    let plain = "query($all: [_Any!]!) { _entities(representations: $all) { __typename } }";
    assert_eq!(cost(plain.into(), 6000).await, (json!("cost"), 6000));
    let literals = "{ __typename: \"Viewer\", id: 1 } ".repeat(60);
    let of_document = format!(
        "{{ _entities(representations: [{literals}]) {{ ... on Conversation {{ messages(last: 100) {{ nodes {{ id }} }} }} }} }}"
    );
    assert_eq!(cost(of_document, 0).await, (json!("cost"), 60 * (1 + 1 + 100)));
}

/// The limits of all requests bound how large representations are.
#[tokio::test]
async fn representations_are_only_so_large() {
    let settings = [("federation.enabled", "true"), ("limits.values", "1000")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    let large = json!([{ "__typename": "Viewer", "id": "ada", "more": vec![0; 1000] }]);
    let answer = ada.run(ENTITIES, json!({ "representations": large })).await.body;
    assert_eq!(answer["errors"][0]["extensions"]["limit"], "values", "{answer}");
    let larger = json!([{ "__typename": "Viewer", "id": "x".repeat(9 << 20) }]);
    let answer = ada.run(ENTITIES, json!({ "representations": larger })).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["errors"][0]["extensions"]["code"]),
        (413, &json!("PAYLOAD_TOO_LARGE"))
    );
    // A subject has at most 255 bytes, so nobody has this one.
    assert_eq!(entities(&ada, json!([reference("Viewer", "x".repeat(1 << 20))])).await, json!([null]));
}

/// A gateway's own documents can be trusted ones; others cannot be run then.
#[tokio::test]
async fn trusted_documents_may_use_the_fields_of_gateways() {
    let hash: String = Sha256::digest(ENTITIES).iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    std::fs::write(&path, json!({ hash: ENTITIES }).to_string()).unwrap();
    let path = path.display().to_string();
    let settings =
        [("federation.enabled", "true"), ("documents.only", "true"), ("documents.manifest", path.as_str())];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    assert_eq!(entities(&ada, json!([reference("Viewer", "ada")])).await[0]["id"], "ada");
    assert_eq!(ada.fault("{ _service { sdl } }", json!({})).await.0, "QUERY_NOT_IN_SAFELIST");
}
