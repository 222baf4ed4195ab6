use std::sync::LazyLock;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::schema::definitions;

static TYPES: LazyLock<InputTypes> = LazyLock::new(|| InputTypes::of_schema(&definitions()));

/// What is wrong with a value for a variable `$v` of a type.
fn wrong(of: &str, value: Option<Json>) -> Option<String> {
    let document = parse_query(format!("query($v: {of}) {{ a }}")).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else { panic!("one operation") };
    let mut given = Variables::from_json(value.map_or_else(|| json!({}), |value| json!({ "v": value })));
    TYPES.coerce(&operation.node.variable_definitions, &mut given).err().map(|invalid| invalid.to_string())
}

fn told(of: &str, value: &Json) -> String {
    wrong(of, Some(value.clone())).unwrap_or_else(|| panic!("{value} fits {of}"))
}

#[test]
fn valid_values_are_accepted() {
    let message =
        json!({ "conversationId": "x", "role": "USER", "content": "a", "metadata": { "any": [1, {}] } });
    for (of, value) in [
        ("Int", json!(null)),
        ("Int!", json!(-5)),
        ("Int!", json!(2_147_483_647)),
        ("Float!", json!(1)),
        ("Float!", json!(1.5)),
        ("String!", json!("")),
        ("Boolean!", json!(false)),
        ("ID!", json!("x")),
        ("ID!", json!(7)),
        ("DateTime!", json!("2026-11-21T09:30:00.123456Z")),
        ("JSON!", json!([1, "a", null, { "b": true }])),
        ("Role!", json!("ASSISTANT")),
        ("[ID!]!", json!(["a", 1])),
        ("[ID!]!", json!("a")),
        ("[ID]", json!([null])),
        ("[[Int]]", json!([[1], 2, null])),
        ("AppendMessageInput!", message),
        ("MessagePartInput!", json!({ "text": { "text": "a" } })),
        ("NoSuchType!", json!(1)),
    ] {
        assert_eq!(wrong(of, Some(value.clone())), None, "{of} {value}");
    }
    assert_eq!(wrong("Int", None), None);
    assert_eq!(wrong("Int! = 1", None), None);
}

#[test]
fn invalid_values_are_reported_with_path_and_rule() {
    let int = "`$v` must be an Int: a whole number of 32 bits";
    for value in
        [json!("1"), json!(1.5), json!(2_147_483_648_u64), json!(-2_147_483_649_i64), json!(true), json!({})]
    {
        assert_eq!(told("Int", &value), int);
    }
    for (of, value, expected) in [
        ("Int!", json!(null), "`$v` must not be null: its type is `Int!`"),
        ("Float", json!("1"), "`$v` must be a Float: a number"),
        ("String", json!(1), "`$v` must be a String"),
        ("String", json!(["a"]), "`$v` must be a String"),
        ("Boolean", json!("true"), "`$v` must be a Boolean: true or false"),
        ("ID", json!(1.5), "`$v` must be an ID: a string or a whole number"),
        ("ID", json!([1]), "`$v` must be an ID: a string or a whole number"),
        ("DateTime", json!("soon"), "`$v` must be a DateTime such as \"2026-11-21T09:30:00Z\""),
        ("Role", json!("BOSS"), "`$v` must be a value of the enum `Role`"),
        ("Role", json!("user"), "`$v` must be a value of the enum `Role`"),
        ("Role", json!(1), "`$v` must be a value of the enum `Role`"),
        ("[ID!]", json!(["a", null]), "`$v[1]` must not be null: its type is `ID!`"),
        ("[[Int]]", json!([[1], ["a"]]), "`$v[1][0]` must be an Int: a whole number of 32 bits"),
        ("AppendMessageInput", json!([]), "`$v` must be an object of the type `AppendMessageInput`"),
        (
            "AppendMessageInput",
            json!({ "role": "USER" }),
            "`$v.conversationId` must be given: its type is `ID!`",
        ),
        (
            "AppendMessageInput",
            json!({ "conversationId": "x", "role": "USER", "contents": "a" }),
            "`$v.contents` is no field of the type `AppendMessageInput`",
        ),
        (
            "AppendMessagesInput",
            json!({ "conversationId": "x", "messages": [{ "role": "USER" }, { "role": "CHIEF" }] }),
            "`$v.messages[1].role` must be a value of the enum `Role`",
        ),
        (
            "MessagePartInput",
            json!({}),
            "`$v` must have exactly one field of the type `MessagePartInput`, and that not null",
        ),
        (
            "MessagePartInput",
            json!({ "text": null }),
            "`$v` must have exactly one field of the type `MessagePartInput`, and that not null",
        ),
    ] {
        assert_eq!(told(of, &value), expected);
    }
    assert_eq!(wrong("Int!", None).unwrap(), "`$v` must be given: its type is `Int!`");
}

#[test]
fn errors_quote_no_values_and_shorten_names() {
    let secret = "hush ".repeat(1000);
    for of in ["Int", "Boolean", "Role", "DateTime", "AppendMessageInput", "[Int]"] {
        assert!(!told(of, &json!(secret)).contains("hush"), "{of}");
    }
    let name = "n".repeat(10_000);
    assert!(told("AppendMessageInput", &json!({ name: 1 })).len() < 200);
}

#[test]
fn every_scalar_of_the_schema_is_known() {
    let document = parse_schema(definitions()).unwrap();
    let scalars: Vec<_> = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(kind) if matches!(kind.node.kind, TypeKind::Scalar) => {
                Some(kind.node.name.node.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(scalars, ["DateTime", "JSON"], "teach `scalar` the new one");
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
        Just(json!("USER")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop_oneof![Just("role".to_owned()), Just("messages".to_owned()), ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_accepted_or_rejected(value in any_json()) {
        for of in ["AppendMessagesInput!", "CreateConversationInput", "[MessagePartInput!]!", "[[Int!]]"] {
            let _ = wrong(of, Some(value.clone()));
        }
    }
}
