//! Users cannot read or change data of other users.
//!
//! Every root field has a case in which another user requests ada's data, and data that does not exist: both
//! responses must be equal. Every field of the objects is tested by id. A field without a case fails the
//! test, so new fields cannot be forgotten.

mod cases;
mod plans;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use cases::{CASES, Target};

use crate::harness::{APPEND, Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    foreign_ids_are_indistinguishable_from_missing_ones,
    foreign_objects_are_unreachable_through_every_field,
    lists_contain_only_objects_of_their_owner,
    a_feed_contains_only_changes_of_its_owner,
    ids_in_use_are_conflicts_without_details,
    the_owner_comes_from_the_credentials_only,
);

with_row_level_security!(
    foreign_ids_are_indistinguishable_from_missing_ones,
    foreign_objects_are_unreachable_through_every_field,
    lists_contain_only_objects_of_their_owner,
    a_feed_contains_only_changes_of_its_owner,
    ids_in_use_are_conflicts_without_details,
);

/// Root fields that take nobody's id and answer with the caller's own; each has its own test below. And the schema,
/// which nobody owns.
const OWN: &[&str] = &[
    "Query.viewer",
    "Query.conversations",
    "Query.labels",
    "Query.changes",
    "Mutation.createConversation",
    "Mutation.createAttachment",
    "Subscription.changes",
    "Query._service",
];

/// Objects that have an owner, which are reached by id.
const OWNED: &[&str] = &["Conversation", "Message", "Attachment"];

async fn foreign_ids_are_indistinguishable_from_missing_ones(app: TestApp) {
    // With the fields of gateways.
    let app = TestApp::start_with(app.engine, &[("federation.enabled", "true")]).await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    let kept = "query($id: ID!) { node(id: $id) { ... on Attachment { id uploadedAt } } }";
    let attached = ada.data(kept, json!({ "id": target.attachment })).await;
    let before = everything(&ada).await;
    let covered: BTreeSet<&str> = CASES.iter().map(|case| case.0).chain(OWN.iter().copied()).collect();
    let roots = fields(&ada, &["Query", "Mutation", "Subscription"]).await;
    let all: BTreeSet<&str> = roots.keys().map(String::as_str).collect();
    assert_eq!(covered, all, "every root field has a case and every case a field");
    let nothing = Target::nothing();
    for (field, document, variables, code) in CASES {
        let answers = [&target, &nothing].map(|target| (target, variables(target)));
        let mut told = Vec::new();
        for (target, variables) in answers {
            let answer = if field.starts_with("Subscription") {
                let mut socket = app.socket("bob").await;
                socket.subscribe("s", document, variables).await;
                let answer = socket.receive().await;
                json!({ "errors": answer["payload"] })
            } else {
                bob.run(document, variables).await.body
            };
            let found = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
            assert_eq!(found, *code, "{field}: {answer}");
            told.push(target.hide(&answer));
        }
        assert_eq!(told[0], told[1], "{field}");
    }
    assert_eq!(everything(&ada).await, before, "and nothing has changed");
    assert_eq!(ada.data(kept, json!({ "id": target.attachment })).await, attached);
}

async fn foreign_objects_are_unreachable_through_every_field(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    for (field, is_object) in fields(&ada, OWNED).await {
        let (object, name) = field.split_once('.').unwrap();
        let document = format!("query($id: ID!) {{ node(id: $id) {{ {} }} }}", selection(&field, is_object));
        let id = match object {
            "Message" => &target.message,
            "Attachment" => &target.attachment,
            _ => &target.conversation,
        };
        let own = ada.data(&document, json!({ "id": id })).await;
        assert!(own["node"].get(name).is_some(), "{field}: {own}");
        assert_eq!(bob.data(&document, json!({ "id": id })).await, json!({ "node": null }), "{field}");
    }
}

async fn lists_contain_only_objects_of_their_owner(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    assert_eq!(bob.data("{ viewer { id } }", json!({})).await["viewer"]["id"], "bob");
    let list = "query($after: String) { conversations(after: $after) { nodes { id } edges { cursor } } }";
    let counts = "{ labels { label } viewer { conversationCount unreadConversationCount } }";
    let nothing = bob.data(counts, json!({})).await;
    assert_eq!(
        nothing,
        json!({ "labels": [], "viewer": { "conversationCount": 0, "unreadConversationCount": 0 } })
    );
    let own = bob.new_conversation().await;
    let data = bob.data(list, json!({})).await;
    assert_eq!(data["conversations"]["nodes"], json!([{ "id": own }]));
    let labelled = "{ conversations(filter: { label: \"ada's\" }) { nodes { id } }
        searchMessages(query: \"own\", filter: { labels: [\"ada's\"] }) { nodes { id } } }";
    assert_eq!(
        bob.data(labelled, json!({})).await,
        json!({ "conversations": { "nodes": [] }, "searchMessages": { "nodes": [] } })
    );
    // Ada's cursors are no places in bob's lists.
    let cursor = ada.data(list, json!({})).await["conversations"]["edges"][0]["cursor"].clone();
    assert_eq!(bob.fault(list, json!({ "after": cursor })).await.0, "BAD_USER_INPUT");
    let messages = "query($id: ID!, $after: String) { conversation(id: $id) { messages(after: $after) { nodes { id } edges { cursor } } } }";
    let data = ada.data(messages, json!({ "id": target.conversation })).await;
    let cursor = &data["conversation"]["messages"]["edges"][0]["cursor"];
    assert_eq!(bob.fault(messages, json!({ "id": own, "after": cursor })).await.0, "BAD_USER_INPUT");
    let mut socket = app.socket("bob").await;
    let follow = "subscription($id: ID!, $after: String) { messageAdded(conversationId: $id, after: $after) { cursor } }";
    for (id, code) in [(&own, "BAD_USER_INPUT"), (&target.conversation, "NOT_FOUND")] {
        socket.subscribe(code, follow, json!({ "id": id, "after": cursor })).await;
        let refused = socket.receive().await;
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{refused}");
    }
}

async fn a_feed_contains_only_changes_of_its_owner(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    let changes = "query($after: String) { changes(after: $after) { nodes { conversationId } endCursor } }";
    let follow = "subscription($after: String) { changes(after: $after) { conversationId } }";
    assert_eq!(bob.data(changes, json!({})).await["changes"]["nodes"], json!([]));
    let adas = ada.data(changes, json!({})).await;
    assert_eq!(adas["changes"]["nodes"].as_array().unwrap().len(), 3);
    let cursor = &adas["changes"]["endCursor"];
    assert_eq!(bob.fault(changes, json!({ "after": cursor })).await.0, "BAD_USER_INPUT");
    let start = bob.data(changes, json!({})).await["changes"]["endCursor"].clone();
    let mut socket = app.socket("bob").await;
    socket.subscribe("bad", follow, json!({ "after": cursor })).await;
    assert_eq!(socket.receive().await["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
    socket.subscribe("good", follow, json!({ "after": start })).await;
    ada.append(&target.conversation, "for ada only").await;
    let own = bob.new_conversation().await;
    assert_eq!(socket.receive().await["payload"]["data"]["changes"]["conversationId"], own.as_str());
}

async fn ids_in_use_are_conflicts_without_details(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    let before = everything(&ada).await;
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let told = ("CONFLICT".to_owned(), "the id has been used for something else".to_owned());
    assert_eq!(bob.fault(create, json!({ "input": { "id": target.conversation } })).await, told);
    let messages = json!([{ "id": target.message, "role": "USER", "content": "Hello" }]);
    assert_eq!(bob.fault(create, json!({ "input": { "messages": messages } })).await, told);
    let own = bob.new_conversation().await;
    let append = json!({ "conversationId": own, "id": target.message, "role": "USER", "content": "Hello" });
    assert_eq!(bob.fault(APPEND, json!({ "input": append })).await, told);
    assert_eq!(everything(&ada).await, before);
}

async fn the_owner_comes_from_the_credentials_only(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let target = adas(&ada).await;
    let body = json!({
        "query": "query($id: ID!) { viewer { id } node(id: $id) { id } }",
        "variables": { "id": target.conversation, "owner": "ada", "ownerId": "ada", "userId": "ada" },
        "owner": "ada",
        "viewer": "ada",
        "extensions": { "owner": "ada", "sub": "ada" },
    });
    let mut request = bob.request(reqwest::Method::POST, "/graphql?owner=ada&user=ada&sub=ada").json(&body);
    for header in
        ["x-user", "x-user-id", "x-owner", "x-forwarded-user", "x-remote-user", "remote-user", "cookie"]
    {
        request = request.header(header, "ada");
    }
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({ "data": { "viewer": { "id": "bob" }, "node": null } }));
    // The one header that does is for back ends, whose tokens say so.
    assert_eq!(bob.acting_for("ada").fault("{ viewer { id } }", json!({})).await.0, "FORBIDDEN");
    // No input has a field that names an owner.
    let query = "{ __schema { types { name inputFields { name } fields { name args { name } } } } }";
    let schema = ada.data(query, json!({})).await.to_string().to_lowercase();
    for word in ["\"owner", "\"user\"", "\"userid", "\"sub\"", "\"tenant", "\"onbehalf"] {
        assert!(!schema.contains(word), "{word}");
    }
}

/// A conversation of ada's with a message.
async fn adas(ada: &Client) -> Target {
    let conversation = ada.new_conversation().await;
    let label = "mutation($id: ID!) { updateConversation(input: { id: $id, labels: [\"ada's\"] }) { conversation { id } } }";
    ada.data(label, json!({ "id": conversation })).await;
    let message = ada.append(&conversation, "Ada's own").await["id"].as_str().unwrap().to_owned();
    let attachment = crate::attachments::attach(ada, b"Ada's own").await;
    Target { conversation, message, attachment }
}

/// All that a viewer has, as they see it.
async fn everything(client: &Client) -> Value {
    let query = "{ labels { label conversationCount } conversations { nodes { id title metadata createdAt updatedAt messageCount
        pinnedAt archivedAt trashedAt expiresAt labels readPosition unreadCount
        messages { nodes { id position role content metadata createdAt feedback { rating comment } } } } } }";
    client.data(query, json!({})).await
}

/// Selects a field, "Type.field", of any node.
fn selection(field: &str, is_object: bool) -> String {
    let (object, name) = field.split_once('.').unwrap();
    let selection = if is_object { "{ __typename }" } else { "" };
    let arguments = if name == "context" { "(maxTokens: 1000)" } else { "" };
    format!("... on {object} {{ {name}{arguments} {selection} }}")
}

/// The fields of some types, "Type.field", and whether each gives an object.
async fn fields(client: &Client, types: &[&str]) -> BTreeMap<String, bool> {
    let query = "{ __schema { types { name fields { name type { ...T } } } } }
        fragment T on __Type { kind ofType { kind ofType { kind ofType { kind } } } }";
    let data = client.data(query, json!({})).await;
    let mut fields = BTreeMap::new();
    for object in data["__schema"]["types"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        for field in object["fields"].as_array().into_iter().flatten().filter(|_| types.contains(&name)) {
            let kinds = field["type"].to_string();
            let is_object = ["OBJECT", "INTERFACE", "UNION"].iter().any(|kind| kinds.contains(kind));
            fields.insert(format!("{name}.{}", field["name"].as_str().unwrap()), is_object);
        }
    }
    assert!(!fields.is_empty());
    fields
}
