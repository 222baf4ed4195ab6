//! Whether a document selects an object twice under one response key, and a key for equal selections.

use std::collections::HashSet;

use async_graphql::Positioned;
use async_graphql::parser::types::{Field, Selection, SelectionSet};

use super::Fragments;

/// Whether selections may have to be merged: a field with a selection set occurs twice under one response
/// key, possibly in fragments. <https://spec.graphql.org/draft/#sec-Field-Selection-Merging>
pub(in crate::graphql) fn merges_selections(selection: &SelectionSet, fragments: &Fragments) -> bool {
    let mut fields = Vec::new();
    collect(selection, fragments, &mut fields);
    let mut keys = HashSet::with_capacity(fields.len());
    fields.iter().any(|field| {
        let is_new = keys.insert(field.response_key().node.as_str());
        !is_new || merges_selections(&field.selection_set.node, fragments)
    })
}

/// The fields with selection sets, including those in fragments on any type.
fn collect<'a>(selection: &'a SelectionSet, fragments: &'a Fragments, fields: &mut Vec<&'a Field>) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(field) => {
                if !field.node.selection_set.node.items.is_empty() {
                    fields.push(&field.node);
                }
            }
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, fragments, fields);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    collect(&fragment.node.selection_set.node, fragments, fields);
                }
            }
        }
    }
}

/// A normalised text of a selection. Equal plain texts have equal output.
pub(in crate::graphql) fn selection_key(out: &mut String, selection: &SelectionSet, fragments: &Fragments) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(Positioned { node: field, .. }) => {
                out.push_str(field.response_key().node.as_str());
                out.push(':');
                out.push_str(field.name.node.as_str());
                out.push('{');
                selection_key(out, &field.selection_set.node, fragments);
                out.push('}');
            }
            Selection::InlineFragment(fragment) => {
                selection_key(out, &fragment.node.selection_set.node, fragments);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    selection_key(out, &fragment.node.selection_set.node, fragments);
                }
            }
        }
    }
}
