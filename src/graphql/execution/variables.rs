//! Coercion of variables before execution.
//!
//! async-graphql validates most values when a resolver reads them, after earlier fields have run. The
//! specification rejects the whole request (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>).
//! So every value is checked here against the types of the published schema. Errors contain the path and the
//! rule, never the value.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, Selection, Type, TypeKind, TypeSystemDefinition,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables};
use async_graphql_value::Value as Argument;

use super::number;
use crate::model::{Invalid, Timestamp};

/// The most characters of a name in an error.
const MAX_TOLD: usize = 40;

/// The input types of the schema, without scalars.
#[derive(Debug, Default)]
pub(in crate::graphql) struct InputTypes(HashMap<String, InputType>);

#[derive(Debug)]
enum InputType {
    Enum(HashSet<String>),
    Object {
        fields: HashMap<String, Field>,
        /// Whether it is a OneOf input object.
        one_of: bool,
    },
}

#[derive(Debug)]
struct Field {
    of: Type,
    has_default: bool,
}

impl InputTypes {
    /// Reads the types of a schema in SDL.
    ///
    /// # Panics
    /// The schema cannot be parsed. It is part of the program.
    pub(in crate::graphql) fn of_schema(sdl: &str) -> Self {
        let definitions = match parse_schema(sdl) {
            Ok(document) => document.definitions,
            Err(invalid) => panic!("the schema of the API cannot be parsed: {invalid}"),
        };
        let types = definitions.into_iter().filter_map(|definition| {
            let TypeSystemDefinition::Type(definition) = definition else { return None };
            let one_of =
                definition.node.directives.iter().any(|directive| directive.node.name.node == "oneOf");
            let kind = match definition.node.kind {
                TypeKind::Enum(values) => InputType::Enum(
                    values.values.into_iter().map(|value| value.node.value.to_string()).collect(),
                ),
                TypeKind::InputObject(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let has_default = field.node.default_value.is_some();
                        (field.node.name.to_string(), Field { of: field.node.ty.node, has_default })
                    });
                    InputType::Object { fields: fields.collect(), one_of }
                }
                _ => return None,
            };
            Some((definition.node.name.to_string(), kind))
        });
        Self(types.collect())
    }

    /// Checks the values against the declared types, and converts numbers to the form that resolvers read: an
    /// Int may be written as `2.0` or `2e0`. Unknown types are left to validation.
    ///
    /// # Errors
    /// The first invalid value: its path, for example `$input.messages[2].role`, and the rule.
    pub(in crate::graphql) fn coerce(
        &self,
        definitions: &[Positioned<VariableDefinition>],
        given: &mut Variables,
    ) -> Result<(), Invalid> {
        for definition in definitions.iter().map(|definition| &definition.node) {
            let of = &definition.var_type.node;
            let mut path = format!("${}", definition.name.node);
            match given.get_mut(&definition.name.node) {
                Some(value) => self.fits(value, of, &mut path)?,
                None if of.nullable || definition.default_value.is_some() => {}
                None => return Err(missing(&path, of)),
            }
        }
        Ok(())
    }

    fn fits(&self, value: &mut Value, of: &Type, path: &mut String) -> Result<(), Invalid> {
        match (value, &of.base) {
            (Value::Null, _) if of.nullable => Ok(()),
            (Value::Null, _) => {
                Err(Invalid::new(path.as_str(), format!("must not be null: its type is `{of}`")))
            }
            (Value::List(items), BaseType::List(of)) => {
                for (at, item) in items.iter_mut().enumerate() {
                    within(path, &format!("[{at}]"), |path| self.fits(item, of, path))?;
                }
                Ok(())
            }
            // A single value is coerced to a list.
            (value, BaseType::List(of)) => self.fits(value, of, path),
            (value, BaseType::Named(name)) => self.fits_named(value, name, path),
        }
    }

    fn fits_named(&self, value: &mut Value, name: &str, path: &mut String) -> Result<(), Invalid> {
        match self.0.get(name) {
            None => match scalar(value, name) {
                Ok(()) => Ok(()),
                Err(rule) => Err(Invalid::new(path.as_str(), rule)),
            },
            Some(InputType::Enum(values)) => {
                let known = match value {
                    Value::String(text) => values.contains(text),
                    Value::Enum(text) => values.contains(text.as_str()),
                    _ => false,
                };
                let rule = || format!("must be a value of the enum `{name}`");
                if known { Ok(()) } else { Err(Invalid::new(path.as_str(), rule())) }
            }
            Some(InputType::Object { fields, one_of }) => {
                let Value::Object(given) = value else {
                    return Err(Invalid::new(
                        path.as_str(),
                        format!("must be an object of the type `{name}`"),
                    ));
                };
                for (field, value) in given.iter_mut() {
                    let shown: String = field.chars().take(MAX_TOLD).collect();
                    within(path, &format!(".{shown}"), |path| match fields.get(field.as_str()) {
                        Some(known) => self.fits(value, &known.of, path),
                        None => Err(Invalid::new(path.as_str(), format!("is no field of the type `{name}`"))),
                    })?;
                }
                if *one_of && (given.len() != 1 || given.values().any(|value| *value == Value::Null)) {
                    let rule = format!("must have exactly one field of the type `{name}`, and that not null");
                    return Err(Invalid::new(path.as_str(), rule));
                }
                let absent = fields.iter().filter(|(field, known)| {
                    !known.of.nullable && !known.has_default && !given.contains_key(field.as_str())
                });
                // The first by name, so that errors are deterministic.
                match absent.min_by_key(|(field, _)| *field) {
                    Some((field, known)) => Err(missing(&format!("{path}.{field}"), &known.of)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Sets defaults of variables without a value. async-graphql does so for arguments, but treats a missing
/// condition of `@include` and `@skip` as false.
pub(in crate::graphql) fn fill_in(definitions: &[Positioned<VariableDefinition>], given: &mut Variables) {
    for definition in definitions.iter().map(|definition| &definition.node) {
        if let Some(default) = &definition.default_value {
            given.entry(definition.name.node.clone()).or_insert_with(|| default.node.clone());
        }
    }
}

/// Rejects null as condition of `@include` and `@skip`. A nullable variable with a default is allowed there
/// (§5.8.5) and can be null. async-graphql would treat null as false.
///
/// # Errors
/// A variable is null.
pub(in crate::graphql) fn check_conditions(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    given: &Variables,
) -> Result<(), Invalid> {
    let is_null = |name: &Name| given.get(name) == Some(&Value::Null);
    if !operation.variable_definitions.iter().any(|definition| is_null(&definition.node.name.node)) {
        return Ok(());
    }
    let mut sets = vec![&operation.selection_set.node];
    let fragments = document.fragments.values().map(|fragment| &fragment.node);
    sets.extend(fragments.map(|fragment| &fragment.selection_set.node));
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            for directive in selection.node.directives() {
                if let Some(Argument::Variable(name)) = directive.node.get_argument("if").map(|it| &it.node)
                    && is_null(name)
                {
                    let rule = format!("must not be null where `@{}` asks for it", directive.node.name.node);
                    return Err(Invalid::new(format!("${name}"), rule));
                }
            }
            match &selection.node {
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    Ok(())
}

fn missing(path: &str, of: &Type) -> Invalid {
    Invalid::new(path, format!("must be given: its type is `{of}`"))
}

/// Runs `look` with a longer path, then restores the path.
fn within<T>(path: &mut String, step: &str, look: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push_str(step);
    let seen = look(path);
    path.truncate(length);
    seen
}

/// Input coercion of the scalars: <https://spec.graphql.org/draft/#sec-Scalars.Input-Coercion>.
fn scalar(value: &mut Value, name: &str) -> Result<(), String> {
    let (fits, rule) = match name {
        "Int" => {
            let number = number::whole(value).and_then(|number| i32::try_from(number).ok());
            if let Some(number) = number {
                *value = Value::from(number);
            }
            (number.is_some(), "an Int: a whole number of 32 bits")
        }
        "Float" => {
            let float = number::float(value);
            if let Some(float) = float {
                *value = Value::from(float);
            }
            (float.is_some(), "a Float: a number")
        }
        "String" => (matches!(value, Value::String(_)), "a String"),
        "Boolean" => (matches!(value, Value::Boolean(_)), "a Boolean: true or false"),
        "ID" => {
            if let Some(digits) = number::digits(value) {
                *value = Value::String(digits);
            }
            (matches!(value, Value::String(_)), "an ID: a string or a whole number")
        }
        "DateTime" => {
            let is_time = |text: &str| Timestamp::parse("DateTime", text).is_ok();
            let fits = matches!(value, Value::String(text) if is_time(text));
            (fits, "a DateTime such as \"2026-11-21T09:30:00Z\"")
        }
        // JSON accepts any value. Unknown types are left to validation.
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(format!("must be {rule}")) }
}

#[cfg(test)]
mod tests;
