//! The API: what clients may ask, and how it is answered.
//!
//! One file per noun holds its object, its queries and its mutations. A resolver reads its
//! arguments into [`crate::model`], makes one call to the store or the feed, and wraps what comes
//! back; it decides nothing. `context` is the one place that looks into async-graphql's context,
//! `error` the one place that turns errors into codes, `guard` what every document must pass first.

mod answer;
mod api;
mod argument;
mod change;
mod connection;
mod context;
mod conversation;
mod cursor;
mod documents;
mod error;
mod extent;
mod guard;
mod json;
mod list;
mod loaders;
mod message;
mod node;
mod number;
mod parsed;
mod part;
mod plan;
#[doc(hidden)]
pub mod probe;
mod scalar;
mod shape;
mod stream;
mod subscription;
mod telling;
mod usage;
mod validation;
mod variables;
mod viewer;

use async_graphql::{MergedObject, SDLExportOptions, Schema, SchemaBuilder};

pub use answer::{Answer, Written, is_request_error};
pub use api::{Api, Event, Operation, RequestId, Settings};
pub use context::Begun;
pub use documents::{Documents, Room};
pub use error::{Code, error_response, panicked, rate_limited};
pub use guard::Limits;
pub use json::write_value;
pub use number::{value_of, variables as variables_of};

/// The parameter that names a document, on its way among a request's extensions.
pub const DOCUMENT_ID: &str = "documentId";

/// Where reading begins.
#[derive(MergedObject, Default)]
struct Query(viewer::ViewerQuery, node::NodeQuery, conversation::ConversationQuery, change::ChangeQuery);

/// Where writing begins. Every mutation may be repeated safely.
#[derive(MergedObject, Default)]
struct Mutation(conversation::ConversationMutation, message::MessageMutation, stream::StreamMutation);

fn builder() -> SchemaBuilder<Query, Mutation, subscription::Subscription> {
    Schema::build(Query::default(), Mutation::default(), subscription::Subscription)
        .register_output_type::<node::Node>()
}

/// The schema in GraphQL's schema definition language, without a description of the schema as a whole, which
/// async-graphql's parser does not read.
fn definitions() -> String {
    let options = SDLExportOptions::new().use_space_ident().indent_width(2).include_specified_by();
    builder().finish().sdl_with_options(options)
}

/// How async-graphql's introspection describes every schema as a whole.
const DESCRIPTION: &str = "A GraphQL Schema defines the capabilities of a GraphQL server. It exposes all available \
    types and directives on the server, as well as the entry points for query, mutation, and subscription operations.";

/// The schema in GraphQL's schema definition language, as `schema.graphql` keeps it and introspection describes
/// it.
pub fn sdl() -> String {
    definitions().replace("\nschema {\n", &format!("\n\"\"\"\n{DESCRIPTION}\n\"\"\"\nschema {{\n"))
}
