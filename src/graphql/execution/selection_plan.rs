//! Selection plans: how plain fields are rendered. A field is plain if its value was read together with its
//! item.
//!
//! The function that writes a field is found once for a selection, not for each item, and JSON is written
//! without futures, maps and values. Other selections are left to async-graphql, with the same result:
//! fragments on other types, directives except `@skip` and `@include`, fields that must be loaded, and
//! objects that are selected twice.
//!
//! Rendered JSON cannot be merged, so operations that merge selections ([`merges_selections`]) are not
//! prerendered.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::json_writer::write_string;
use crate::model;

type FindMessage<T> = fn(&T) -> Option<Option<&model::Message>>;

/// The writer of a field.
pub(in crate::graphql) enum FieldWriter<T: 'static> {
    /// A scalar or an enum. Returns false if it cannot be written.
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    /// A text. `None` if it must be loaded first.
    Text(fn(&T) -> Option<&str>),
    /// An object of the item itself.
    Object(&'static ObjectWriter<T>),
    /// A message or null. `None` if it was not read.
    Message(FindMessage<T>, &'static ObjectWriter<model::Message>),
}

/// An object of the schema and the writers of its plain fields.
pub(in crate::graphql) struct ObjectWriter<T: 'static> {
    pub(in crate::graphql) name: &'static str,
    /// The writer of a field. `None` if the field is not plain.
    pub(in crate::graphql) field: fn(&str) -> Option<FieldWriter<T>>,
}

/// The plan of a selection set.
pub(in crate::graphql) struct SelectionPlan<T: 'static>(Vec<(Vec<u8>, PlannedField<T>)>);

enum PlannedField<T: 'static> {
    TypeName(&'static str),
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    Text(fn(&T) -> Option<&str>),
    Object(SelectionPlan<T>),
    Message(FindMessage<T>, SelectionPlan<model::Message>),
}

/// The fragments of a document by name.
pub(in crate::graphql) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

impl<T> SelectionPlan<T> {
    /// Plans a selection. `None` if it is not plain.
    pub(in crate::graphql) fn of(
        kind: &ObjectWriter<T>,
        selection: &SelectionSet,
        fragments: &Fragments,
    ) -> Option<Self> {
        let mut plan = Self(Vec::with_capacity(selection.items.len()));
        plan.add(kind, selection, fragments, &mut Vec::new())?;
        Some(plan)
    }

    /// Adds a selection to the plan, by response key and name.
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
                        // The same field again. Its selection set would have to be merged.
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

    /// Writes an item, and its loaded text if there is one. Returns false if it cannot be written: then the
    /// output must be discarded.
    pub(in crate::graphql) fn write(&self, out: &mut Vec<u8>, item: &T, loaded: Option<&str>) -> bool {
        // The first key writes the brace. There is no key if `@skip` has removed all fields.
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

/// These directives have already removed what they exclude before execution.
fn is_plain(directives: &[Positioned<Directive>]) -> bool {
    directives.iter().all(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include"))
}

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
