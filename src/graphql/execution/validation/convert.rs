//! Converts the syntax tree of apollo-compiler to that of async-graphql, which is executed.
//!
//! If a name is defined twice, the first definition is converted. Validation rejects such a document later.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use apollo_compiler::{Name, Node, ast};
use async_graphql::parser::types::{
    BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread,
    InlineFragment, OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeCondition,
    VariableDefinition,
};
use async_graphql::{Pos, Positioned};
use async_graphql_value::{ConstValue, Name as ValueName, Value};

use crate::graphql::execution::number;

/// Line and column of each byte of a text.
pub(super) struct Positions<'a> {
    text: &'a str,
    /// The start of each line, in bytes.
    lines: Vec<usize>,
}

impl<'a> Positions<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        // `\r\n` is one line terminator: https://spec.graphql.org/September2025/#LineTerminator
        let ends_line = |at: usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let after = (0..bytes.len()).filter(|at| ends_line(*at)).map(|at| at + 1);
        Self { text, lines: std::iter::once(0).chain(after).collect() }
    }

    /// The line and column of a byte offset, counted from 1, columns in code points.
    pub(super) fn at(&self, offset: usize) -> Pos {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line - 1];
        let column = if self.text.is_ascii() {
            offset - start
        } else {
            self.text.get(start..offset).map_or(0, |before| before.chars().count())
        };
        Pos { line, column: column + 1 }
    }

    fn of_node<T>(&self, node: &Node<T>) -> Pos {
        node.location().map(|location| self.at(location.offset())).unwrap_or_default()
    }

    fn of_name(&self, name: &Name) -> Pos {
        name.location().map(|location| self.at(location.offset())).unwrap_or_default()
    }

    fn name(&self, name: &Name) -> Positioned<ValueName> {
        Positioned::new(ValueName::new(name.as_str()), self.of_name(name))
    }
}

/// Converts the operations and fragments of a document.
pub(super) fn document(document: &ast::Document, positions: &Positions<'_>) -> ExecutableDocument {
    let mut anonymous = None;
    let mut named = HashMap::new();
    let mut fragments = HashMap::new();
    for definition in &document.definitions {
        match definition {
            ast::Definition::OperationDefinition(node) => {
                let converted = || Positioned::new(positions.operation(node), positions.of_node(node));
                match &node.name {
                    None if anonymous.is_none() => anonymous = Some(converted()),
                    None => {}
                    Some(name) => {
                        if let Entry::Vacant(entry) = named.entry(ValueName::new(name.as_str())) {
                            entry.insert(converted());
                        }
                    }
                }
            }
            ast::Definition::FragmentDefinition(node) => {
                if let Entry::Vacant(entry) = fragments.entry(ValueName::new(node.name.as_str())) {
                    entry.insert(Positioned::new(positions.fragment(node), positions.of_node(node)));
                }
            }
            _ => {}
        }
    }
    let operations = match anonymous {
        Some(operation) if named.is_empty() => DocumentOperations::Single(operation),
        _ => DocumentOperations::Multiple(named),
    };
    ExecutableDocument { operations, fragments }
}

impl Positions<'_> {
    fn operation(&self, operation: &ast::OperationDefinition) -> OperationDefinition {
        OperationDefinition {
            ty: match operation.operation_type {
                ast::OperationType::Query => OperationType::Query,
                ast::OperationType::Mutation => OperationType::Mutation,
                ast::OperationType::Subscription => OperationType::Subscription,
            },
            variable_definitions: self.each(&operation.variables, Self::variable),
            directives: self.each(&operation.directives.0, Self::directive),
            selection_set: self.selections(&operation.selection_set),
        }
    }

    fn fragment(&self, fragment: &ast::FragmentDefinition) -> FragmentDefinition {
        FragmentDefinition {
            type_condition: self.type_condition(&fragment.type_condition),
            directives: self.each(&fragment.directives.0, Self::directive),
            selection_set: self.selections(&fragment.selection_set),
        }
    }

    fn type_condition(&self, on: &Name) -> Positioned<TypeCondition> {
        Positioned::new(TypeCondition { on: self.name(on) }, self.of_name(on))
    }

    fn variable(&self, variable: &ast::VariableDefinition) -> VariableDefinition {
        // The parser has rejected variables in default values.
        let default_value = variable.default_value.as_ref().map(|node| {
            let value = self.value(node).into_const().unwrap_or(ConstValue::Null);
            Positioned::new(value, self.of_node(node))
        });
        VariableDefinition {
            name: self.name(&variable.name),
            var_type: Positioned::new(type_of(&variable.ty), self.of_node(&variable.ty)),
            directives: self.each(&variable.directives.0, Self::directive),
            default_value,
        }
    }

    fn selections(&self, selections: &[ast::Selection]) -> Positioned<SelectionSet> {
        let items = selections.iter().map(|selection| self.selection(selection)).collect::<Vec<_>>();
        let pos = items.first().map(|first| first.pos).unwrap_or_default();
        Positioned::new(SelectionSet { items }, pos)
    }

    fn selection(&self, selection: &ast::Selection) -> Positioned<Selection> {
        match selection {
            ast::Selection::Field(node) => {
                let pos = self.of_node(node);
                let field = Field {
                    alias: node.alias.as_ref().map(|alias| self.name(alias)),
                    name: self.name(&node.name),
                    arguments: self.arguments(&node.arguments),
                    directives: self.each(&node.directives.0, Self::directive),
                    selection_set: self.selections(&node.selection_set),
                };
                Positioned::new(Selection::Field(Positioned::new(field, pos)), pos)
            }
            ast::Selection::FragmentSpread(node) => {
                let pos = self.of_node(node);
                let spread = FragmentSpread {
                    fragment_name: self.name(&node.fragment_name),
                    directives: self.each(&node.directives.0, Self::directive),
                };
                Positioned::new(Selection::FragmentSpread(Positioned::new(spread, pos)), pos)
            }
            ast::Selection::InlineFragment(node) => {
                let pos = self.of_node(node);
                let fragment = InlineFragment {
                    type_condition: node.type_condition.as_ref().map(|on| self.type_condition(on)),
                    directives: self.each(&node.directives.0, Self::directive),
                    selection_set: self.selections(&node.selection_set),
                };
                Positioned::new(Selection::InlineFragment(Positioned::new(fragment, pos)), pos)
            }
        }
    }

    fn directive(&self, directive: &ast::Directive) -> Directive {
        Directive { name: self.name(&directive.name), arguments: self.arguments(&directive.arguments) }
    }

    fn arguments(
        &self,
        arguments: &[Node<ast::Argument>],
    ) -> Vec<(Positioned<ValueName>, Positioned<Value>)> {
        let argument = |node: &Node<ast::Argument>| {
            (self.name(&node.name), Positioned::new(self.value(&node.value), self.of_node(&node.value)))
        };
        arguments.iter().map(argument).collect()
    }

    fn value(&self, node: &Node<ast::Value>) -> Value {
        match &**node {
            ast::Value::Null => Value::Null,
            ast::Value::Boolean(value) => Value::Boolean(*value),
            ast::Value::Enum(name) => Value::Enum(ValueName::new(name.as_str())),
            ast::Value::Variable(name) => Value::Variable(ValueName::new(name.as_str())),
            ast::Value::String(text) => Value::String(text.clone()),
            // Where an Int is expected, zero is zero.
            ast::Value::Int(value) if value.as_str() == "-0" => Value::Number(0.into()),
            ast::Value::Int(value) => number::of_text(value.as_str()).into_value(),
            ast::Value::Float(value) => number::of_text(value.as_str()).into_value(),
            ast::Value::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            ast::Value::Object(fields) => {
                let field = |(name, value): &(Name, Node<ast::Value>)| {
                    (ValueName::new(name.as_str()), self.value(value))
                };
                Value::Object(fields.iter().map(field).collect())
            }
        }
    }

    fn each<T, U>(&self, nodes: &[Node<T>], convert: impl Fn(&Self, &T) -> U) -> Vec<Positioned<U>> {
        nodes.iter().map(|node| Positioned::new(convert(self, node), self.of_node(node))).collect()
    }
}

fn type_of(ty: &ast::Type) -> Type {
    let named = |name: &Name| BaseType::Named(ValueName::new(name.as_str()));
    let (base, nullable) = match ty {
        ast::Type::Named(name) => (named(name), true),
        ast::Type::NonNullNamed(name) => (named(name), false),
        ast::Type::List(item) => (BaseType::List(Box::new(type_of(item))), true),
        ast::Type::NonNullList(item) => (BaseType::List(Box::new(type_of(item))), false),
    };
    Type { base, nullable }
}
