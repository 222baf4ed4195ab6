use std::fmt::Write as _;

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use proptest::prelude::*;

use super::*;
use crate::graphql::schema::FIELD_SIZES;

/// Measures the one operation of a document.
fn measured(text: &str) -> Result<Measure, Cycle> {
    let document = parse_query(text).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else { panic!("{text}") };
    let variables = Variables::default();
    let pages = FieldSizing::of(FIELD_SIZES, &operation.node, &variables);
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
fn a_context_window_costs_more_than_its_objects() {
    let cost = |text| measured(text).unwrap().cost(1);
    assert_eq!(cost("{ context { tokenCount } }"), 11);
    assert_eq!(cost("{ context { messages { id } omitted { ranges { first } } } }"), 10 + 1 + 50 + 1 + 10);
    assert_eq!(cost("{ conversations(first: 3) { nodes { context { tokenCount } } } }"), 1 + 3 * (1 + 11));
}

#[test]
fn sums_of_usage_cost_more_than_the_usage_of_a_message() {
    let cost = |text| measured(text).unwrap().cost(1);
    assert_eq!(cost("{ viewer { usage(since: 1) { messageCount } } }"), 1 + 1 + 500);
    assert_eq!(cost("{ node { usage { inputTokens } } }"), 2);
    let report = "{ usageReport(first: 3) { nodes { subject sums { messageCount } } } }";
    assert_eq!(cost(report), 500 + 1 + 3 * (1 + 10));
}

#[test]
fn fragment_cycles_are_found() {
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
        let before = prop::sample::select(&[
            "...",
            "... on Q @include(if: true)",
            "e",
            "e",
            "f: nodes",
            "edges",
            "siblings",
            "nodes(ids: [1, 2])",
            "conversations(first: 3)",
            "messages(last: 4)",
        ]);
        (before, set(inner)).prop_map(|(before, set)| format!("{before} {set}"))
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

/// What a selection that is no leaf selects.
fn within<'a>(document: &'a ExecutableDocument, selection: &'a Selection) -> &'a SelectionSet {
    let set = match selection {
        Selection::Field(field) => &field.node.selection_set,
        Selection::InlineFragment(fragment) => &fragment.node.selection_set,
        Selection::FragmentSpread(spread) => {
            &document.fragments[&spread.node.fragment_name.node].node.selection_set
        }
    };
    &set.node
}

/// Spreads everything, and counts selections, fields, the depth of fields and the levels of sets; `None`
/// when that is more than is worth the wait.
fn spread_out(document: &ExecutableDocument, set: &SelectionSet, left: &mut u64) -> Option<[u64; 4]> {
    let mut counted = [0; 4];
    let [selections, fields, depth, levels] = &mut counted;
    for selection in &set.items {
        *left = left.checked_sub(1)?;
        let is_field = matches!(selection.node, Selection::Field(_));
        let inner = within(document, &selection.node);
        let [more, direct, deep, sets] = spread_out(document, inner, left)?;
        *selections += 1 + more;
        *fields += if is_field { 1 } else { direct };
        *depth = (deep + u64::from(is_field)).max(*depth);
        *levels = (sets + u64::from(!inner.items.is_empty())).max(*levels);
    }
    Some(counted)
}

/// Whether an object is a page: it is asked for its items.
fn is_page(document: &ExecutableDocument, set: &SelectionSet) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => {
            let field = &field.node;
            let is_named = matches!(field.name.node.as_str(), "nodes" | "edges");
            is_named && field.arguments.is_empty() && !field.selection_set.node.items.is_empty()
        }
        spread => is_page(document, within(document, spread)),
    })
}

/// Answers with as many objects as there can be, one by one, and counts them. The object that is asked
/// has so many items.
fn answered(document: &ExecutableDocument, set: &SelectionSet, items: u64, left: &mut u64) -> Option<u64> {
    let mut count = 0;
    for selection in &set.items {
        *left = left.checked_sub(1)?;
        let inner = within(document, &selection.node);
        let Selection::Field(field) = &selection.node else {
            count += answered(document, inner, items, left)?;
            continue;
        };
        let long = |length| if is_page(document, inner) { (1, length) } else { (length, 1) };
        let (objects, items) = match field.node.name.node.as_str() {
            _ if inner.items.is_empty() => (0, 0),
            "nodes" if !field.node.arguments.is_empty() => (2, 1),
            "nodes" | "edges" => (items, 1),
            "siblings" => (10, 1),
            "conversations" => long(3),
            "messages" => long(4),
            _ => (1, 1),
        };
        for _ in 0..objects {
            count += 1 + answered(document, inner, items, left)?;
        }
    }
    Some(count)
}

/// Fragments that spread later ones, most of them several times: which ones each spreads.
fn bombs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let spreads = |at: usize, of: usize| prop::collection::vec(at + 1..=of, 0..6);
    (1..40_usize).prop_flat_map(move |of| (0..of).map(|at| spreads(at, of)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn measures_equal_those_of_the_expanded_document(text in documents()) {
        let document = parse_query(&text).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else { panic!("{text}") };
        let set = &operation.node.selection_set.node;
        let measure = measured(&text).unwrap();
        if let Some(expected) = spread_out(&document, set, &mut 100_000) {
            let Measure { selections, fields, depth, levels, .. } = measure;
            prop_assert_eq!([selections, fields, depth, levels], expected, "{}", text);
        }
        if let Some(expected) = answered(&document, set, 1, &mut 100_000) {
            prop_assert_eq!(measure.cost(1), expected, "{}", text);
        }
    }

    /// Nobody would live to see them spread out.
    #[test]
    fn fragment_bombs_are_measured_in_linear_time(spreads in bombs()) {
        let mut text = "{ ...F0 }".to_owned();
        for (at, spreads) in spreads.iter().enumerate() {
            let spreads: String = spreads.iter().map(|spread| format!("...F{spread} ")).collect();
            let _ = write!(text, " fragment F{at} on Q {{ a {spreads}}}");
        }
        let _ = write!(text, " fragment F{} on Q {{ a }}", spreads.len());
        let mut sizes = vec![1_u64; spreads.len() + 1];
        for (at, spreads) in spreads.iter().enumerate().rev() {
            let sizes_of = spreads.iter().map(|spread| sizes[*spread].saturating_add(1));
            sizes[at] = sizes_of.fold(1, u64::saturating_add);
        }
        prop_assert_eq!(measured(&text).unwrap().selections, sizes[0].saturating_add(1));
    }
}
