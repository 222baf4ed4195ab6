//! Suggestions for mistyped fields and arguments.

use std::collections::HashMap;

use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Schema, ast};

/// The nearest known name for each mistyped field or argument, by its offset in bytes.
pub(super) type Suggestions<'a> = HashMap<usize, &'a Name>;

/// Suggests names for all unknown fields and arguments of a document.
pub(super) fn find<'a>(schema: &'a Schema, document: &ast::Document) -> Suggestions<'a> {
    let mut found = Search { schema, suggestions: HashMap::new() };
    for definition in &document.definitions {
        match definition {
            ast::Definition::OperationDefinition(operation) => {
                if let Some(root) = schema.root_operation(operation.operation_type) {
                    found.selections(&operation.selection_set, root);
                }
            }
            ast::Definition::FragmentDefinition(fragment) => {
                found.selections(&fragment.selection_set, &fragment.type_condition);
            }
            _ => {}
        }
    }
    found.suggestions
}

struct Search<'a> {
    schema: &'a Schema,
    suggestions: Suggestions<'a>,
}

impl<'a> Search<'a> {
    fn selections(&mut self, selections: &[ast::Selection], parent: &Name) {
        for selection in selections {
            match selection {
                ast::Selection::Field(node) => match self.schema.type_field(parent, &node.name) {
                    Ok(field) => {
                        let arguments = field.arguments.iter().map(|argument| &argument.name);
                        for given in
                            node.arguments.iter().filter(|it| field.argument_by_name(&it.name).is_none())
                        {
                            self.suggest(given.location(), &given.name, arguments.clone());
                        }
                        self.selections(&node.selection_set, field.ty.inner_named_type());
                    }
                    Err(_) => {
                        let fields = match self.schema.types.get(parent) {
                            Some(ExtendedType::Object(object)) => &object.fields,
                            Some(ExtendedType::Interface(interface)) => &interface.fields,
                            _ => continue,
                        };
                        self.suggest(node.location(), &node.name, fields.keys());
                    }
                },
                ast::Selection::InlineFragment(node) => {
                    self.selections(&node.selection_set, node.type_condition.as_ref().unwrap_or(parent));
                }
                ast::Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn suggest(
        &mut self,
        location: Option<apollo_compiler::parser::SourceSpan>,
        name: &Name,
        known: impl Iterator<Item = &'a Name>,
    ) {
        let distance = |other: &Name| strsim::damerau_levenshtein(name, other);
        let nearest = known.min_by_key(|other| distance(other));
        if let (Some(location), Some(nearest)) = (location, nearest)
            && distance(nearest) <= name.len() / 3 + 1
        {
            self.suggestions.insert(location.offset(), nearest);
        }
    }
}
