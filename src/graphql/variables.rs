//! Variables before anything runs.
//!
//! async-graphql looks at a variable when a resolver first asks for it; by then, fields before that
//! one have run. The specification wants the whole request refused:
//! <https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>.

use async_graphql::parser::types::VariableDefinition;
use async_graphql::{Name, Positioned, Value, Variables};

/// The first variable that must be given and is not.
pub(super) fn missing<'a>(
    definitions: &'a [Positioned<VariableDefinition>],
    given: &Variables,
) -> Option<&'a Name> {
    definitions
        .iter()
        .map(|definition| &definition.node)
        .filter(|definition| !definition.var_type.node.nullable)
        .find(|definition| match given.get(&definition.name.node) {
            None => definition.default_value.is_none(),
            Some(value) => *value == Value::Null,
        })
        .map(|definition| &definition.name.node)
}
