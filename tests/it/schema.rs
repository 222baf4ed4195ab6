//! The schema as it is published.

use std::collections::BTreeMap;

use scrollback::graphql::sdl;
use serde_json::{Value, json};

use crate::harness::{Engine, TestApp};

#[test]
fn the_committed_schema_is_current() {
    let committed = std::fs::read_to_string("schema.graphql").unwrap_or_default();
    assert!(committed == sdl(), "renew it with: cargo run -- schema > schema.graphql");
}

/// The types, fields, arguments, input fields and enum values without a description.
fn undescribed(types: &[Value]) -> Vec<String> {
    let mut undescribed = Vec::new();
    let mut check = |path: &str, value: &Value| {
        if value["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            undescribed.push(path.to_owned());
        }
    };
    // The specification defines the types of introspection and of five scalars.
    let standard = ["Boolean", "Float", "ID", "Int", "String"];
    for kind in types.iter().filter(|kind| !name(kind).starts_with("__") && !standard.contains(&name(kind))) {
        check(name(kind), kind);
        for key in ["fields", "inputFields", "enumValues"] {
            for member in list(kind, key) {
                let path = format!("{}.{}", name(kind), name(member));
                check(&path, member);
                for argument in list(member, "args") {
                    check(&format!("{path}({})", name(argument)), argument);
                }
            }
        }
    }
    undescribed
}

#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let mut types = types().await;
    assert_eq!(undescribed(&types), Vec::<String>::new());
    // The test notices every sort of thing that may lack one.
    let find = |types: &[Value], wanted: &str| types.iter().position(|kind| name(kind) == wanted).unwrap();
    let (change, query) = (find(&types, "Change"), find(&types, "Query"));
    let (role, input) = (find(&types, "Role"), find(&types, "AppendMessageInput"));
    types[change]["description"] = Value::Null;
    types[change]["fields"][0]["description"] = json!("");
    types[query]["fields"][1]["args"][0]["description"] = json!(" ");
    types[role]["enumValues"][0]["description"] = Value::Null;
    types[input]["inputFields"][0]["description"] = Value::Null;
    let mut found = undescribed(&types);
    found.sort();
    let expected =
        ["AppendMessageInput.conversationId", "Change", "Change.cursor", "Query.node(id)", "Role.USER"];
    assert_eq!(found, expected);
}

/// Code generators choose a type for a scalar by its specification.
#[tokio::test]
async fn the_scalars_of_the_schema_name_their_specifications() {
    let types = types().await;
    let scalars = types.iter().filter(|kind| kind["kind"] == "SCALAR" && !kind["specifiedByURL"].is_null());
    let scalars: Vec<_> =
        scalars.map(|kind| (name(kind), kind["specifiedByURL"].as_str().unwrap())).collect();
    let expected = [
        ("DateTime", "https://scalars.graphql.org/andimarek/date-time.html"),
        ("JSON", "https://www.rfc-editor.org/rfc/rfc8259"),
    ];
    assert_eq!(scalars, expected);
    for (name, url) in expected {
        assert!(sdl().contains(&format!("scalar {name} @specifiedBy(url: \"{url}\")")));
    }
    let all = types.iter().filter(|kind| kind["kind"] == "SCALAR").map(name);
    assert_eq!(all.collect::<Vec<_>>(), ["Boolean", "DateTime", "Float", "ID", "Int", "JSON", "String"]);
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
