//! An operation that is ready to be executed.

use async_graphql::parser::types::{DocumentOperations, OperationType};
use async_graphql::{Name, Request, Response};

use super::document_cache::DocumentCache;
use super::error::{self, Code, error_response};
use super::limits::{self, Limits};
use super::selection_plan::merges_selections;
use super::variables::{self, InputTypes};
use super::variables_size::VariablesSize;
use crate::memory::MemoryReservation;
use crate::traces::Trace;

/// A request whose document was parsed and validated, whose operation was selected, and that is within the
/// limits.
pub struct Operation {
    pub(in crate::graphql) request: Request,
    /// The type of the operation. A transport may have to reject it.
    pub kind: OperationType,
    /// Whether lists and events may be written as JSON without async-graphql.
    pub(in crate::graphql) may_prerender: bool,
    /// The approximate memory of the request, in bytes.
    pub(in crate::graphql) weight: usize,
    /// The memory reservation of the request.
    pub(in crate::graphql) held: MemoryReservation,
    /// Records reads and writes.
    pub trace: Trace,
    name: Option<Name>,
}

/// The bytes of a parsed document for each byte of its text.
const DOCUMENT: usize = 24;

impl Operation {
    /// Parses the document and selects the operation.
    ///
    /// # Errors
    /// A response to send instead: the document is not valid, exceeds a limit, or has no operation with this
    /// name.
    pub(in crate::graphql) fn prepare(
        mut request: Request,
        limits: &Limits,
        document_cache: &DocumentCache,
        types: &InputTypes,
    ) -> Result<Self, Box<Response>> {
        let document = document_cache.read(&request.query, limits)?;
        let named = |(name, operation)| (Some(name), operation);
        let operation = match (&document.operations, &request.operation_name) {
            (DocumentOperations::Single(operation), None) => Some((None, operation)),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(operations), Some(name)) => {
                operations.get_key_value(name.as_str()).map(named)
            }
            (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
                operations.iter().next().map(named)
            }
            (DocumentOperations::Multiple(_), None) => None,
        };
        let Some((name, operation)) = operation else {
            let message = "`operationName` must name one operation of the document";
            return Err(Box::new(error_response(Code::OperationResolutionFailure, message)));
        };
        let size = VariablesSize::of(&request.variables);
        let checked = limits.check_operation(
            &document,
            &operation.node,
            &request.variables,
            &size,
            document_cache.field_sizes(),
        );
        checked.map_err(|refusal| refusal.response())?;
        let definitions = &operation.node.variable_definitions;
        types.coerce(definitions, &mut request.variables).map_err(|invalid| error::invalid(&invalid))?;
        variables::fill_in(definitions, &mut request.variables);
        variables::check_conditions(&document, &operation.node, &request.variables)
            .map_err(|invalid| error::invalid(&invalid))?;
        let (kind, name) = (operation.node.ty, name.cloned());
        let may_prerender = !merges_selections(&operation.node.selection_set.node, &document.fragments);
        request.set_parsed_query(document);
        let weight = DOCUMENT * request.query.len() + size.bytes();
        if kind == OperationType::Subscription {
            limits::check_subscription(weight).map_err(|refusal| refusal.response())?;
        }
        let (held, trace) = (MemoryReservation::default(), Trace::default());
        Ok(Self { request, kind, may_prerender, weight, held, trace, name })
    }

    /// The name of the operation, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes the text of the document, which is parsed already.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.request.query)
    }
}
