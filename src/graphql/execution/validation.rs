//! Parsing and validation of documents before execution.
//!
//! apollo-compiler parses a text and checks the validation rules of the specification
//! (<https://spec.graphql.org/September2025/#sec-Validation>), except for a few, which [`inputs`] adds. A
//! valid document is converted to the syntax tree of async-graphql (`convert`), so that both use the same
//! parse. `tests/clients/validation.mjs` compares the results with those of graphql-js.

mod convert;
mod inputs;
mod parser_faults;
mod suggestions;

use std::collections::HashSet;

use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::executable::ExecutableDocument as TypedDocument;
use apollo_compiler::parser::Parser;
use apollo_compiler::response::GraphQLError;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{Schema, ast};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Pos, Response, ServerError};

use super::error::{Code, document_errors};
use super::limits::{FieldSizes, Limits};
use convert::Positions;
use suggestions::Suggestions;

/// The most reported errors of a document.
const MAX_ERRORS: usize = 10;

/// The most characters of an error message: a message may quote a literal of the document.
const MAX_MESSAGE: usize = 300;

/// Introspection types that apollo-compiler 1 lacks.
const INTROSPECTION: &str = "extend type __Type { isOneOf: Boolean }";

/// Parses documents and validates them against the schema.
pub(in crate::graphql) struct Validator {
    schema: Valid<Schema>,
    sizes: &'static FieldSizes,
}

impl Validator {
    /// A validator for a schema in SDL with these field sizes.
    ///
    /// # Panics
    /// The schema is not valid. It is part of the program.
    pub(in crate::graphql) fn new(sdl: &str, sizes: &'static FieldSizes) -> Self {
        let schema =
            Schema::builder().parse(sdl, "schema.graphql").parse(INTROSPECTION, "introspection.graphql");
        match schema.build().and_then(Schema::validate) {
            Ok(schema) => Self { schema, sizes },
            Err(invalid) => panic!("the schema of the API is not valid: {}", invalid.errors),
        }
    }

    /// The sizes of the schema's fields.
    pub(in crate::graphql) fn field_sizes(&self) -> &'static FieldSizes {
        self.sizes
    }

    /// Parses and validates a text, and converts it to the syntax tree that is executed.
    ///
    /// # Errors
    /// A response to send instead: the text exceeds a limit (QUERY_TOO_COMPLEX), is not GraphQL
    /// (GRAPHQL_PARSE_FAILED), or is not valid (GRAPHQL_VALIDATION_FAILED). Errors have locations.
    pub(in crate::graphql) fn read(
        &self,
        text: &str,
        limits: &Limits,
    ) -> Result<ExecutableDocument, Box<Response>> {
        limits.check_text(text).map_err(|refusal| refusal.response())?;
        let text = &*parser_faults::without_commas_before_colons(text);
        let parsed = Parser::new().parse_ast(text, "document").map_err(|broken| syntax(&broken.errors))?;
        if parsed.definitions.is_empty() {
            return Err(syntax_error("the document has no operation", Vec::new()));
        }
        let positions = Positions::of(text);
        if let Some(offset) = parser_faults::key_without_value(text) {
            let message = "an argument or a field of an input object has no value";
            return Err(syntax_error(message, vec![positions.at(offset)]));
        }
        let document = convert::document(&parsed, &positions);
        // Checked first, because validation takes time proportional to the size.
        limits.check_document(&document, self.sizes).map_err(|refusal| refusal.response())?;
        self.validate(&parsed, &positions, limits.introspection)?;
        Ok(document)
    }

    /// Names are suggested only if introspection is allowed.
    fn validate(
        &self,
        parsed: &ast::Document,
        positions: &Positions<'_>,
        suggests: bool,
    ) -> Result<(), Box<Response>> {
        let suggested =
            || if suggests { suggestions::find(&self.schema, parsed) } else { Suggestions::default() };
        let (typed, built) = match parsed.to_executable(&self.schema) {
            Ok(typed) => (typed, None),
            Err(broken) => (broken.partial, Some(broken.errors)),
        };
        let mut errors: Vec<ServerError> = Vec::new();
        if let Some(built) = &built {
            errors.extend(reported(built, &suggested(), &HashSet::new()));
        }
        let typed = match TypedDocument::validate(typed, &self.schema) {
            Ok(typed) => typed.into_inner(),
            Err(broken) => {
                let nulls = inputs::nulls_in_scalars(&self.schema, &broken.partial);
                errors.extend(reported(&broken.errors, &suggested(), &nulls));
                broken.partial
            }
        };
        if errors.is_empty() {
            let found = inputs::check(&self.schema, &typed, parsed);
            errors.extend(found.into_iter().map(|error| {
                let pos = error.location.map(|location| positions.at(location.offset()));
                ServerError::new(error.message, pos)
            }));
        }
        if errors.is_empty() {
            return Ok(());
        }
        errors.truncate(MAX_ERRORS);
        Err(Box::new(document_errors(Code::ValidationFailed, errors)))
    }
}

fn syntax(errors: &DiagnosticList) -> Box<Response> {
    Box::new(document_errors(Code::ParseFailed, reported(errors, &Suggestions::default(), &HashSet::new())))
}

fn syntax_error(message: &str, locations: Vec<Pos>) -> Box<Response> {
    let error = ServerError { locations, ..ServerError::new(message, None) };
    Box::new(document_errors(Code::ParseFailed, vec![error]))
}

/// The errors, without those at the offsets of values that are valid.
fn reported(
    errors: &DiagnosticList,
    suggestions: &Suggestions<'_>,
    valid: &HashSet<usize>,
) -> Vec<ServerError> {
    let offset = |diagnostic: &Diagnostic<'_, DiagnosticData>| {
        diagnostic.error.location().map(|location| location.offset())
    };
    let error = |diagnostic: Diagnostic<'_, DiagnosticData>| {
        let GraphQLError { mut message, locations, .. } = diagnostic.to_json();
        if let Some(name) = offset(&diagnostic).and_then(|offset| suggestions.get(&offset)) {
            message = format!("{message}; did you mean `{name}`?");
        }
        let locations =
            locations.into_iter().map(|at| Pos { line: at.line, column: at.column }).collect::<Vec<_>>();
        ServerError { locations, ..ServerError::new(shortened(&message), None) }
    };
    let is_error = |diagnostic: &Diagnostic<'_, DiagnosticData>| {
        offset(diagnostic).is_none_or(|offset| !valid.contains(&offset))
    };
    errors.iter().filter(is_error).take(MAX_ERRORS).map(error).collect()
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
