//! The limits of a request, checked before it is executed.
//!
//! A document of a kilobyte can request more than a server can do: fragments that spread each other double
//! with every step, nested lists multiply, and nested brackets overflow a stack. So the text is checked
//! before it is parsed (`lexer`), and the document before it is validated (`measure`), in time linear in its
//! text, whatever it expands to.
//!
//! # Cost
//!
//! A scalar costs 0, an object 1, and the items of a page are multiplied by the size of the page: its
//! argument `first` or `last`, or the default of the field. The items of a page field (`conversations`) are
//! its fields `nodes` and `edges`, so the size counts once. If neither is selected, all its fields are
//! multiplied.
//!
//! ```text
//! cost(page)      = 1 + size × cost of its nodes and edges + cost of its other fields
//! cost(siblings)  = 10 × (1 + cost of its fields), and so for `parts`
//! cost(nodes)     = number of ids × (1 + cost of its fields)      where `ids` or `representations` are given
//! cost(any other) = 1 + cost of its fields
//! ```
//!
//! `{ conversations(first: 20) { nodes { messages(last: 2) { nodes { content } } } edges { node { title } } } }`
//! costs 1 + 20 × (1 + (1 + 2 × 1)) + 20 × (1 + 1) = 121. Only the operation that will run has a cost.

mod field_size;
pub(in crate::graphql) mod lexer;
mod measure;

use async_graphql::Response;
use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};

use super::error::{Code, error_response, too_complex};
use super::variables_size::VariablesSize;
pub(in crate::graphql) use field_size::FieldSizes;
use field_size::FieldSizing;
use measure::{Cycle, Measure, Measurer};

/// The most memory of a subscription's document and variables. They have no reservation, because it would last as long
/// as the subscription: the subscriptions of a few owners could leave none for the large requests of others.
const SUBSCRIPTION_BYTES: u32 = 192 * 1024;

/// The limits of a request.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The bytes of a document.
    pub document_bytes: u32,
    /// The tokens of a document.
    pub tokens: u32,
    /// The nesting of brackets, and of selections with fragments expanded. The JSON parser limits that of variables.
    pub nesting: u32,
    /// The fragments of a document.
    pub fragments: u32,
    /// The aliases in a document.
    pub aliases: u32,
    /// The directives in a document.
    pub directives: u32,
    /// The root fields of an operation.
    pub root_fields: u32,
    /// The variables that an operation declares.
    pub variables: u32,
    /// The values of all variables: lists, objects, and everything in them.
    pub values: u32,
    /// The depth of fields.
    pub depth: u32,
    /// The depth of fields within `__schema` and `__type`.
    pub introspection_depth: u32,
    /// The depth of lists within `__schema` and `__type`.
    pub introspection_lists: u32,
    /// The selections of a document with its fragments expanded.
    pub selections: u32,
    /// The cost of an operation.
    pub cost: u32,
    /// Whether `__schema` and `__type` are allowed.
    pub introspection: bool,
}

/// The reason why a request is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::graphql) enum DocumentError {
    /// A limit is exceeded.
    Over {
        /// The name of the setting.
        limit: &'static str,
        /// The text before and after the value: "the document has", "tokens".
        subject: (&'static str, &'static str),
        maximum: u32,
        actual: u64,
    },
    /// A fragment spreads itself, directly or indirectly.
    Endless(Cycle),
    /// The document uses introspection, which is off.
    Introspection,
}

impl From<Cycle> for DocumentError {
    fn from(cycle: Cycle) -> Self {
        Self::Endless(cycle)
    }
}

impl DocumentError {
    pub(in crate::graphql) fn response(&self) -> Response {
        match self {
            Self::Over { limit, maximum, actual, .. } => {
                too_complex(self.message(), limit, *maximum, *actual)
            }
            Self::Endless(_) => error_response(Code::ValidationFailed, self.message()),
            Self::Introspection => error_response(Code::IntrospectionDisabled, self.message()),
        }
    }

    pub(in crate::graphql) fn message(&self) -> String {
        match self {
            Self::Over { subject: (subject, unit), maximum, actual, .. } => {
                format!("{subject} {actual} {unit}, at most {maximum} are allowed")
            }
            Self::Endless(Cycle(fragment)) => format!("the fragment `{fragment}` spreads itself"),
            Self::Introspection => {
                "introspection is disabled: the setting `server.introspection` is off".into()
            }
        }
    }
}

/// Checks a value against its limit.
fn within(
    limit: &'static str,
    subject: (&'static str, &'static str),
    actual: impl TryInto<u64>,
    maximum: u32,
) -> Result<(), DocumentError> {
    let actual = actual.try_into().unwrap_or(u64::MAX);
    if actual <= maximum.into() {
        Ok(())
    } else {
        Err(DocumentError::Over { limit, subject, maximum, actual })
    }
}

/// Checks the memory of a subscription's document and variables, which it keeps for as long as it runs.
pub(in crate::graphql) fn check_subscription(bytes: usize) -> Result<(), DocumentError> {
    let subject = ("the document and the variables of the subscription take", "bytes of memory");
    within("subscription_bytes", subject, bytes, SUBSCRIPTION_BYTES)
}

impl Limits {
    /// Checks the text of a document before it is parsed: the parser is recursive.
    pub(in crate::graphql) fn check_text(&self, text: &str) -> Result<(), DocumentError> {
        within("document_bytes", ("the document has", "bytes"), text.len(), self.document_bytes)?;
        let scan = lexer::scan(text);
        within("tokens", ("the document has", "tokens"), scan.tokens, self.tokens)?;
        within("nesting", ("the document has", "levels of brackets"), scan.nesting, self.nesting)
    }

    /// Checks all limits of a document that do not depend on variables.
    pub(in crate::graphql) fn check_document(
        &self,
        document: &ExecutableDocument,
        sizes: &FieldSizes,
    ) -> Result<(), DocumentError> {
        within("fragments", ("the document has", "fragments"), document.fragments.len(), self.fragments)?;
        let names = measure::names(document);
        within("aliases", ("the document has", "aliases"), names.aliases, self.aliases)?;
        within("directives", ("the document has", "directives"), names.directives, self.directives)?;

        let measurer = Measurer::new(document, FieldSizing::without_variables(sizes))?;
        let mut selections = 0_u64;
        for (_, operation) in document.operations.iter() {
            let declared = operation.node.variable_definitions.len();
            within("variables", ("the operation declares", "variables"), declared, self.variables)?;
            let measure = measurer.measure(&operation.node.selection_set.node);
            self.check_shape(&measure)?;
            selections = selections.saturating_add(measure.selections);
        }
        // Unused fragments count too.
        measurer.fragments().try_for_each(|measure| self.check_size(measure))?;
        let subject = ("with its fragments spread, the document has", "selections");
        within("selections", subject, selections, self.selections)
    }

    /// Checks the variables of a document that passed [`check_document`](Self::check_document), and the cost
    /// of `operation` with them.
    pub(in crate::graphql) fn check_operation(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
        size: &VariablesSize,
        sizes: &FieldSizes,
    ) -> Result<(), DocumentError> {
        within("values", ("the variables have", "values"), size.values, self.values)?;
        let measurer = Measurer::new(document, FieldSizing::of(sizes, operation, variables))?;
        let cost = measurer.measure(&operation.selection_set.node).cost(1);
        within("cost", ("the operation costs", "points"), cost, self.cost)
    }

    fn check_size(&self, measure: &Measure) -> Result<(), DocumentError> {
        let subject = ("with its fragments spread, the document has", "selections");
        within("selections", subject, measure.selections, self.selections)?;
        within("nesting", ("the document has", "levels of selections"), measure.levels, self.nesting)
    }

    fn check_shape(&self, measure: &Measure) -> Result<(), DocumentError> {
        self.check_size(measure)?;
        within("root_fields", ("the operation has", "root fields"), measure.fields, self.root_fields)?;
        within("depth", ("the operation has", "levels of fields"), measure.depth, self.depth)?;
        if measure.introspection_depth > 0 {
            if !self.introspection {
                return Err(DocumentError::Introspection);
            }
            let subject = ("the introspection has", "levels of fields");
            within("introspection_depth", subject, measure.introspection_depth, self.introspection_depth)?;
            let subject = ("the introspection has", "levels of lists");
            within("introspection_lists", subject, measure.lists, self.introspection_lists)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
