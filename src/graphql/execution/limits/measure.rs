//! The size of a document with its fragments expanded, without expanding them.
//!
//! Every fragment is measured once, after those that it spreads. The recursion is as deep as the brackets of
//! one definition, which are limited before.

use std::collections::HashMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};

use super::field_size::{FieldSize, FieldSizing};

/// The name of a fragment that spreads itself, directly or indirectly.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::graphql) struct Cycle(pub(super) String);

/// The size of a selection set with its fragments expanded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    /// Fields, fragment spreads and inline fragments.
    pub(super) selections: u64,
    /// Fields of the first level.
    pub(super) fields: u64,
    /// The nesting of selection sets.
    pub(super) levels: u64,
    /// The depth of fields.
    pub(super) depth: u64,
    /// The depth of introspection fields.
    pub(super) introspection_depth: u64,
    /// The depth of introspection lists.
    pub(super) lists: u64,
    /// The cost without the items of a page.
    fixed: u64,
    /// The cost of each item of the page that it is the selection set of.
    per_item: u64,
}

impl Measure {
    /// The cost for a page of this size.
    pub(super) fn cost(&self, size: u64) -> u64 {
        self.fixed.saturating_add(size.saturating_mul(self.per_item))
    }

    /// The sum of two selections.
    fn and(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            fields: self.fields.saturating_add(other.fields),
            levels: self.levels.max(other.levels),
            depth: self.depth.max(other.depth),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            lists: self.lists.max(other.lists),
            fixed: self.fixed.saturating_add(other.fixed),
            per_item: self.per_item.saturating_add(other.per_item),
        }
    }

    /// The size of a spread of this fragment.
    fn spread(self) -> Self {
        Self { selections: self.selections.saturating_add(1), levels: self.levels + 1, ..self }
    }
}

/// Measures the selection sets of one document.
pub(super) struct Measurer<'a> {
    pages: FieldSizing<'a>,
    fragments: HashMap<&'a str, Measure>,
}

impl<'a> Measurer<'a> {
    /// Measures all fragments.
    pub(super) fn new(document: &'a ExecutableDocument, pages: FieldSizing<'a>) -> Result<Self, Cycle> {
        let set = |name: &str| document.fragments.get(name).map(|fragment| &fragment.node.selection_set.node);
        let spreads: HashMap<&str, Vec<&str>> = document
            .fragments
            .iter()
            .map(|(name, fragment)| (name.as_str(), spreads(&fragment.node.selection_set.node)))
            .collect();
        let mut measurer = Self { pages, fragments: HashMap::new() };
        for name in spreads.keys().copied() {
            let mut path = vec![name];
            while let Some(name) = path.last().copied() {
                // Unknown fragments are left to validation.
                let known = |name: &str| measurer.fragments.contains_key(name) || !spreads.contains_key(name);
                match spreads[name].iter().copied().find(|spread| !known(spread)) {
                    Some(next) if path.contains(&next) => return Err(Cycle(next.to_owned())),
                    Some(next) => path.push(next),
                    None => {
                        let measure = set(name).map(|set| measurer.measure(set)).unwrap_or_default();
                        measurer.fragments.insert(name, measure);
                        path.pop();
                    }
                }
            }
        }
        Ok(measurer)
    }

    /// The measures of all fragments.
    pub(super) fn fragments(&self) -> impl Iterator<Item = &Measure> {
        self.fragments.values()
    }

    pub(super) fn measure(&self, set: &SelectionSet) -> Measure {
        let measure = |selection: &Positioned<Selection>| match &selection.node {
            Selection::Field(field) => self.field(&field.node),
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                self.fragments.get(name).copied().unwrap_or_default().spread()
            }
            Selection::InlineFragment(fragment) => self.measure(&fragment.node.selection_set.node).spread(),
        };
        set.items.iter().map(measure).fold(Measure::default(), Measure::and)
    }

    fn field(&self, field: &Field) -> Measure {
        let name = field.name.node.as_str();
        let inner = self.measure(&field.selection_set.node);
        let is_object = !field.selection_set.node.items.is_empty();
        let tells_schema = matches!(name, "__schema" | "__type");
        let is_list = matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
        let deeper = |depth: u64| if depth > 0 { depth + 1 } else { 0 };
        let (fixed, per_item) = match self.pages.size(field) {
            _ if !is_object => (0, 0),
            // A field without items may be the list itself, for example `messages` of a payload.
            FieldSize::Page(size) if inner.per_item == 0 => {
                (inner.cost(1).saturating_add(1).saturating_mul(size), 0)
            }
            FieldSize::Page(size) => (inner.cost(size).saturating_add(1), 0),
            FieldSize::Items => (0, inner.cost(1).saturating_add(1)),
            FieldSize::List(length) => (inner.cost(1).saturating_add(1).saturating_mul(length), 0),
        };
        Measure {
            selections: inner.selections.saturating_add(1),
            fields: 1,
            levels: if is_object { inner.levels + 1 } else { 0 },
            depth: if tells_schema { 0 } else { inner.depth + 1 },
            introspection_depth: if tells_schema {
                inner.depth.max(inner.introspection_depth) + 1
            } else {
                deeper(inner.introspection_depth)
            },
            lists: inner.lists + u64::from(is_list),
            fixed: fixed.saturating_add(self.pages.surcharge(field)),
            per_item,
        }
    }
}

/// Calls `visit` for every selection of a definition.
fn walk<'a>(set: &'a SelectionSet, visit: &mut impl FnMut(&'a Selection)) {
    for selection in &set.items {
        visit(&selection.node);
        match &selection.node {
            Selection::Field(field) => walk(&field.node.selection_set.node, visit),
            Selection::InlineFragment(fragment) => walk(&fragment.node.selection_set.node, visit),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// The names of the fragments that a selection set spreads directly.
fn spreads(set: &SelectionSet) -> Vec<&str> {
    let mut names = Vec::new();
    walk(set, &mut |selection| {
        if let Selection::FragmentSpread(spread) = selection {
            names.push(spread.node.fragment_name.node.as_str());
        }
    });
    names
}

/// Counts of a document without expanding fragments.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) aliases: usize,
    pub(super) directives: usize,
}

/// Counts the aliases, directives and other parts of a document.
pub(super) fn names(document: &ExecutableDocument) -> Names {
    let mut names = Names::default();
    let mut count = |directives: &[Positioned<Directive>], set| {
        names.directives += directives.len();
        walk(set, &mut |selection| {
            names.directives += selection.directives().len();
            let is_alias = matches!(selection, Selection::Field(field) if field.node.alias.is_some());
            names.aliases += usize::from(is_alias);
        });
    };
    for fragment in document.fragments.values() {
        count(&fragment.node.directives, &fragment.node.selection_set.node);
    }
    for (_, operation) in document.operations.iter() {
        count(&operation.node.directives, &operation.node.selection_set.node);
    }
    for (_, operation) in document.operations.iter() {
        let definitions = operation.node.variable_definitions.iter();
        names.directives += definitions.map(|definition| definition.node.directives.len()).sum::<usize>();
    }
    names
}

#[cfg(test)]
mod tests;
