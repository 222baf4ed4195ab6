//! The schema that is executed: by itself, or as a subgraph of Apollo Federation.

use async_graphql::{ObjectType, Request, Response, Schema, SchemaBuilder, ValidationMode};
use futures_util::stream::BoxStream;

use super::execution::limits::Limits;
use super::schema::{self, Mutation, Query, SubgraphRoot, SubgraphSettings, Subscription};

/// The schema that is executed. Clones share it.
#[derive(Clone)]
pub(super) enum ExecutableSchema {
    Standalone(Schema<Query, Mutation, Subscription>),
    Subgraph(Schema<SubgraphRoot, Mutation, Subscription>),
}

impl ExecutableSchema {
    /// The schema with these limits, as a subgraph if there are settings for one.
    pub(super) fn new(limits: &Limits, subgraph: Option<SubgraphSettings>) -> Self {
        match subgraph {
            None => Self::Standalone(limited(schema::builder(), limits).finish()),
            Some(settings) => Self::Subgraph(limited(schema::subgraph_builder(settings), limits).finish()),
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
    limits: &Limits,
) -> SchemaBuilder<Q, Mutation, Subscription> {
    // The limits are checked before. The default limit of async-graphql is lower.
    let builder = builder.limit_recursive_depth(limits.nesting as usize);
    // Documents are validated when they are parsed: see `validation`.
    let builder = builder.validation_mode(ValidationMode::Fast);
    if limits.introspection { builder } else { builder.disable_introspection().disable_suggestions() }
}
