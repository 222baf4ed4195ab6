//! The GraphQL schema.
//!
//! Each noun has a file with its object; the files beneath it have its fields, inputs, queries and mutations.
//! A resolver converts its arguments to types of [`crate::model`], makes one call to the store or the feed,
//! and wraps the result. It makes no decisions. [`super::execution`] runs resolvers.

mod argument;
mod attachment;
mod change;
mod context_window;
pub(in crate::graphql) mod conversation;
pub(in crate::graphql) mod cursor;
mod erasure;
mod feedback;
pub(in crate::graphql) mod message;
mod message_search;
mod message_stream;
mod node;
mod page_info;
mod part;
mod scalar;
mod share;
mod shared_conversation;
mod subscription;
mod usage;
mod usage_report;
mod usage_sum;
mod viewer;

use async_graphql::{MergedObject, SDLExportOptions, Schema, SchemaBuilder};

use super::execution::limits::FieldSizes;
use super::execution::validation::Validator;
pub(super) use subscription::Subscription;

/// The root of queries.
#[derive(MergedObject, Default)]
pub(super) struct Query(
    viewer::ViewerQuery,
    node::NodeQuery,
    conversation::queries::ConversationQuery,
    change::ChangeQuery,
    message_search::SearchQuery,
    usage_report::UsageReportQuery,
    shared_conversation::SharedConversationQuery,
);

/// The root of mutations. Every mutation can be retried safely.
#[derive(MergedObject, Default)]
pub(super) struct Mutation(
    conversation::mutations::ConversationMutation,
    message::mutations::MessageMutation,
    message_stream::StreamMutation,
    feedback::FeedbackMutation,
    erasure::ErasureMutation,
    share::ShareMutation,
    attachment::AttachmentMutation,
);

/// The sizes of the schema's fields.
pub(super) const FIELD_SIZES: &FieldSizes = &FieldSizes {
    pages: &[
        ("conversations", conversation::DEFAULT_CONVERSATIONS.size),
        ("messages", conversation::DEFAULT_MESSAGES.size),
        ("changes", change::DEFAULT_CHANGES.size),
        ("searchMessages", message_search::DEFAULT_HITS.size),
        ("usageReport", usage_report::DEFAULT_USERS.size),
        ("sharedMessages", 50),
    ],
    items: &["nodes", "edges"],
    lists: &[
        ("siblings", 10),
        ("parts", 10),
        ("messageEdges", 50),
        ("highlights", 10),
        ("labels", 100),
        ("ranges", 10),
        ("sums", 10),
        ("tags", 10),
        ("shares", 10),
        ("headers", 5),
    ],
    // A message has a field `usage`, too, which has no arguments.
    surcharges: &[("context", None, 10), ("usage", Some("since"), 500), ("usageReport", None, 500)],
    streams: &["changes"],
};

pub(super) fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription).register_output_type::<node::Node>()
}

/// A validator for documents of the schema.
pub(super) fn validator() -> Validator {
    Validator::new(&definitions(), FIELD_SIZES)
}

/// The schema as SDL, without a description of the schema itself, which the parser of async-graphql does not
/// support.
pub(super) fn definitions() -> String {
    let options = SDLExportOptions::new().use_space_ident().indent_width(2).include_specified_by();
    builder().finish().sdl_with_options(options)
}

/// The description of every schema in introspection of async-graphql.
const DESCRIPTION: &str = "A GraphQL Schema defines the capabilities of a GraphQL server. It exposes all available \
    types and directives on the server, as well as the entry points for query, mutation, and subscription operations.";

/// The schema as SDL, equal to `schema.graphql` and to introspection.
pub fn sdl() -> String {
    definitions().replace("\nschema {\n", &format!("\n\"\"\"\n{DESCRIPTION}\n\"\"\"\nschema {{\n"))
}
