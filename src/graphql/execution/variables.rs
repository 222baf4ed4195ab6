//! Variables before anything runs.
//!
//! async-graphql looks at most values when a resolver first asks for them; by then, fields before that
//! one have run. The specification wants the whole request refused
//! (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>), so every value is compared with its
//! type here, by the schema as it is published. Errors name the place and the rule, never the value.

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

/// Most characters of a name in an error.
const MAX_TOLD: usize = 40;

/// The types that a variable may have besides the scalars.
#[derive(Debug, Default)]
pub(in crate::graphql) struct InputTypes(HashMap<String, InputType>);

#[derive(Debug)]
enum InputType {
    Enum(HashSet<String>),
    Object {
        fields: HashMap<String, Field>,
        /// Whether exactly one field is to be given.
        one_of: bool,
    },
}

#[derive(Debug)]
struct Field {
    of: Type,
    has_default: bool,
}

impl InputTypes {
    /// The types of a schema in GraphQL's schema definition language.
    ///
    /// # Panics
    /// The schema cannot be parsed. It is the program's own, so no input leads here.
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

    /// Compares the values with the types that the operation declares, and gives numbers the form in which
    /// resolvers read them: an Int may be written `2.0` or `2e0`. Types that do not exist are left to validation.
    ///
    /// # Errors
    /// The first value that does not fit: its place, `$input.messages[2].role`, and the rule.
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
            // A single value stands for a list of it.
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
                // The first by name, so that the same request is always shown the same.
                match absent.min_by_key(|(field, _)| *field) {
                    Some((field, known)) => Err(missing(&format!("{path}.{field}"), &known.of)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Gives variables without a value their defaults. async-graphql does so where it reads arguments, but not
/// where `@include` and `@skip` ask for a condition: those took an absent one for false.
pub(in crate::graphql) fn fill_in(definitions: &[Positioned<VariableDefinition>], given: &mut Variables) {
    for definition in definitions.iter().map(|definition| &definition.node) {
        if let Some(default) = &definition.default_value {
            given.entry(definition.name.node.clone()).or_insert_with(|| default.node.clone());
        }
    }
}

/// Refuses conditions of `@include` and `@skip` that are null: a variable of a nullable type may stand there if
/// it has a default (§5.8.5), and may be null all the same. async-graphql would take null for false.
///
/// # Errors
/// The variable that is null.
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

/// Runs `look` one step further down, and comes back up.
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
        // JSON takes any value; what is no type at all is left to validation.
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(format!("must be {rule}")) }
}

#[cfg(test)]
mod tests;
