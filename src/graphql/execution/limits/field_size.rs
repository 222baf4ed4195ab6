//! The number of objects that a field returns.

use async_graphql::parser::types::{Field, OperationDefinition, OperationType};
use async_graphql::{Value, Variables};
use async_graphql_value::Value as Argument;

use crate::graphql::execution::number;
use crate::model::MAX_PAGE;

/// The sizes of the schema's fields.
#[derive(Debug, Clone, Copy)]
pub(in crate::graphql) struct FieldSizes {
    /// The fields that return a page, and the default size of the page.
    pub(in crate::graphql) pages: &'static [(&'static str, u32)],
    /// The arguments that list the objects that a field returns, and the most that can be: the resolver rejects more.
    pub(in crate::graphql) arguments: &'static [(&'static str, Option<u32>)],
    /// The fields of a page that contain its items.
    pub(in crate::graphql) items: &'static [&'static str],
    /// Lists without pages, and the assumed length.
    pub(in crate::graphql) lists: &'static [(&'static str, u64)],
    /// Fields that cost more than the objects they return, and the additional cost. Where fields of other types have the
    /// same name, an argument that only this one has.
    pub(in crate::graphql) surcharges: &'static [(&'static str, Option<&'static str>, u64)],
    /// Root fields that return a page in queries and single items in subscriptions.
    pub(in crate::graphql) streams: &'static [&'static str],
}

/// The number of objects that a field returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldSize {
    /// One object with this number of items.
    Page(u64),
    /// The items of the page that the field belongs to.
    Items,
    /// This number of objects.
    List(u64),
}

/// Computes the sizes of fields with the operation's variables.
#[derive(Clone, Copy)]
pub(super) struct FieldSizing<'a> {
    sizes: &'a FieldSizes,
    operation: Option<(&'a OperationDefinition, &'a Variables)>,
}

impl<'a> FieldSizing<'a> {
    /// For an operation and its variables.
    pub(super) fn of(
        sizes: &'a FieldSizes,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        Self { sizes, operation: Some((operation, variables)) }
    }

    /// Without variables, if sizes do not matter.
    pub(super) fn without_variables(sizes: &'a FieldSizes) -> Self {
        Self { sizes, operation: None }
    }
}

impl FieldSizing<'_> {
    /// An invalid size counts as the largest: the resolver rejects it.
    pub(super) fn size(&self, field: &Field) -> FieldSize {
        let name = field.name.node.as_str();
        let most = u64::from(MAX_PAGE);
        let given = |(name, most)| Some((field.get_argument(name)?, most));
        if let Some((objects, most)) = self.sizes.arguments.iter().copied().find_map(given) {
            let length = self.length(&objects.node);
            return FieldSize::List(most.map_or(length, |most: u32| length.min(most.into())));
        }
        if self.sizes.items.contains(&name) {
            return FieldSize::Items;
        }
        if self.sizes.streams.contains(&name)
            && self.operation.is_some_and(|(operation, _)| operation.ty == OperationType::Subscription)
        {
            // One event at a time.
            return FieldSize::List(1);
        }
        if let Some((_, length)) = self.sizes.lists.iter().find(|(list, _)| *list == name) {
            return FieldSize::List(*length);
        }
        let asked = |name| self.number(&field.get_argument(name)?.node);
        let default =
            || self.sizes.pages.iter().find(|(page, _)| *page == name).map(|(_, page)| u64::from(*page));
        let size = asked("first").max(asked("last")).or_else(default);
        FieldSize::Page(size.unwrap_or(1).clamp(1, most))
    }

    /// What a field costs besides its objects.
    pub(super) fn surcharge(&self, field: &Field) -> u64 {
        let name = field.name.node.as_str();
        let mut surcharges = self.sizes.surcharges.iter();
        let found = surcharges.find(|(surcharged, argument, _)| {
            *surcharged == name && argument.is_none_or(|argument| field.get_argument(argument).is_some())
        });
        found.map_or(0, |(_, _, cost)| *cost)
    }

    fn number(&self, argument: &Argument) -> Option<u64> {
        match argument {
            Argument::Number(number) => Some(number.as_u64().unwrap_or_default()),
            Argument::Variable(name) => match self.variable(name)? {
                value if number::is_number(value) => {
                    Some(number::whole(value).and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn length(&self, argument: &Argument) -> u64 {
        let length = match argument {
            Argument::List(items) => items.len(),
            Argument::Variable(name) => match self.variable(name) {
                Some(Value::List(items)) => items.len(),
                _ => 1,
            },
            _ => 1,
        };
        length.try_into().unwrap_or(u64::MAX)
    }

    /// The value of a variable, or its default.
    fn variable(&self, name: &str) -> Option<&Value> {
        let (operation, variables) = self.operation?;
        let declared = || {
            let mut definitions = operation.variable_definitions.iter();
            let definition = definitions.find(|definition| definition.node.name.node == name)?;
            definition.node.default_value.as_ref().map(|value| &value.node)
        };
        variables.get(name).or_else(declared)
    }
}
