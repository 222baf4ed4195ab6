use std::fmt::Write as _;

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use proptest::prelude::*;

use super::*;

/// Measures the one operation of a document.
fn measured(text: &str) -> Result<Measure, Cycle> {
    let document = parse_query(text).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else { panic!("{text}") };
    let pages = Pages { variables: &Variables::default(), operation: &operation.node };
    Ok(Measurer::new(&document, pages)?.measure(&operation.node.selection_set.node))
}

#[test]
fn fragments_are_measured_where_they_are_spread() {
    let spread =
        measured("{ ...F a { ...F } } fragment F on Q { b { c } ...G } fragment G on Q { d }").unwrap();
    let written = measured("{ ... { b { c } ... { d } } a { ... { b { c } ... { d } } } }").unwrap();
    assert_eq!(spread, written);
    let expected = Measure { selections: 11, fields: 3, levels: 3, depth: 3, fixed: 3, ..Measure::default() };
    assert_eq!(spread, expected);
}

#[test]
fn what_spreads_itself_is_found_wherever_it_starts() {
    for text in [
        "{ ...A } fragment A on Q { ...A }",
        "{ a } fragment A on Q { a { ... { ...A } } }",
        "{ ...A } fragment A on Q { ...B } fragment B on Q { ...C ...C } fragment C on Q { ...A ...B }",
    ] {
        assert!(measured(text).is_err(), "{text}");
    }
    assert!(measured("{ ...A ...A } fragment A on Q { ...B ...B ...Unknown } fragment B on Q { a }").is_ok());
}

/// A selection set with spreads of the fragments from `first` on only, so that none spreads itself.
fn selections(first: usize, fragments: usize) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("b: c".to_owned()),
        (first..fragments + 2).prop_map(move |at| if at < fragments {
            format!("...F{at}")
        } else {
            "d".into()
        }),
    ];
    let set = |inner: BoxedStrategy<String>| {
        prop::collection::vec(inner, 1..5).prop_map(|selections| format!("{{ {} }}", selections.join(" ")))
    };
    let selection = leaf.prop_recursive(4, 24, 4, move |inner| {
        (0..4_u8, set(inner)).prop_map(|(kind, set)| match kind {
            0 => format!("... {set}"),
            1 => format!("... on Q @include(if: true) {set}"),
            _ => format!("e {set}"),
        })
    });
    set(selection.boxed())
}

/// A document whose fragments spread later ones.
fn documents() -> impl Strategy<Value = String> {
    const FRAGMENTS: usize = 6;
    let fragments: Vec<_> = (0..FRAGMENTS).map(|at| selections(at + 1, FRAGMENTS)).collect();
    (selections(0, FRAGMENTS), fragments).prop_map(|(mut text, fragments)| {
        for (at, fragment) in fragments.iter().enumerate() {
            let _ = write!(text, " fragment F{at} on Q {fragment}");
        }
        text
    })
}

/// Spreads everything, and counts; `None` when that is more than is worth the wait.
fn spread_out(document: &ExecutableDocument, set: &SelectionSet, left: &mut u64) -> Option<(u64, u64, u64)> {
    let (mut selections, mut fields, mut depth) = (0, 0, 0);
    for selection in &set.items {
        *left = left.checked_sub(1)?;
        let (inner, is_field) = match &selection.node {
            Selection::Field(field) => (&field.node.selection_set, true),
            Selection::InlineFragment(fragment) => (&fragment.node.selection_set, false),
            Selection::FragmentSpread(spread) => {
                (&document.fragments[&spread.node.fragment_name.node].node.selection_set, false)
            }
        };
        let (more, direct, deep) = spread_out(document, &inner.node, left)?;
        selections += 1 + more;
        fields += if is_field { 1 } else { direct };
        depth = depth.max(deep + u64::from(is_field));
    }
    Some((selections, fields, depth))
}

proptest! {
    #[test]
    fn measures_are_those_of_the_document_spread_out(text in documents()) {
        let document = parse_query(&text).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else { panic!("{text}") };
        let set = &operation.node.selection_set.node;
        if let Some(expected) = spread_out(&document, set, &mut 100_000) {
            let measure = measured(&text).unwrap();
            prop_assert_eq!((measure.selections, measure.fields, measure.depth), expected, "{}", text);
        }
    }
}
