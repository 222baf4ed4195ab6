//! The API: what clients may ask, and how it is answered.
//!
//! `schema` is what they may ask: the objects, inputs, queries, mutations and subscriptions. `execution` is how
//! it is answered, whatever the schema. `api` puts the two together.

mod api;
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
pub use execution::persisted_documents::{DOCUMENT_ID, PersistedDocumentLimits, PersistedDocuments};
pub use execution::request_id::RequestId;
pub use execution::response::{PendingResponse, RenderedResponse, is_request_error};
pub use execution::subscription_state::SubscriptionStarted;
pub use schema::sdl;

/// The documents of some manifests, each with the name of its file; with `only_trusted` no other is run, else
/// automatic ones are kept where there is room for them.
///
/// # Errors
/// A manifest cannot be read, a document in it is not valid, or two have the same id: said with file and id.
pub fn persisted_documents(
    manifests: &[(String, String)],
    only_trusted: bool,
    automatic: Option<PersistedDocumentLimits>,
    limits: &Limits,
) -> Result<PersistedDocuments, String> {
    PersistedDocuments::new(manifests, only_trusted, automatic, limits, schema::validator)
}
