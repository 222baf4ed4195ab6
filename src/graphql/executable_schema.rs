//! The schema that is executed: by itself, or as a subgraph of Apollo Federation.

use async_graphql::{ObjectType, Request, Response, Schema, SchemaBuilder, ValidationMode};
use futures_util::stream::BoxStream;

use super::schema::{self, Mutation, Query, SubgraphRoot, SubgraphSettings, Subscription};

/// The largest value of the setting `limits.nesting`.
const MAX_NESTING: usize = 64;

/// The schema that is executed. Clones share it.
#[derive(Clone)]
pub(super) enum ExecutableSchema {
    Standalone(Schema<Query, Mutation, Subscription>),
    Subgraph(Schema<SubgraphRoot, Mutation, Subscription>),
}

impl ExecutableSchema {
    /// The schema, with introspection or without, as a subgraph if there are settings for one.
    pub(super) fn new(introspection: bool, subgraph: Option<SubgraphSettings>) -> Self {
        match subgraph {
            None => Self::Standalone(limited(schema::builder(), introspection).finish()),
            Some(settings) => {
                Self::Subgraph(limited(schema::subgraph_builder(settings), introspection).finish())
            }
        }
    }

    pub(super) async fn execute(&self, request: Request) -> Response {
        match self {
            Self::Standalone(schema) => schema.execute(request).await,
            Self::Subgraph(schema) => schema.execute(request).await,
        }
    }

    pub(super) fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        match self {
            Self::Standalone(schema) => schema.execute_stream(request),
            Self::Subgraph(schema) => schema.execute_stream(request),
        }
    }
}

fn limited<Q: ObjectType + 'static>(
    builder: SchemaBuilder<Q, Mutation, Subscription>,
    introspection: bool,
) -> SchemaBuilder<Q, Mutation, Subscription> {
    // The limits are checked before, and can change. The default limit of async-graphql is lower.
    let builder = builder.limit_recursive_depth(MAX_NESTING);
    // Documents are validated when they are parsed: see `validation`.
    let builder = builder.validation_mode(ValidationMode::Fast);
    if introspection { builder } else { builder.disable_introspection().disable_suggestions() }
}
