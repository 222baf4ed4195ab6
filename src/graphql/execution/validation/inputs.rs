//! Validation rules for input values that apollo-compiler 1.33 does not check.
//!
//! - An input object has each field at most once (§5.6.3).
//! - A OneOf input object has exactly one field, which is not null (§5.6.5).
//! - The type of a variable fits its location, also within lists and input objects. A default of null counts
//!   as none, and a field of a OneOf input object requires a non-null variable (§5.8.5).
//! - A variable is defined, also within values of custom scalars (§5.8.3).
//!
//! The paragraphs are those of <https://spec.graphql.org/September2025/#sec-Validation>.

use std::collections::HashSet;

use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema, ast};

/// An invalid value.
pub(super) struct InputError {
    pub(super) message: String,
    pub(super) location: Option<SourceSpan>,
}

/// Checks all values of a document that is valid for apollo-compiler.
pub(super) fn check(schema: &Schema, typed: &ExecutableDocument, parsed: &ast::Document) -> Vec<InputError> {
    let mut errors = unique_fields(parsed);
    for operation in typed.operations.iter() {
        let mut usages = Usages { schema, operation, errors: Vec::new(), nulls: HashSet::new() };
        usages.check(typed);
        errors.append(&mut usages.errors);
    }
    errors
}

/// The offsets of nulls in lists that are values of custom scalars. They are valid, but apollo-compiler 1.33 expects in
/// such a list what it expects in place of the list, so it rejects them where the scalar is not nullable.
pub(super) fn nulls_in_scalars(schema: &Schema, typed: &ExecutableDocument) -> HashSet<usize> {
    let nulls = typed.operations.iter().flat_map(|operation| {
        let mut usages = Usages { schema, operation, errors: Vec::new(), nulls: HashSet::new() };
        usages.check(typed);
        usages.nulls
    });
    nulls.collect()
}

/// Finds input objects with duplicate fields.
fn unique_fields(document: &ast::Document) -> Vec<InputError> {
    let mut errors = Vec::new();
    let mut visit = |value: &Node<ast::Value>| {
        let ast::Value::Object(fields) = &**value else { return };
        let mut names = HashSet::with_capacity(fields.len());
        for (name, value) in fields {
            if !names.insert(name) {
                let message = format!("there can be only one input field named `{name}`");
                errors.push(InputError { message, location: name.location().or(value.location()) });
            }
        }
    };
    for definition in &document.definitions {
        match definition {
            ast::Definition::OperationDefinition(operation) => {
                for variable in &operation.variables {
                    if let Some(value) = &variable.default_value {
                        each_value(value, &mut visit);
                    }
                    values_of_directives(&variable.directives, &mut visit);
                }
                values_of_directives(&operation.directives, &mut visit);
                values_of_selections(&operation.selection_set, &mut visit);
            }
            ast::Definition::FragmentDefinition(fragment) => {
                values_of_directives(&fragment.directives, &mut visit);
                values_of_selections(&fragment.selection_set, &mut visit);
            }
            _ => {}
        }
    }
    errors
}

type Visit<'a> = &'a mut dyn FnMut(&Node<ast::Value>);

fn values_of_selections(selections: &[ast::Selection], visit: Visit<'_>) {
    for selection in selections {
        match selection {
            ast::Selection::Field(field) => {
                values_of_arguments(&field.arguments, visit);
                values_of_directives(&field.directives, visit);
                values_of_selections(&field.selection_set, visit);
            }
            ast::Selection::FragmentSpread(spread) => values_of_directives(&spread.directives, visit),
            ast::Selection::InlineFragment(fragment) => {
                values_of_directives(&fragment.directives, visit);
                values_of_selections(&fragment.selection_set, visit);
            }
        }
    }
}

fn values_of_directives(directives: &ast::DirectiveList, visit: Visit<'_>) {
    directives.iter().for_each(|directive| values_of_arguments(&directive.arguments, visit));
}

fn values_of_arguments(arguments: &[Node<ast::Argument>], visit: Visit<'_>) {
    arguments.iter().for_each(|argument| each_value(&argument.value, visit));
}

/// Visits a value and the values in it.
fn each_value(value: &Node<ast::Value>, visit: Visit<'_>) {
    visit(value);
    match &**value {
        ast::Value::List(items) => items.iter().for_each(|item| each_value(item, visit)),
        ast::Value::Object(fields) => fields.iter().for_each(|(_, value)| each_value(value, visit)),
        _ => {}
    }
}

/// The location of a value.
#[derive(Clone, Copy)]
struct Location<'a> {
    /// The expected type. `None` within a value of a custom scalar.
    ty: Option<&'a ast::Type>,
    has_default: bool,
    /// The OneOf input object that it is a field of.
    one_of: Option<&'a Name>,
}

/// Checks the values of an operation and its fragments against their locations.
struct Usages<'a> {
    schema: &'a Schema,
    operation: &'a Operation,
    errors: Vec<InputError>,
    /// See [`nulls_in_scalars`].
    nulls: HashSet<usize>,
}

impl<'a> Usages<'a> {
    fn check(&mut self, document: &'a ExecutableDocument) {
        for variable in &self.operation.variables {
            if let Some(value) = &variable.default_value {
                self.value(value, Location { ty: Some(&variable.ty), has_default: false, one_of: None });
            }
        }
        self.directives(&self.operation.directives);
        let mut fragments = HashSet::new();
        let mut sets: Vec<&'a SelectionSet> = vec![&self.operation.selection_set];
        while let Some(set) = sets.pop() {
            for selection in &set.selections {
                self.directives(selection.directives());
                match selection {
                    Selection::Field(field) => {
                        self.arguments(&field.arguments, &field.definition.arguments);
                        sets.push(&field.selection_set);
                    }
                    Selection::InlineFragment(fragment) => sets.push(&fragment.selection_set),
                    Selection::FragmentSpread(spread) => {
                        let fragment = document.fragments.get(&spread.fragment_name);
                        if let Some(fragment) = fragment.filter(|it| fragments.insert(&it.name)) {
                            self.directives(&fragment.directives);
                            sets.push(&fragment.selection_set);
                        }
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &ast::DirectiveList) {
        for directive in directives.iter() {
            if let Some(definition) = self.schema.directive_definitions.get(&directive.name) {
                self.arguments(&directive.arguments, &definition.arguments);
            }
        }
    }

    fn arguments(
        &mut self,
        arguments: &[Node<ast::Argument>],
        definitions: &'a [Node<ast::InputValueDefinition>],
    ) {
        for argument in arguments {
            if let Some(definition) = definitions.iter().find(|definition| definition.name == argument.name) {
                let has_default = definition.default_value.is_some();
                self.value(&argument.value, Location { ty: Some(&definition.ty), has_default, one_of: None });
            }
        }
    }

    fn value(&mut self, value: &Node<ast::Value>, location: Location<'a>) {
        match &**value {
            ast::Value::Variable(name) => self.variable(name, value, location),
            ast::Value::List(items) => {
                let item = location.ty.map(ast::Type::item_type);
                let is_in_scalar = location.ty.is_none_or(|ty| !ty.is_list());
                for value in items {
                    if is_in_scalar && value.is_null() {
                        self.nulls.extend(value.location().map(|location| location.offset()));
                    }
                    self.value(value, Location { ty: item, has_default: false, one_of: None });
                }
            }
            ast::Value::Object(fields) => self.object(value, fields, location),
            _ => {}
        }
    }

    fn object(
        &mut self,
        object: &Node<ast::Value>,
        fields: &[(Name, Node<ast::Value>)],
        location: Location<'a>,
    ) {
        let ty = location.ty.and_then(|ty| self.schema.types.get(ty.inner_named_type()));
        let Some(ExtendedType::InputObject(ty)) = ty else {
            for (_, value) in fields {
                self.value(value, Location { ty: None, has_default: false, one_of: None });
            }
            return;
        };
        let one_of = ty.directives.has("oneOf").then_some(&ty.name);
        if one_of.is_some() && (fields.len() != 1 || fields.iter().any(|(_, value)| value.is_null())) {
            let message = format!("exactly one field of `{}` must be given, and that not null", ty.name);
            self.errors.push(InputError { message, location: object.location() });
        }
        for (name, value) in fields {
            if let Some(field) = ty.fields.get(name) {
                let has_default = field.default_value.is_some();
                self.value(value, Location { ty: Some(&field.ty), has_default, one_of });
            }
        }
    }

    fn variable(&mut self, name: &Name, usage: &Node<ast::Value>, location: Location<'_>) {
        let message = match self.operation.variables.iter().find(|variable| variable.name == *name) {
            None => format!("the variable `${name}` is not defined"),
            Some(variable) => match location {
                Location { one_of: Some(object), .. } if !variable.ty.is_non_null() => {
                    format!(
                        "the variable `${name}` of type `{}` is a field of `{object}`: it must not be nullable",
                        variable.ty
                    )
                }
                Location { ty: Some(ty), has_default, .. } if !is_allowed(variable, ty, has_default) => {
                    format!(
                        "the variable `${name}` of type `{}` cannot stand where `{ty}` is expected",
                        variable.ty
                    )
                }
                _ => return,
            },
        };
        self.errors.push(InputError { message, location: usage.location() });
    }
}

/// `IsVariableUsageAllowed` of §5.8.5.
fn is_allowed(variable: &ast::VariableDefinition, location: &ast::Type, has_default: bool) -> bool {
    if location.is_non_null() && !variable.ty.is_non_null() {
        let has_value = variable.default_value.as_ref().is_some_and(|value| !value.is_null());
        return (has_value || has_default) && variable.ty.is_assignable_to(&location.clone().nullable());
    }
    variable.ty.is_assignable_to(location)
}
