use std::collections::BTreeSet;

use async_graphql::parser::types::{BaseType, TypeKind, TypeSystemDefinition};
use async_graphql::parser::{parse_query, parse_schema};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::config::Config;
use crate::graphql::schema::FIELD_SIZES;

fn limits() -> Limits {
    crate::app::limits(&Config::default())
}

/// What the limits say of a document and its variables. Whether it is valid does not matter.
fn prepare(query: &str, operation: Option<&str>, variables: Json, limits: &Limits) -> Result<(), Json> {
    let refused = |refusal: DocumentError| serde_json::to_value(&refusal.response().errors[0]).unwrap();
    limits.check_text(query).map_err(refused)?;
    let unreadable = |_| json!({ "extensions": { "code": "GRAPHQL_PARSE_FAILED" } });
    let document = parse_query(query).map_err(unreadable)?;
    limits.check_document(&document, FIELD_SIZES).map_err(refused)?;
    let mut operations = document.operations.iter();
    let named = operations
        .find(|(name, _)| operation.is_none() || name.map(async_graphql::Name::as_str) == operation);
    let Some((_, chosen)) = named else { return Ok(()) };
    let variables = Variables::from_json(variables);
    let size = VariablesSize::of(&variables);
    limits.check_operation(&document, &chosen.node, &variables, &size, FIELD_SIZES).map_err(refused)
}

/// The error of a document that is refused for its size: the limit's name and the figure.
fn refused(query: &str) -> (String, u64) {
    let error = prepare(query, None, json!({}), &limits()).unwrap_err();
    let extensions = &error["extensions"];
    assert_eq!(extensions["code"], "QUERY_TOO_COMPLEX", "{error}");
    (extensions["limit"].as_str().unwrap().to_owned(), extensions["actual"].as_u64().unwrap())
}

fn cost(query: &str, variables: Json) -> u64 {
    let free = Limits { cost: 1, ..limits() };
    let error = prepare(query, None, variables, &free).unwrap_err();
    assert_eq!(error["extensions"]["limit"], "cost", "{error}");
    error["extensions"]["actual"].as_u64().unwrap()
}

/// `{ …F0 }` where every fragment spreads the next one twice.
fn bomb(steps: usize) -> String {
    let next = |at: usize| format!(" fragment F{at} on Query {{ ...F{} ...F{} }}", at + 1, at + 1);
    let steps_text: String = (0..steps).map(next).collect();
    format!("{{ ...F0 }}{steps_text} fragment F{steps} on Query {{ __typename }}")
}

fn nested(open: &str, close: &str, times: usize) -> String {
    format!("{}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn documents_over_a_limit_are_rejected_with_limit_and_value() {
    let viewer = |count: usize, selection: &str| format!("{{ viewer {{ {} }} }}", selection.repeat(count));
    let deep = |times| format!("{{ {}id{} }}", "a { ".repeat(times), " }".repeat(times));
    let introspection =
        |times| format!("{{ __schema {{ {}id{} }} }}", "a { ".repeat(times), " }".repeat(times));
    let fragments =
        |count| (0..count).map(|at| format!("fragment F{at} on Viewer {{ id }} ")).collect::<String>();
    let declared = |count| (0..count).map(|at| format!("$v{at}: Int ")).collect::<String>();
    for (limit, over, fits) in [
        ("document_bytes", format!("{{a}}{}", " ".repeat(16_382)), format!("{{a}}{}", " ".repeat(16_381))),
        ("tokens", format!("{{{}}}", "a ".repeat(1999)), String::new()),
        (
            "nesting",
            format!("{{ a(b: {}) }}", nested("[", "]", 63)),
            format!("{{ a(b: {}) }}", nested("[", "]", 62)),
        ),
        ("nesting", format!("query($a: {}) {{ a }}", nested("[", "]", 64)), String::new()),
        ("fragments", format!("{{a}} {}", fragments(51)), format!("{{a}} {}", fragments(50))),
        ("aliases", viewer(31, "a: id "), viewer(30, "a: id ")),
        ("directives", viewer(17, "id @a @b @c "), viewer(25, "id @a @b ")),
        ("root_fields", format!("{{{}}}", "a ".repeat(21)), format!("{{{}}}", "a ".repeat(20))),
        (
            "root_fields",
            format!("{{ ...F ...F ...F }} fragment F on Q {{ {} }}", "a ".repeat(7)),
            String::new(),
        ),
        ("variables", format!("query({}) {{a}}", declared(101)), format!("query({}) {{a}}", declared(100))),
        ("depth", deep(12), deep(11)),
        ("introspection_depth", introspection(14), introspection(13)),
        (
            "introspection_lists",
            "{ __schema { types { fields { type { fields { type { interfaces { name } } } } } } } }".into(),
            "{ __schema { types { fields { type { fields { type { name } } } } } } }".into(),
        ),
        ("selections", viewer(1000, "id "), viewer(999, "id ")),
    ] {
        let maximum: u64 = match limit {
            "document_bytes" => 16_384,
            "tokens" => 2000,
            "nesting" => 64,
            "fragments" | "directives" => 50,
            "aliases" => 30,
            "root_fields" => 20,
            "variables" => 100,
            "depth" => 12,
            "introspection_depth" => 15,
            "introspection_lists" => 2,
            _ => 1000,
        };
        assert_eq!(refused(&over), (limit.to_owned(), maximum + 1), "{over}");
        if !fits.is_empty() {
            assert_eq!(prepare(&fits, None, json!({}), &limits()), Ok(()), "{fits}");
        }
    }
}

/// What GraphiQL asks for the schema, with all of its options.
const INTROSPECTION: &str = "query IntrospectionQuery {
  __schema {
    description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) {
    name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef }
    isDeprecated deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
}
fragment TypeRef on __Type {
  kind name ofType { name kind ofType { name kind ofType { name kind ofType { name kind ofType { name kind
  ofType { name kind ofType { name kind ofType { name kind ofType { name kind } } } } } } } } }
}";

#[test]
fn typical_documents_are_accepted() {
    let decorated = "query Page($first: Int, $after: String) {
      conversations(first: $first, after: $after) {
        nodes { id title head { id content __typename } __typename }
        edges { cursor node { ...Card __typename } __typename }
        pageInfo { endCursor hasNextPage __typename } __typename
      }
    }
    fragment Card on Conversation {
      id messages(last: 3) { nodes { id role content __typename } __typename } __typename
    }";
    for query in [INTROSPECTION, decorated, "{ __typename }", "{ __type(name: \"Query\") { name } }"] {
        assert_eq!(prepare(query, None, json!({ "first": 20 }), &limits()), Ok(()), "{query}");
    }
    // Half of what is allowed, so that the schema and the clients may grow.
    let half = |limit: u32| limit / 2;
    let all = limits();
    let roomy =
        Limits { tokens: half(all.tokens), selections: half(all.selections), cost: half(all.cost), ..all };
    assert_eq!(prepare(INTROSPECTION, None, json!({}), &roomy), Ok(()));
}

#[test]
fn errors_name_what_exceeds_the_limit() {
    let error = prepare(&format!("{{{}}}", "a ".repeat(1999)), None, json!({}), &limits()).unwrap_err();
    let expected = json!({
        "message": "the document has 2001 tokens, at most 2000 are allowed",
        "extensions": { "code": "QUERY_TOO_COMPLEX", "limit": "tokens", "maximum": 2000, "actual": 2001 },
    });
    assert_eq!(error, expected);
    let endless = "{ ...A } fragment A on Query { ...A }";
    let error = prepare(endless, None, json!({}), &limits()).unwrap_err();
    assert_eq!(error["message"], "the fragment `A` spreads itself");
    assert_eq!(error["extensions"], json!({ "code": "GRAPHQL_VALIDATION_FAILED" }));
}

#[test]
fn fragment_bombs_are_measured_without_expansion() {
    assert_eq!(refused(&bomb(30)), ("selections".to_owned(), 3 * (1 << 30) - 1));
    let many = Limits { tokens: 10_000, fragments: 1000, nesting: 1000, ..limits() };
    for (steps, actual) in [(60, 3 * (1_u64 << 60) - 1), (300, u64::MAX)] {
        let error = prepare(&bomb(steps), None, json!({}), &many).unwrap_err();
        assert_eq!(
            (&error["extensions"]["limit"], &error["extensions"]["actual"]),
            (&json!("selections"), &json!(actual))
        );
    }
    // Unused fragments and operations that will not run are walked by validation all the same.
    let unused = bomb(30).replacen("{ ...F0 }", "{ viewer { id } }", 1);
    assert_eq!(refused(&unused).0, "selections");
    let other = bomb(30).replacen("{ ...F0 }", "query A { viewer { id } } query B { ...F0 }", 1);
    let error = prepare(&other, Some("A"), json!({}), &limits()).unwrap_err();
    assert_eq!(error["extensions"]["limit"], "selections");
}

#[test]
fn fragments_add_to_the_nesting_of_selections() {
    let step = |at: usize| format!("fragment F{at} on Query {{ ... {{ ... {{ ...F{} }} }} }} ", at + 1);
    let chain: String = (0..25).map(step).collect();
    let text = format!("{{ ...F0 }} {chain} fragment F25 on Query {{ __typename }}");
    assert_eq!(refused(&text), ("nesting".to_owned(), 76));
}

#[test]
fn a_page_costs_its_size_times_its_items() {
    let nested = "{ conversations(first: 20) {
      nodes { messages(last: 2) { nodes { content } } } edges { node { title } }
    } }";
    for (query, expected) in [
        ("{ viewer { id } conversation(id: 1) { id } }", 2),
        (nested, 121),
        ("{ conversations { nodes { id } } }", 21),
        ("{ conversations { nodes { messages { nodes { id } } } } }", 1 + 20 * (1 + 51)),
        ("{ conversations { edges { node { id } cursor } pageInfo { endCursor } } }", 42),
        ("{ changes { nodes { cursor } endCursor } }", 51),
        ("{ changes(first: 3) { nodes { cursor } } b: changes(first: 4) { nodes { cursor } } }", 9),
        ("{ nodes(ids: [1, 2, 3]) { id } }", 3),
        ("{ nodes(ids: [1, 2]) { ... on Conversation { messages(first: 9) { nodes { id } } } } }", 22),
        ("{ nodes(ids: 1) { ... on Conversation { head { id } } } }", 2),
        (
            "{ conversations(first: 10) { ...F } } fragment F on C { nodes { ...G } } fragment G on D { head { id } }",
            21,
        ),
        // The resolver refuses these sizes.
        ("{ conversations(first: 2147483647) { nodes { id } } }", 101),
        ("{ conversations(first: 0, last: -5) { nodes { id } } }", 2),
        ("{ conversations(first: 3, last: 7) { nodes { id } } }", 8),
        ("{ conversations(first: null) { nodes { id } } }", 21),
        ("subscription { changes { cursor ... on MessageAdded { message { id } } } }", 2),
        ("mutation { appendMessages(input: {}) { messages { id } } }", 51),
        ("mutation { appendMessages(input: {}) { messageEdges { node { id } cursor } } }", 101),
        ("mutation { appendMessage(input: {}) { messageEdge { node { id } cursor } } }", 3),
        ("{ __schema { types { name } queryType { name } } }", 3),
    ] {
        assert_eq!(cost(query, json!({})), expected, "{query}");
    }
    assert_eq!(prepare(nested, None, json!({}), &limits()), Ok(()));
}

#[test]
fn sizes_are_taken_from_variables() {
    let query = "query($n: Int = 7, $ids: [ID!] = [1, 2, 3]) {
      conversations(first: $n) { nodes { id } } nodes(ids: $ids) { id } b: nodes(ids: [$n]) { id }
    }";
    for (variables, expected) in [
        (json!({}), 8 + 3 + 1),
        (json!({ "n": 30 }), 31 + 3 + 1),
        (json!({ "n": null }), 21 + 3 + 1),
        (json!({ "n": "30", "ids": [] }), 21 + 1),
        (json!({ "ids": "1" }), 8 + 1 + 1),
        (json!({ "ids": vec![1; 1000] }), 8 + 100 + 1),
    ] {
        assert_eq!(cost(query, variables.clone()), expected, "{variables}");
    }
}

#[test]
fn only_the_selected_operation_has_a_cost() {
    let page = "conversations(first: 100) { nodes { messages(first: 100) { nodes { id } } } }";
    let query = format!("query Cheap {{ viewer {{ id }} }} query Dear {{ {page} }}");
    assert_eq!(prepare(&query, Some("Cheap"), json!({}), &limits()), Ok(()));
    let error = prepare(&query, Some("Dear"), json!({}), &limits()).unwrap_err();
    assert_eq!(error["message"], "the operation costs 10201 points, at most 5000 are allowed");
}

#[test]
fn variables_have_only_so_many_values() {
    let query = "{ viewer { id } }";
    let values = |count: usize| json!({ "a": vec![0; count - 2], "b": 1 });
    assert_eq!(prepare(query, None, values(250_000), &limits()), Ok(()));
    let error = prepare(query, None, values(250_001), &limits()).unwrap_err();
    assert_eq!(error["message"], "the variables have 250001 values, at most 250000 are allowed");
    assert_eq!(error["extensions"]["limit"], "values");
}

/// A list that the cost does not know would cost nothing, however long it is.
#[test]
fn every_list_of_the_schema_has_a_size() {
    let schema = parse_schema(crate::graphql::schema::subgraph_definitions()).unwrap();
    let types: Vec<_> = schema
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(kind) => Some(&kind.node),
            _ => None,
        })
        .collect();
    let fields = |kind: &TypeKind| match kind {
        TypeKind::Object(object) => object.fields.clone(),
        TypeKind::Interface(interface) => interface.fields.clone(),
        _ => Vec::new(),
    };
    let mut holders = BTreeSet::new();
    for (kind, field) in
        types.iter().flat_map(|kind| fields(&kind.kind).into_iter().map(move |field| (kind, field)))
    {
        let (field, is_list) = (&field.node, matches!(field.node.ty.node.base, BaseType::List(_)));
        let listing = |name: &str| FIELD_SIZES.arguments.iter().any(|(listing, _)| name == *listing);
        let by_id = field.arguments.iter().any(|argument| listing(argument.node.name.node.as_str()));
        let name = field.name.node.as_str();
        let is_priced = FIELD_SIZES.lists.iter().any(|(list, _)| name == *list)
            || FIELD_SIZES.pages.iter().any(|(page, _)| name == *page)
            || FIELD_SIZES
                .surcharges
                .iter()
                .any(|(priced, argument, _)| name == *priced && argument.is_some());
        if is_list && !by_id && !is_priced {
            assert!(FIELD_SIZES.items.contains(&name), "{}.{name}", kind.name.node);
            holders.insert(kind.name.node.to_string());
        }
    }
    for field in types.iter().flat_map(|kind| fields(&kind.kind)) {
        let BaseType::Named(answer) = &field.node.ty.node.base else { continue };
        let is_page = FIELD_SIZES.pages.iter().any(|(name, _)| field.node.name.node == *name);
        assert!(is_page || !holders.contains(answer.as_str()), "{}", field.node.name.node);
    }
}

/// What stands at the beginning, in the middle and at the end of what can nest, and what does not end.
const PIECES: &[&str] = &[
    "{",
    "}",
    "{a",
    "a ",
    "b: a ",
    "a(b: ",
    ")",
    "[",
    "]",
    "{c: ",
    "1 ",
    "-0.1e9 ",
    "$v ",
    "\"x\" ",
    "\"",
    "\"\"\"",
    "... ",
    "...F ",
    "...G ",
    "... on Q {",
    "fragment F on Q {",
    "fragment G on Q {...F ",
    "query ",
    "query A(",
    "mutation B ",
    "subscription {",
    "$v: [Int!] = ",
    "@include(if: true) ",
    "@d(",
    "#",
    "\n",
    "\u{feff}",
    "ä",
    "\0",
    "{__schema {types {fields {name ",
    "conversations(first: 100) {nodes {",
    "nodes(ids: [1 ",
    "messages(last: $v) {",
];

/// Pieces one after the other, some of them very often.
fn texts() -> impl Strategy<Value = String> {
    let often = prop_oneof![4 => Just(1_usize), 1 => 1..70_usize, 1 => 1..3000_usize];
    let piece = (prop::sample::select(PIECES), often).prop_map(|(piece, times)| piece.repeat(times));
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_document_is_accepted_or_rejected(any in any::<String>(), text in texts(), closed: bool) {
        let ends = text.matches('{').count().saturating_sub(text.matches('}').count());
        let text = if closed { format!("{text}{}", "}".repeat(ends)) } else { text };
        for text in [any, text] {
            for (operation, variables) in [(None, json!({})), (Some("A"), json!({ "v": [[1], { "a": 2 }] }))] {
                if let Err(error) = prepare(&text, operation, variables, &limits()) {
                    prop_assert!(error["extensions"]["code"].is_string(), "{}", error);
                }
            }
        }
    }
}
