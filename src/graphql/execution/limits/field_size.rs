//! How many objects a field stands for.

use async_graphql::parser::types::{Field, OperationDefinition, OperationType};
use async_graphql::{Value, Variables};
use async_graphql_value::Value as Argument;

use crate::graphql::execution::number;
use crate::model::MAX_PAGE;

/// What the schema tells of the sizes of its fields.
#[derive(Debug, Clone, Copy)]
pub(in crate::graphql) struct FieldSizes {
    /// The fields that answer with a page, and the size of the page when nothing else is asked for.
    pub(in crate::graphql) pages: &'static [(&'static str, u32)],
    /// The fields of a page that are its items.
    pub(in crate::graphql) items: &'static [&'static str],
    /// Lists that cannot be asked for in pages, and the length that is reckoned with.
    pub(in crate::graphql) lists: &'static [(&'static str, u64)],
    /// Fields that take more work than reading an object, and what they cost besides.
    pub(in crate::graphql) surcharges: &'static [(&'static str, u64)],
    /// Root fields that answer with a page in queries, and with one item at a time in subscriptions.
    pub(in crate::graphql) streams: &'static [&'static str],
}

/// How many objects a field stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldSize {
    /// One object that has so many items.
    Page(u64),
    /// The items of the page it belongs to.
    Items,
    /// So many objects.
    List(u64),
}

/// Tells the sizes of fields from the operation's variables.
#[derive(Clone, Copy)]
pub(super) struct FieldSizing<'a> {
    sizes: &'a FieldSizes,
    operation: Option<(&'a OperationDefinition, &'a Variables)>,
}

impl<'a> FieldSizing<'a> {
    /// For an operation and the variables that it runs with.
    pub(super) fn of(
        sizes: &'a FieldSizes,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        Self { sizes, operation: Some((operation, variables)) }
    }

    /// Where sizes do not matter: variables count as absent.
    pub(super) fn without_variables(sizes: &'a FieldSizes) -> Self {
        Self { sizes, operation: None }
    }
}

impl FieldSizing<'_> {
    /// A size that the resolver will refuse counts as the largest.
    pub(super) fn size(&self, field: &Field) -> FieldSize {
        let name = field.name.node.as_str();
        let most = u64::from(MAX_PAGE);
        if let Some(ids) = field.get_argument("ids") {
            return FieldSize::List(self.length(&ids.node).min(most));
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
        self.sizes.surcharges.iter().find(|(field, _)| *field == name).map_or(0, |(_, cost)| *cost)
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

    /// A variable's value, or its default.
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
