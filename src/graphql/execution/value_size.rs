//! Estimates of the memory of values before they are made.

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{ContextBase, Positioned};

use super::selection_plan::Fragments;

/// The bytes of an object and of each of its fields, without texts.
const OBJECT: usize = 512;
const FIELD: usize = 128;

/// A context with a selection set.
pub(in crate::graphql) trait Selected {
    fn selected(&self) -> &SelectionSet;
}

impl Selected for Positioned<SelectionSet> {
    fn selected(&self) -> &SelectionSet {
        &self.node
    }
}

impl Selected for Positioned<Field> {
    fn selected(&self) -> &SelectionSet {
        &self.node.selection_set.node
    }
}

/// The estimated bytes of this number of objects with their selections. Nested lists count by themselves.
pub(in crate::graphql) fn size_of_objects<S: Selected>(ctx: &ContextBase<'_, &S>, count: usize) -> usize {
    count.saturating_mul(OBJECT + FIELD * fields(&ctx.query_env.fragments, ctx.item.selected()))
}

/// The number of fields in a selection and its nested selections. The limits bound it.
fn fields(fragments: &Fragments, selection: &SelectionSet) -> usize {
    let each = selection.items.iter().map(|item| match &item.node {
        Selection::Field(field) => 1 + fields(fragments, &field.node.selection_set.node),
        Selection::InlineFragment(fragment) => fields(fragments, &fragment.node.selection_set.node),
        Selection::FragmentSpread(spread) => {
            let fragment = fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |fragment| fields(fragments, &fragment.node.selection_set.node))
        }
    });
    each.sum()
}
