//! The schema as it is published.

use std::collections::BTreeMap;

use scrollback::graphql::sdl;
use serde_json::{Value, json};

use crate::harness::{Engine, TestApp};

#[test]
fn the_committed_schema_is_the_codes() {
    let committed = std::fs::read_to_string("schema.graphql").unwrap_or_default();
    assert!(committed == sdl(), "renew it with: cargo run -- schema > schema.graphql");
}

/// Every type says what it is, in the words that GraphiQL and code generators show.
#[tokio::test]
async fn every_type_is_described() {
    let app = TestApp::start(Engine::Sqlite).await;
    let query = "{ __schema { types { name description } } }";
    let data = app.client("ada").data(query, json!({})).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    let silent = types.iter().filter(|kind| kind["description"].as_str().is_none_or(str::is_empty));
    let silent: Vec<_> = silent.map(|kind| kind["name"].as_str().unwrap()).collect();
    assert!(silent.iter().all(|name| name.starts_with("__") || *name == "ID"), "{silent:?}");
    assert!(types.len() > 50);
}

/// Everything that introspection says of the types.
async fn types() -> Vec<Value> {
    let query = "{ __schema { types { kind name description specifiedByURL possibleTypes { name }
        fields(includeDeprecated: true) { name description type { ...T }
            args(includeDeprecated: true) { name description defaultValue type { ...T } } }
        inputFields(includeDeprecated: true) { name description }
        enumValues(includeDeprecated: true) { name description } } } }
        fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    let app = TestApp::start(Engine::Sqlite).await;
    let mut data = app.client("ada").data(query, json!({})).await;
    let types = data["__schema"]["types"].as_array_mut().unwrap();
    assert!(types.len() > 50);
    std::mem::take(types)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

/// What differs between fields of one name, in the types that one selection may be of: a client that selects the
/// field in each of them needs no alias. <https://spec.graphql.org/September2025/#sec-Field-Selection-Merging>
fn differences(types: &[Value]) -> Vec<String> {
    let named: BTreeMap<&str, &Value> = types.iter().map(|kind| (name(kind), kind)).collect();
    let mut differences = Vec::new();
    for kind in types.iter().filter(|kind| kind["possibleTypes"].is_array()) {
        let mut seen: BTreeMap<&str, (Value, &str)> = BTreeMap::new();
        let members = list(kind, "possibleTypes").map(|member| named[name(member)]);
        for member in members.chain([kind]) {
            for field in list(member, "fields") {
                let arguments = list(field, "args")
                    .map(|argument| (name(argument), json!([argument["type"], argument["defaultValue"]])));
                let form =
                    json!({ "type": field["type"], "arguments": arguments.collect::<BTreeMap<_, _>>() });
                let (first, of) = seen.entry(name(field)).or_insert_with(|| (form.clone(), name(member)));
                if *first != form {
                    let field = name(field);
                    differences.push(format!("{}: {of}.{field} and {}.{field}", name(kind), name(member)));
                }
            }
        }
    }
    differences
}

#[tokio::test]
async fn fields_of_one_name_have_one_type_in_every_union_and_interface() {
    let mut types = types().await;
    assert_eq!(differences(&types), Vec::<String>::new());
    let abstract_types: Vec<_> =
        types.iter().filter(|kind| kind["possibleTypes"].is_array()).map(name).collect();
    assert_eq!(abstract_types, ["Change", "MessagePart", "Node"]);
    // The test notices a field that is nullable in one type only, and an argument that one type lacks.
    let source = types.iter_mut().find(|kind| kind["name"] == "SourceUrlPart").unwrap();
    let url =
        source["fields"].as_array_mut().unwrap().iter_mut().find(|field| field["name"] == "url").unwrap();
    url["type"] = url["type"]["ofType"].clone();
    assert_eq!(differences(&types), ["MessagePart: FilePart.url and SourceUrlPart.url"]);
    let node = types.iter_mut().find(|kind| kind["name"] == "Message").unwrap();
    let id = node["fields"].as_array_mut().unwrap().iter_mut().find(|field| field["name"] == "id").unwrap();
    id["args"] = json!([{ "name": "global", "type": { "name": "Boolean" } }]);
    assert_eq!(differences(&types)[1..], ["Node: Conversation.id and Message.id"]);
}
