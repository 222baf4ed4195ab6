//! The schema: what clients may ask.
//!
//! One file a noun holds its object; the files beneath it hold its fields, inputs, queries and mutations. A
//! resolver reads its arguments into [`crate::model`], makes one call to the store or the feed, and wraps what
//! comes back; it decides nothing. What runs resolvers is [`super::execution`].

mod argument;
mod change;
mod context_window;
pub(in crate::graphql) mod conversation;
pub(in crate::graphql) mod cursor;
pub(in crate::graphql) mod message;
mod message_stream;
mod node;
mod page_info;
mod part;
mod scalar;
mod subscription;
mod usage;
mod viewer;

use async_graphql::{MergedObject, SDLExportOptions, Schema, SchemaBuilder};

use super::execution::limits::FieldSizes;
use super::execution::validation::Validator;
pub(super) use subscription::Subscription;

/// Where reading begins.
#[derive(MergedObject, Default)]
pub(super) struct Query(
    viewer::ViewerQuery,
    node::NodeQuery,
    conversation::queries::ConversationQuery,
    change::ChangeQuery,
);

/// Where writing begins. Every mutation may be repeated safely.
#[derive(MergedObject, Default)]
pub(super) struct Mutation(
    conversation::mutations::ConversationMutation,
    message::mutations::MessageMutation,
    message_stream::StreamMutation,
);

/// How large the fields of the schema are.
pub(super) const FIELD_SIZES: &FieldSizes = &FieldSizes {
    pages: &[
        ("conversations", conversation::DEFAULT_CONVERSATIONS.size),
        ("messages", conversation::DEFAULT_MESSAGES.size),
        ("changes", change::DEFAULT_CHANGES.size),
    ],
    items: &["nodes", "edges"],
    lists: &[("siblings", 10), ("parts", 10), ("messageEdges", 50), ("ranges", 10)],
    surcharges: &[("context", 10)],
    streams: &["changes"],
};

pub(super) fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription).register_output_type::<node::Node>()
}

/// A validator of documents for the schema.
pub(super) fn validator() -> Validator {
    Validator::new(&definitions(), FIELD_SIZES)
}

/// The schema in GraphQL's schema definition language, without a description of the schema as a whole, which
/// async-graphql's parser does not read.
pub(super) fn definitions() -> String {
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
