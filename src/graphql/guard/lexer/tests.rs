use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationType, Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Positioned, Value};
use async_graphql_value::Value as Argument;
use proptest::prelude::*;

use super::*;

#[test]
fn tokens_are_counted_as_the_parser_reads_them() {
    for (text, tokens, nesting) in [
        ("", 0, 0),
        (" ,\t\r\n\u{feff}", 0, 0),
        ("{ a }", 3, 1),
        ("{a(b:[{c:1}]){d}}", 17, 4),
        ("# { \" } \n{a}", 3, 1),
        ("#{\r{a}", 3, 1),
        ("# never ends {{{", 0, 0),
        (r#""{" "\"{" """ "{{" """ """\"""{""""#, 4, 0),
        ("\"\"\"\"\"\"", 1, 0),
        ("\"\"\"a\"", 2, 0),
        ("...a ... on B", 5, 0),
        ("@a $b !|&=", 8, 0),
        ("-1.5e-3 0.0 1E9 01 -00", 7, 0),
        ("truefalsenull nullable queryA", 7, 0),
        ("} ] ) { { } {", 7, 2),
        // The parser gets no further.
        ("a \"{ \n {", 1, 0),
        ("a ? {", 1, 0),
        ("a .. {", 1, 0),
        ("a ä {", 1, 0),
    ] {
        assert_eq!(scan(text), Scan { tokens, nesting }, "{text}");
    }
}

/// The fewest tokens that the parser can have read this from.
fn fewest(document: &ExecutableDocument) -> usize {
    let operations = document.operations.iter().map(|(name, operation)| {
        let operation = &operation.node;
        let declared: usize = operation.variable_definitions.iter().map(|one| of_definition(&one.node)).sum();
        let spoken = name.is_some() || operation.ty != OperationType::Query || declared > 0;
        usize::from(name.is_some())
            + usize::from(spoken)
            + if declared > 0 { declared + 2 } else { 0 }
            + of_directives(&operation.directives)
            + of_set(&operation.selection_set.node)
    });
    let fragments = document.fragments.values().map(|fragment| {
        4 + of_directives(&fragment.node.directives) + of_set(&fragment.node.selection_set.node)
    });
    operations.sum::<usize>() + fragments.sum::<usize>()
}

fn of_definition(definition: &VariableDefinition) -> usize {
    let default = definition.default_value.as_ref().map_or(0, |value| 1 + of_value(&value.node));
    let kind = definition.var_type.node.to_string();
    let kind = 1 + kind.chars().filter(|part| "[]!".contains(*part)).count();
    3 + kind + of_directives(&definition.directives) + default
}

fn of_directives(directives: &[Positioned<Directive>]) -> usize {
    directives.iter().map(|one| 2 + of_arguments(one.node.arguments.iter().map(|(_, it)| &it.node))).sum()
}

fn of_arguments<'a>(arguments: impl Iterator<Item = &'a Argument>) -> usize {
    let tokens: usize = arguments.map(|value| 2 + of_argument(value)).sum();
    if tokens > 0 { tokens + 2 } else { 0 }
}

fn of_argument(argument: &Argument) -> usize {
    match argument {
        Argument::Variable(_) => 2,
        Argument::List(items) => 2 + items.iter().map(of_argument).sum::<usize>(),
        Argument::Object(fields) => 2 + fields.values().map(|value| 2 + of_argument(value)).sum::<usize>(),
        _ => 1,
    }
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::List(items) => 2 + items.iter().map(of_value).sum::<usize>(),
        Value::Object(fields) => 2 + fields.values().map(|value| 2 + of_value(value)).sum::<usize>(),
        _ => 1,
    }
}

fn of_set(set: &SelectionSet) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let field = &field.node;
            let inner =
                if field.selection_set.node.items.is_empty() { 0 } else { of_set(&field.selection_set.node) };
            1 + usize::from(field.alias.is_some()) * 2
                + of_arguments(field.arguments.iter().map(|(_, value)| &value.node))
                + of_directives(&field.directives)
                + inner
        }
        Selection::FragmentSpread(spread) => 2 + of_directives(&spread.node.directives),
        Selection::InlineFragment(fragment) => {
            let condition = if fragment.node.type_condition.is_some() { 2 } else { 0 };
            1 + condition
                + of_directives(&fragment.node.directives)
                + of_set(&fragment.node.selection_set.node)
        }
    };
    2 + set.items.iter().map(|selection| of(&selection.node)).sum::<usize>()
}

/// Pieces that stick together in ways the parser may take otherwise than they look.
const PIECES: &[&str] = &[
    "true",
    "false",
    "null",
    "query",
    "fragment",
    "on",
    "on ",
    "a",
    "_b1",
    "0",
    "00",
    "-0",
    "1",
    "-12.5",
    "1e9",
    ".5",
    "\"\"",
    "\"x\"",
    "\"\\\"\"",
    "\"\"\"",
    "\"\"\"y\"\"\"",
    "\\\"\"\"",
    "\"",
    "$a",
    "$",
    "[",
    "]",
    "[0]",
    "{",
    "}",
    "(",
    ")",
    ":",
    "a:1",
    "...",
    "...F",
    "...on ",
    "@a",
    "@",
    "!",
    "=",
    "#",
    "#\n",
    "\n",
    " ",
    ",",
    "{a}",
    "(a:1)",
    "\u{feff}",
    "ä",
    "a:",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000.max(ProptestConfig::default().cases)))]

    #[test]
    fn any_text_is_scanned(text in any::<String>(), odd in pieces()) {
        for text in [text, odd] {
            let scan = scan(&text);
            prop_assert!(scan.nesting <= scan.tokens && scan.tokens as usize <= text.len());
        }
    }

    #[test]
    fn no_fewer_tokens_are_counted_than_the_parser_finds(odd in pieces(), place in 0..5_usize) {
        let text = match place {
            0 => odd,
            1 => format!("{{a(b:[{odd}])}}"),
            2 => format!("{{{odd}}}"),
            3 => format!("query($a:[Int!]={odd}){{a}}"),
            _ => format!("{{a}} {odd}"),
        };
        if let Ok(document) = parse_query(&text) {
            let (counted, fewest) = (scan(&text).tokens as usize, fewest(&document));
            prop_assert!(counted >= fewest, "{text:?}: {counted} < {fewest}");
        }
    }
}
