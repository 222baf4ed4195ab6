use apollo_compiler::parser::Parser;
use apollo_compiler::{Node, ast};
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
        ("truefalsenull nullable queryA", 3, 0),
        ("} ] ) { { } {", 7, 2),
        // Faults count, and what follows them.
        ("a \"{ \n {", 3, 1),
        ("a \"{", 2, 0),
        ("a \"{\\", 2, 0),
        ("a ? {", 3, 1),
        ("a .. {", 4, 1),
        ("a ä {", 4, 1),
    ] {
        assert_eq!(scan(text), Scan { tokens, nesting }, "{text}");
    }
}

/// The fewest tokens that the parser can have read this from.
fn fewest(document: &ast::Document) -> usize {
    let of = |definition: &ast::Definition| match definition {
        ast::Definition::OperationDefinition(operation) => {
            let declared: usize = operation.variables.iter().map(|one| of_definition(one)).sum();
            let named = usize::from(operation.name.is_some());
            let keyword = named > 0 || operation.operation_type != ast::OperationType::Query || declared > 0;
            named
                + usize::from(keyword)
                + within_brackets(declared)
                + of_directives(&operation.directives)
                + of_selections(&operation.selection_set)
        }
        ast::Definition::FragmentDefinition(fragment) => {
            4 + of_directives(&fragment.directives) + of_selections(&fragment.selection_set)
        }
        _ => 2,
    };
    document.definitions.iter().map(of).sum()
}

fn within_brackets(tokens: usize) -> usize {
    if tokens > 0 { tokens + 2 } else { 0 }
}

fn of_definition(definition: &ast::VariableDefinition) -> usize {
    let default = definition.default_value.as_ref().map_or(0, |value| 1 + of_value(value));
    let kind = definition.ty.to_string();
    let kind = 1 + kind.chars().filter(|part| "[]!".contains(*part)).count();
    3 + kind + of_directives(&definition.directives) + default
}

fn of_directives(directives: &ast::DirectiveList) -> usize {
    directives.iter().map(|one| 2 + of_arguments(&one.arguments)).sum()
}

fn of_arguments(arguments: &[Node<ast::Argument>]) -> usize {
    within_brackets(arguments.iter().map(|argument| 2 + of_value(&argument.value)).sum())
}

fn of_value(value: &ast::Value) -> usize {
    match value {
        ast::Value::Variable(_) => 2,
        ast::Value::List(items) => 2 + items.iter().map(|item| of_value(item)).sum::<usize>(),
        ast::Value::Object(fields) => 2 + fields.iter().map(|(_, value)| 2 + of_value(value)).sum::<usize>(),
        _ => 1,
    }
}

fn of_selections(selections: &[ast::Selection]) -> usize {
    let of = |selection: &ast::Selection| match selection {
        ast::Selection::Field(field) => {
            let inner = if field.selection_set.is_empty() { 0 } else { of_selections(&field.selection_set) };
            1 + usize::from(field.alias.is_some()) * 2
                + of_arguments(&field.arguments)
                + of_directives(&field.directives)
                + inner
        }
        ast::Selection::FragmentSpread(spread) => 2 + of_directives(&spread.directives),
        ast::Selection::InlineFragment(fragment) => {
            let condition = if fragment.type_condition.is_some() { 2 } else { 0 };
            1 + condition + of_directives(&fragment.directives) + of_selections(&fragment.selection_set)
        }
    };
    2 + selections.iter().map(of).sum::<usize>()
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
        if let Ok(document) = Parser::new().parse_ast(&text, "document") {
            let (counted, fewest) = (scan(&text).tokens as usize, fewest(&document));
            prop_assert!(counted >= fewest, "{text:?}: {counted} < {fewest}");
        }
    }
}
