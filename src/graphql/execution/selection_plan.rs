//! How plain fields are written: those that need nothing more than what was read with their item.
//!
//! They are written as JSON in one walk: which function writes each field is found once for a selection, not
//! once for each item, and there is no future, no map and no value in between. Everything else is left to
//! async-graphql, with the same result: a fragment on another type, a directive that is not `@skip` or
//! `@include`, a field that has to be loaded, an object that is selected twice.
//!
//! What was written cannot be merged with anything, so an operation in which selections are merged at all
//! ([`merges_selections`]) has nothing written.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::json_writer::write_string;
use crate::model;

type FindMessage<T> = fn(&T) -> Option<Option<&model::Message>>;

/// What is written for a field of an item.
pub(in crate::graphql) enum FieldWriter<T: 'static> {
    /// A scalar or an enum. False where it cannot be written.
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    /// A text. None where it must be loaded first.
    Text(fn(&T) -> Option<&str>),
    /// An object of the item itself.
    Object(&'static ObjectWriter<T>),
    /// A message, or null. None where it was not read.
    Message(FindMessage<T>, &'static ObjectWriter<model::Message>),
}

/// An object of the schema and how its plain fields are written.
pub(in crate::graphql) struct ObjectWriter<T: 'static> {
    pub(in crate::graphql) name: &'static str,
    /// None for a field that is not plain.
    pub(in crate::graphql) field: fn(&str) -> Option<FieldWriter<T>>,
}

/// How to write the selected fields of an object.
pub(in crate::graphql) struct SelectionPlan<T: 'static>(Vec<(Vec<u8>, PlannedField<T>)>);

enum PlannedField<T: 'static> {
    TypeName(&'static str),
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    Text(fn(&T) -> Option<&str>),
    Object(SelectionPlan<T>),
    Message(FindMessage<T>, SelectionPlan<model::Message>),
}

/// The fragments of a document, by their names.
pub(in crate::graphql) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

impl<T> SelectionPlan<T> {
    /// None where the selection is not plain.
    pub(in crate::graphql) fn of(
        kind: &ObjectWriter<T>,
        selection: &SelectionSet,
        fragments: &Fragments,
    ) -> Option<Self> {
        let mut plan = Self(Vec::with_capacity(selection.items.len()));
        plan.add(kind, selection, fragments, &mut Vec::new())?;
        Some(plan)
    }

    /// Adds what is selected to what is selected already, by response key and name.
    fn add<'a>(
        &mut self,
        kind: &ObjectWriter<T>,
        selection: &'a SelectionSet,
        fragments: &'a Fragments,
        selected: &mut Vec<(&'a str, &'a str)>,
    ) -> Option<()> {
        for item in &selection.items {
            if !is_plain(item.node.directives()) {
                return None;
            }
            match &item.node {
                Selection::Field(Positioned { node: field, .. }) => {
                    let (key, name) = (field.response_key().node.as_str(), field.name.node.as_str());
                    match selected.iter().find(|(selected, _)| *selected == key) {
                        // The same again; a selection of its own would have to be merged.
                        Some((_, same)) if *same == name && field.selection_set.node.items.is_empty() => {}
                        Some(_) => return None,
                        None => {
                            let step = Self::step(kind, field, fragments)?;
                            let mut written = vec![if self.0.is_empty() { b'{' } else { b',' }];
                            write_string(&mut written, key);
                            written.push(b':');
                            self.0.push((written, step));
                            selected.push((key, name));
                        }
                    }
                }
                Selection::InlineFragment(Positioned { node: fragment, .. }) => {
                    if fragment.type_condition.as_ref().is_some_and(|on| on.node.on.node != kind.name) {
                        return None;
                    }
                    self.add(kind, &fragment.selection_set.node, fragments, selected)?;
                }
                Selection::FragmentSpread(Positioned { node: spread, .. }) => {
                    let fragment = &fragments.get(&spread.fragment_name.node)?.node;
                    if fragment.type_condition.node.on.node != kind.name || !is_plain(&fragment.directives) {
                        return None;
                    }
                    self.add(kind, &fragment.selection_set.node, fragments, selected)?;
                }
            }
        }
        Some(())
    }

    fn step(kind: &ObjectWriter<T>, field: &Field, fragments: &Fragments) -> Option<PlannedField<T>> {
        let name = field.name.node.as_str();
        if name == "__typename" {
            return Some(PlannedField::TypeName(kind.name));
        }
        let selection = &field.selection_set.node;
        match (kind.field)(name)? {
            FieldWriter::Leaf(write) => Some(PlannedField::Leaf(write)),
            FieldWriter::Text(find) => Some(PlannedField::Text(find)),
            FieldWriter::Object(kind) => {
                SelectionPlan::of(kind, selection, fragments).map(PlannedField::Object)
            }
            FieldWriter::Message(find, kind) => {
                SelectionPlan::of(kind, selection, fragments).map(|plan| PlannedField::Message(find, plan))
            }
        }
    }

    /// Writes an item, and the text that was loaded for it, if one was. False where it cannot: what was
    /// written of it must be forgotten.
    pub(in crate::graphql) fn write(&self, out: &mut Vec<u8>, item: &T, loaded: Option<&str>) -> bool {
        // The first key brings the brace. There is none where `@skip` has removed all fields.
        if self.0.is_empty() {
            out.push(b'{');
        }
        for (key, step) in &self.0 {
            out.extend_from_slice(key);
            let written = match step {
                PlannedField::TypeName(name) => write_string(out, name),
                PlannedField::Leaf(write) => write(out, item),
                PlannedField::Text(find) => find(item).or(loaded).is_some_and(|text| write_string(out, text)),
                PlannedField::Object(plan) => plan.write(out, item, loaded),
                PlannedField::Message(find, plan) => match find(item) {
                    Some(Some(message)) => plan.write(out, message, loaded),
                    Some(None) => {
                        out.extend_from_slice(b"null");
                        true
                    }
                    None => false,
                },
            };
            if !written {
                return false;
            }
        }
        out.push(b'}');
        true
    }
}

/// Where these still stand, what they stand at stays: what they leave out is gone before anything runs.
fn is_plain(directives: &[Positioned<Directive>]) -> bool {
    directives.iter().all(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include"))
}

/// Whether selections may have to be merged: a field that has one comes twice under the same response key,
/// in fragments or without. <https://spec.graphql.org/draft/#sec-Field-Selection-Merging>
pub(in crate::graphql) fn merges_selections(selection: &SelectionSet, fragments: &Fragments) -> bool {
    let mut fields = Vec::new();
    collect(selection, fragments, &mut fields);
    let mut keys = HashSet::with_capacity(fields.len());
    fields.iter().any(|field| {
        let is_new = keys.insert(field.response_key().node.as_str());
        !is_new || merges_selections(&field.selection_set.node, fragments)
    })
}

/// The fields that have selections, those within fragments included, whatever type they are for.
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

/// What a selection comes to, as text: where it is the same and plain, the same is written.
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
