use serde_json::{Value as Json, json};

use super::*;
use crate::config::Config;

fn read(text: &str) -> Result<ExecutableDocument, Json> {
    let validator = crate::graphql::schema::validator();
    let limits = crate::app::limits(&Config::default());
    validator.read(text, &limits).map_err(|response| serde_json::to_value(&response.errors).unwrap())
}

fn code(text: &str) -> Option<String> {
    let errors = read(text).err()?;
    errors[0]["extensions"]["code"].as_str().map(str::to_owned)
}

/// The errors' locations.
fn locations(text: &str) -> Vec<Json> {
    let errors = read(text).unwrap_err();
    errors.as_array().unwrap().iter().map(|error| error["locations"].clone()).collect()
}

#[test]
fn a_document_that_is_not_graphql_fails_to_parse() {
    for text in ["", "# comment", "{", "{}", "{ viewer { id }", "query ($a: ID = $b) { node(id: $a) { id } }"]
    {
        assert_eq!(code(text).as_deref(), Some("GRAPHQL_PARSE_FAILED"), "{text}");
    }
}

#[test]
fn arguments_and_input_fields_without_a_value_fail_to_parse() {
    for (text, column) in [
        ("{ conversations(first) { nodes { id } } }", 17),
        ("{ conversations(first: 3 after) { nodes { id } } }", 26),
        ("{ conversations(filter: { titleContains }) { nodes { id } } }", 27),
        ("{ conversations(filter: { titleContains: \"a\" order }) { nodes { id } } }", 46),
        ("{ viewer @include(if) { id } }", 19),
        ("query ($a: ConversationFilter = { b }) { viewer { id } }", 35),
        ("query ($a: [ConversationFilter] = [{ b }]) { viewer { id } }", 38),
    ] {
        assert_eq!(code(text).as_deref(), Some("GRAPHQL_PARSE_FAILED"), "{text}");
        assert_eq!(locations(text), [json!([{ "line": 1, "column": column }])], "{text}");
    }
    for text in [
        "query ($a: [ID!]! = [A, B] @b(c: D), $e: F = G) { h: i(j: [K, {l: M}], n: $a, o: { p: [Q] }) @r { s } }",
        "query A($first: Int = 3) { conversations(first: $first) { nodes { id title } } }",
        "{ a(b: \"\"\"(c)\"\"\" # (d)\n e: 1) { f } }",
    ] {
        assert_eq!(parser_faults::key_without_value(text), None, "{text}");
    }
}

#[test]
fn commas_are_insignificant() {
    for text in ["{ a,: viewer,{,id,} }", "{ a # ,\n ,\u{feff}, : viewer { b,,:id } }"] {
        assert_eq!(code(text), None, "{text}");
    }
    assert_eq!(code("{ a : , }").as_deref(), Some("GRAPHQL_PARSE_FAILED"));
}

#[test]
fn errors_have_their_locations() {
    assert_eq!(locations("{ viewer { id } }\nquery A { nope }").len(), 2);
    assert_eq!(locations("{\n  nope }"), [json!([{ "line": 2, "column": 3 }])]);
    assert_eq!(
        locations(
            "mutation {\r\n createConversation(input: { title: \"é\", title: \"b\" }) { conversation { id } } }"
        ),
        [json!([{ "line": 2, "column": 42 }])]
    );
}

#[test]
fn positions_count_lines_and_code_points() {
    let text = "a\nbé c\r\nd\re";
    let positions = Positions::of(text);
    let at = |offset| (positions.at(offset).line, positions.at(offset).column);
    assert_eq!([0, 2, 3, 6, 9, 11].map(at), [(1, 1), (2, 1), (2, 2), (2, 4), (3, 1), (4, 1)]);
}

#[test]
fn only_the_first_errors_are_reported_and_their_messages_are_short() {
    let errors = read(&format!("{{ viewer {{ {} }} }}", "nope ".repeat(500))).unwrap_err();
    assert_eq!(errors.as_array().unwrap().len(), MAX_ERRORS);
    let long = format!("{{ conversations(first: \"{}\") {{ nodes {{ id }} }} }}", "x".repeat(10_000));
    let errors = read(&long).unwrap_err();
    assert!(errors[0]["message"].as_str().unwrap().chars().count() <= MAX_MESSAGE + 1);
}

#[test]
fn variables_are_checked_inside_of_lists_and_input_objects() {
    let append = |parts: &str, variables: &str| {
        format!(
            "mutation{variables} {{ appendMessage(input: {{ conversationId: \"a\", role: USER, parts: {parts} }}) \
             {{ message {{ id }} }} }}"
        )
    };
    for (parts, variables, valid) in [
        ("[{ text: { text: $t } }]", "($t: String!)", true),
        ("[{ text: { text: $t } }]", "($t: String)", false),
        ("[{ text: { text: $t } }]", "($t: String = \"a\")", true),
        ("[{ text: { text: $t } }]", "($t: String = null)", false),
        ("[{ text: $t }]", "($t: TextPartInput!)", true),
        ("[{ text: $t }]", "($t: TextPartInput)", false),
        ("[{ text: $t }]", "($t: ReasoningPartInput!)", false),
        ("[$p]", "($p: MessagePartInput!)", true),
        ("[$p]", "($p: MessagePartInput)", false),
        ("$p", "($p: [MessagePartInput!])", true),
        ("$p", "($p: [MessagePartInput])", false),
        ("[{}]", "", false),
        ("[{ text: null }]", "", false),
        ("[{ text: { text: \"a\" }, reasoning: { text: \"b\" } }]", "", false),
        ("[{ data: { name: \"a\", data: { deep: [{ in: $n }] } } }]", "", false),
        ("[{ data: { name: \"a\", data: { deep: [{ in: $n }] } } }]", "($n: Int)", true),
        ("[{ data: { name: \"a\", data: { b: 1, b: 2 } } }]", "", false),
        ("[{ data: { name: \"a\", data: [null, [1, null], { in: [null] }] } }]", "", true),
        ("[{ data: { name: \"a\", data: $d } }]", "($d: JSON! = [null])", true),
        ("[{ data: { name: \"a\", data: null } }]", "", false),
        ("[null]", "", false),
    ] {
        let text = append(parts, variables);
        let expected = (!valid).then_some("GRAPHQL_VALIDATION_FAILED");
        assert_eq!(code(&text).as_deref(), expected, "{text}");
    }
}

#[test]
fn strings_are_unescaped_as_specified() {
    let title = |literal: &str| {
        let text = format!(
            "mutation {{ createConversation(input: {{ title: {literal} }}) {{ conversation {{ id }} }} }}"
        );
        let document = read(&text).ok()?;
        let (_, operation) = document.operations.iter().next()?;
        let async_graphql::parser::types::Selection::Field(field) =
            &operation.node.selection_set.node.items[0].node
        else {
            return None;
        };
        let input = field.node.get_argument("input")?.node.clone().into_const()?.into_json().ok()?;
        input["title"].as_str().map(str::to_owned)
    };
    for (literal, value) in [
        (r#""""a\"""b""""#, Some("a\"\"\"b")),
        (r#""\u{E9}""#, Some("é")),
        (r#""\u{1F600}""#, Some("😀")),
        (r#""\uD83D\uDE00""#, Some("😀")),
        (r#""\uD83D""#, None),
        (r#""\u{D83D}""#, None),
        (r#""\u{110000}""#, None),
        (r#""\u{}""#, None),
        (r#""\x""#, None),
        ("\"a\nb\"", None),
        ("\"\"\"\r\n  x\r\n    y\r\n\"\"\"", Some("x\n  y")),
        (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
        ("\"\"", Some("")),
        ("\"\"\"\"\"\"", Some("")),
    ] {
        assert_eq!(title(literal).as_deref(), value, "{literal}");
    }
}

#[test]
fn mistyped_names_are_suggested_where_the_schema_may_be_read() {
    let messages = |introspection: bool, text: &str| {
        let limits = Limits { introspection, ..crate::app::limits(&Config::default()) };
        let response = crate::graphql::schema::validator().read(text, &limits).unwrap_err();
        response.errors.iter().map(|error| error.message.clone()).collect::<Vec<_>>().join("\n")
    };
    for (text, name) in [
        ("{ viewr { id } }", "`viewer`"),
        ("{ conversations(frist: 1) { nodes { id } } }", "`first`"),
        ("{ conversations { nodes { ...F } } } fragment F on Conversation { titel }", "`title`"),
        ("{ node(id: 1) { ... on Message { contents } } }", "`content`"),
    ] {
        let expected = format!("did you mean {name}?");
        assert!(messages(true, text).contains(&expected), "{}", messages(true, text));
        assert!(!messages(false, text).contains("did you mean"), "{}", messages(false, text));
    }
    assert!(!messages(true, "{ somethingElse }").contains("did you mean"));
}
