//! The GraphQL API.
//!
//! `schema` contains the objects, inputs, queries, mutations and subscriptions. `execution` runs operations,
//! independent of the schema. `api` combines the two.

mod api;
mod executable_schema;
mod execution;
#[doc(hidden)]
pub mod probe;
mod schema;

pub use api::{Api, Settings};
pub use execution::error::{Code, error_response, panicked, rate_limited};
pub use execution::event_stream::StreamedResponse;
pub use execution::json_writer::write_value;
pub use execution::limits::Limits;
pub use execution::number::{value_of, variables as variables_of};
pub use execution::operation::Operation;
pub use execution::persisted_documents::{
    DOCUMENT_ID, PersistedDocumentLimits, PersistedDocuments, document_hash,
};
pub use execution::request_id::RequestId;
pub use execution::response::{PendingResponse, RenderedResponse, is_request_error};
pub use execution::subscription_state::SubscriptionStarted;
pub use schema::{SubgraphSettings, sdl, subgraph_sdl};

/// Loads the documents of manifests, each given with its file name. With `only_trusted` other documents are
/// rejected, otherwise automatic ones are cached if there is a limit for them. Documents of a subgraph may use
/// the fields of gateways.
///
/// # Errors
/// A manifest cannot be parsed, a document in it is not valid, or two documents have the same id. The error
/// names file and id.
pub fn persisted_documents(
    manifests: &[(String, String)],
    only_trusted: bool,
    automatic: Option<PersistedDocumentLimits>,
    limits: &Limits,
    subgraph: Option<SubgraphSettings>,
) -> Result<PersistedDocuments, String> {
    let validator = subgraph.map_or(schema::validator as fn() -> _, |_| schema::subgraph_validator);
    PersistedDocuments::new(manifests, only_trusted, automatic, limits, validator)
}
