//! Scrollback as an [`async_graphql::Executor`], for applications that embed it.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{BatchRequest, BatchResponse, Data, Executor as GraphqlExecutor, Request, Response};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::clock::Clock;
use crate::graphql::{Api, Code, Operation, RequestId, error_response, rate_limited};
use crate::model::Viewer;
use crate::rate_limit::RateLimiter;

/// Runs operations with all limits of the configuration. Clones share everything.
///
/// The viewer is that of [`Executor::for_viewer`], or else a [`Viewer`] in the data of the request or of the
/// WebSocket session. An operation without a viewer is rejected with UNAUTHENTICATED: the application
/// verifies credentials, not the executor.
#[derive(Clone)]
pub struct Executor {
    pub(super) api: Api,
    pub(super) clock: Clock,
    pub(super) rate: RateLimiter,
    pub(super) execution_timeout: Duration,
    pub(super) viewer: Option<Viewer>,
}

impl Executor {
    /// The same executor for one viewer.
    #[must_use]
    pub fn for_viewer(&self, viewer: Viewer) -> Self {
        Self { viewer: Some(viewer), ..self.clone() }
    }

    fn viewer(&self, data: [Option<&Data>; 2]) -> Option<Viewer> {
        let given = data.into_iter().flatten().find_map(|data| {
            data.get(&TypeId::of::<Viewer>()).and_then(|viewer| viewer.downcast_ref::<Viewer>())
        });
        self.viewer.as_ref().or(given).cloned()
    }

    /// The viewer and the operation to run.
    ///
    /// # Errors
    /// A response to send instead.
    fn prepare(
        &self,
        request: Request,
        session: Option<&Data>,
    ) -> Result<(Viewer, Operation, RequestId), Box<Response>> {
        let Some(viewer) = self.viewer([Some(&request.data), session]) else {
            let message = "the application provided no viewer for this operation";
            return Err(Box::new(error_response(Code::Unauthenticated, message)));
        };
        self.rate.check(&viewer.owner).map_err(|wait| Box::new(rate_limited(wait)))?;
        let mut operation = self.api.prepare(request)?;
        self.api
            .reserve_request(&viewer, &mut operation)
            .map_err(|refused| Box::new(error_response(Code::Unavailable, refused.to_string())))?;
        Ok((viewer, operation, RequestId(self.clock.new_id())))
    }

    /// Runs a query or a mutation with a timeout.
    async fn run(self, viewer: Viewer, operation: Operation, id: RequestId) -> Response {
        let executed =
            tokio::time::timeout(self.execution_timeout, self.api.respond(&viewer, operation, id)).await;
        executed.unwrap_or_else(|_| {
            tracing::warn!(request = %id, "an operation exceeded `server.execution_timeout`");
            error_response(Code::Unavailable, "the operation exceeded its time limit: retry later")
        })
    }
}

impl GraphqlExecutor for Executor {
    async fn execute(&self, request: Request) -> Response {
        let (viewer, operation, id) = match self.prepare(request, None) {
            Ok(prepared) => prepared,
            Err(refused) => return *refused,
        };
        if operation.kind == OperationType::Subscription {
            return error_response(Code::BadRequest, "a subscription needs a WebSocket or multipart/mixed");
        }
        self.clone().run(viewer, operation, id).await
    }

    async fn execute_batch(&self, batch: BatchRequest) -> BatchResponse {
        BatchResponse::Single(match batch {
            BatchRequest::Single(request) => self.execute(request).await,
            BatchRequest::Batch(_) => error_response(Code::BadRequest, "batches are not supported"),
        })
    }

    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        match self.prepare(request, session.as_deref()) {
            Err(refused) => stream::iter([*refused]).boxed(),
            Ok((viewer, operation, id)) if operation.kind == OperationType::Subscription => {
                self.api.respond_with_stream(&viewer, operation, id).boxed()
            }
            Ok((viewer, operation, id)) => stream::once(self.clone().run(viewer, operation, id)).boxed(),
        }
    }
}
