//! Selection plans: how fields are written whose values were read together with their item.
//!
//! The function that writes a field is found once for a selection, not for each item, and JSON is written
//! without futures, maps and values. What an item lacks, for example the text of a streaming message, is loaded
//! for all items of a list at once ([`super::related`]). Other selections are left to async-graphql, with the
//! same result: directives except `@skip` and `@include`, fields without a writer, and objects that are selected
//! twice.
//!
//! Rendered JSON cannot be merged, so operations that merge selections ([`merges_selections`]) are not
//! prerendered.

mod merging;

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::json_writer::write_string;
use super::related::{Missing, Related, Text};
pub(in crate::graphql) use merging::{merges_selections, selection_key};

/// The fragments of a document by name.
pub(in crate::graphql) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// Plans the selection of a field. `None` if it is left to async-graphql.
type PlanField<T> = fn(&SelectionSet, &Fragments) -> Option<Box<dyn FieldPlan<T>>>;

/// The writer of a field.
pub(in crate::graphql) enum FieldWriter<T: ?Sized + 'static> {
    /// A scalar or an enum. Returns false if it cannot be written.
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    /// A text.
    Text(fn(&T) -> Text<'_>),
    /// A field with a selection.
    Object(PlanField<T>),
}

/// An object of the schema and the writers of its fields.
pub(in crate::graphql) struct ObjectWriter<T: ?Sized + 'static> {
    pub(in crate::graphql) name: &'static str,
    /// The interfaces and unions that it belongs to.
    pub(in crate::graphql) belongs_to: &'static [&'static str],
    /// The writer of a field. `None` if the field is left to async-graphql.
    pub(in crate::graphql) field: fn(&str) -> Option<FieldWriter<T>>,
}

/// The plan of a field with a selection.
pub(in crate::graphql) trait FieldPlan<T: ?Sized>: Send + Sync {
    /// Writes the field of an item. Returns false if something is missing: then the output must be discarded.
    fn write(&self, out: &mut Vec<u8>, item: &T, related: &Related<'_>) -> bool;

    /// Adds what must be loaded before the field of an item can be written.
    fn find_missing(&self, item: &T, related: &Related<'_>, missing: &mut Missing);

    /// Whether it writes messages besides the item.
    fn has_related_messages(&self) -> bool;
}

/// The plan of a selection set.
pub(in crate::graphql) struct SelectionPlan<T: ?Sized + 'static>(Vec<(Vec<u8>, PlannedField<T>)>);

enum PlannedField<T: ?Sized + 'static> {
    TypeName(&'static str),
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    Text(fn(&T) -> Text<'_>),
    Object(Box<dyn FieldPlan<T>>),
}

impl<T: ?Sized> SelectionPlan<T> {
    /// Plans a selection. `None` if it is left to async-graphql.
    pub(in crate::graphql) fn of(
        object: &ObjectWriter<T>,
        selection: &SelectionSet,
        fragments: &Fragments,
    ) -> Option<Self> {
        let mut plan = Self(Vec::with_capacity(selection.items.len()));
        plan.add(object, selection, fragments, &mut Vec::new())?;
        Some(plan)
    }

    /// Adds a selection to the plan, by response key and name.
    fn add<'a>(
        &mut self,
        object: &ObjectWriter<T>,
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
                            let planned = Self::field(object, field, fragments)?;
                            let mut written = vec![if self.0.is_empty() { b'{' } else { b',' }];
                            write_string(&mut written, key);
                            written.push(b':');
                            self.0.push((written, planned));
                            selected.push((key, name));
                        }
                    }
                }
                Selection::InlineFragment(Positioned { node: fragment, .. }) => {
                    if fragment.type_condition.as_ref().is_none_or(|on| object.is_a(&on.node.on.node)) {
                        self.add(object, &fragment.selection_set.node, fragments, selected)?;
                    }
                }
                Selection::FragmentSpread(Positioned { node: spread, .. }) => {
                    let fragment = &fragments.get(&spread.fragment_name.node)?.node;
                    if !is_plain(&fragment.directives) {
                        return None;
                    }
                    if object.is_a(&fragment.type_condition.node.on.node) {
                        self.add(object, &fragment.selection_set.node, fragments, selected)?;
                    }
                }
            }
        }
        Some(())
    }

    fn field(object: &ObjectWriter<T>, field: &Field, fragments: &Fragments) -> Option<PlannedField<T>> {
        let name = field.name.node.as_str();
        if name == "__typename" {
            return Some(PlannedField::TypeName(object.name));
        }
        Some(match (object.field)(name)? {
            FieldWriter::Leaf(write) => PlannedField::Leaf(write),
            FieldWriter::Text(find) => PlannedField::Text(find),
            FieldWriter::Object(plan) => PlannedField::Object(plan(&field.selection_set.node, fragments)?),
        })
    }

    /// The plan of a field that is the item itself.
    pub(in crate::graphql) fn boxed(
        object: &ObjectWriter<T>,
        selection: &SelectionSet,
        fragments: &Fragments,
    ) -> Option<Box<dyn FieldPlan<T>>> {
        Some(Box::new(Self::of(object, selection, fragments)?))
    }
}

impl<T: ?Sized> FieldPlan<T> for SelectionPlan<T> {
    fn write(&self, out: &mut Vec<u8>, item: &T, related: &Related<'_>) -> bool {
        // The first key writes the brace. There is no key if `@skip` has removed all fields.
        if self.0.is_empty() {
            out.push(b'{');
        }
        for (key, field) in &self.0 {
            out.extend_from_slice(key);
            let written = match field {
                PlannedField::TypeName(name) => write_string(out, name),
                PlannedField::Leaf(write) => write(out, item),
                PlannedField::Text(find) => {
                    related.text(&find(item)).is_some_and(|text| write_string(out, text))
                }
                PlannedField::Object(plan) => plan.write(out, item, related),
            };
            if !written {
                return false;
            }
        }
        out.push(b'}');
        true
    }

    fn find_missing(&self, item: &T, related: &Related<'_>, missing: &mut Missing) {
        for (_, field) in &self.0 {
            match field {
                PlannedField::TypeName(_) | PlannedField::Leaf(_) => {}
                PlannedField::Text(find) => missing.add_text(&find(item), related),
                PlannedField::Object(plan) => plan.find_missing(item, related, missing),
            }
        }
    }

    fn has_related_messages(&self) -> bool {
        self.0
            .iter()
            .any(|(_, field)| matches!(field, PlannedField::Object(plan) if plan.has_related_messages()))
    }
}

impl<T: ?Sized> ObjectWriter<T> {
    /// Whether a fragment on a type applies to the object. The document is valid, so there is such a type.
    fn is_a(&self, name: &str) -> bool {
        name == self.name || self.belongs_to.contains(&name)
    }
}

/// These directives have already removed what they exclude before execution.
fn is_plain(directives: &[Positioned<Directive>]) -> bool {
    directives.iter().all(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include"))
}
