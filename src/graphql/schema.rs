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
mod subgraph;
mod subscription;
mod usage;
mod usage_report;
mod usage_sum;
mod viewer;

use async_graphql::{MergedObject, MergedObjectTail, ObjectType, SDLExportOptions, Schema, SchemaBuilder};

use super::execution::limits::FieldSizes;
use super::execution::validation::Validator;
use crate::model::MAX_PAGE;
use subgraph::SubgraphQuery;
pub use subgraph::SubgraphSettings;
pub(super) use subscription::Subscription;

/// The root of queries.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub(super) struct QueryRoot<F: ObjectType>(
    viewer::ViewerQuery,
    node::NodeQuery,
    conversation::queries::ConversationQuery,
    change::ChangeQuery,
    message_search::SearchQuery,
    usage_report::UsageReportQuery,
    shared_conversation::SharedConversationQuery,
    F,
);

/// The root of queries.
pub(super) type Query = QueryRoot<MergedObjectTail>;

/// The root of queries of a subgraph.
pub(super) type SubgraphRoot = QueryRoot<SubgraphQuery>;

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
    arguments: &[("ids", Some(MAX_PAGE)), ("representations", None)],
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
    builder_of(Query::default())
}

/// A builder of the schema of a subgraph.
pub(super) fn subgraph_builder(
    settings: SubgraphSettings,
) -> SchemaBuilder<SubgraphRoot, Mutation, Subscription> {
    let query = SubgraphRoot { 7: SubgraphQuery::new(subgraph_sdl(), settings), ..SubgraphRoot::default() };
    builder_of(query)
}

fn builder_of<Q: ObjectType + 'static>(query: Q) -> SchemaBuilder<Q, Mutation, Subscription> {
    Schema::build(query, Mutation::default(), Subscription).register_output_type::<node::Node>()
}

/// A validator for documents of the schema.
pub(super) fn validator() -> Validator {
    Validator::new(&definitions(), FIELD_SIZES)
}

/// A validator for documents of the schema of a subgraph.
pub(super) fn subgraph_validator() -> Validator {
    Validator::new(&subgraph_definitions(), FIELD_SIZES)
}

/// The schema as SDL, without a description of the schema itself, which the parser of async-graphql does not
/// support.
pub(super) fn definitions() -> String {
    definitions_of(builder())
}

/// The schema of a subgraph, with the fields that every subgraph has.
pub(super) fn subgraph_definitions() -> String {
    definitions_of(builder_of(SubgraphRoot::default()))
}

fn definitions_of<Q: ObjectType + 'static>(builder: SchemaBuilder<Q, Mutation, Subscription>) -> String {
    let options = SDLExportOptions::new().use_space_ident().indent_width(2).include_specified_by();
    builder.finish().sdl_with_options(options)
}

/// The description of every schema in introspection of async-graphql.
const DESCRIPTION: &str = "A GraphQL Schema defines the capabilities of a GraphQL server. It exposes all available \
    types and directives on the server, as well as the entry points for query, mutation, and subscription operations.";

/// The schema as SDL, equal to `schema.graphql` and to introspection.
pub fn sdl() -> String {
    definitions().replace("\nschema {\n", &format!("\n\"\"\"\n{DESCRIPTION}\n\"\"\"\nschema {{\n"))
}

/// The SDL of the subgraph that the server is in Apollo Federation, equal to that of `_service`.
pub fn subgraph_sdl() -> String {
    subgraph::subgraph_sdl(&sdl())
}
