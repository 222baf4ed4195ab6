//! Runs operations for every transport, with time limits and metrics.

use std::sync::Arc;

use async_graphql::{Request, Response};
use futures_util::{Stream, StreamExt, stream};

use super::body;
use crate::graphql::{
    Code, Operation, RenderedResponse, RequestId, StreamedResponse, SubscriptionStarted, error_response,
};
use crate::memory::MemoryReservation;
use crate::model::Viewer;
use crate::server::state::ServerState;

impl ServerState {
    /// Parses and validates a request's document and selects the operation.
    ///
    /// # Errors
    /// A response to send instead.
    pub(in crate::server) fn prepare(&self, request: Request) -> Result<Operation, Box<Response>> {
        self.api.prepare(request).inspect_err(|refusal| self.metrics.operation_rejected(refusal))
    }

    /// Reserves memory for a prepared operation until it has run.
    ///
    /// # Errors
    /// A response to send instead: the memory for requests is used up.
    pub(in crate::server) fn reserve_request(
        &self,
        viewer: &Viewer,
        operation: &mut Operation,
    ) -> Result<(), Box<Response>> {
        let taken = self.api.reserve_request(viewer, operation);
        let taken = taken.map_err(|refused| Box::new(error_response(Code::Unavailable, refused.to_string())));
        taken.inspect_err(|refusal| self.metrics.operation_rejected(refusal))
    }

    /// Runs a query or a mutation with a time limit.
    pub(in crate::server) async fn execute(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
    ) -> RenderedResponse {
        let mut running = self.metrics.begin(operation.kind);
        let execution = async { self.api.execute(viewer, operation, id).await.write(body::write).await };
        let executed = tokio::time::timeout(self.settings.execution_timeout, execution).await;
        let written = executed.unwrap_or_else(|_| {
            tracing::warn!(request = %id, "an operation exceeded `server.execution_timeout`");
            self.render_error(error_response(
                Code::Unavailable,
                "the operation exceeded its time limit: retry later",
            ))
        });
        running.set_result(&written.response);
        written
    }

    /// Renders an error response.
    pub(in crate::server) fn render_error(&self, response: Response) -> RenderedResponse {
        let mut bytes = Vec::new();
        body::write(&mut bytes, &response, usize::MAX);
        RenderedResponse {
            bytes: bytes.into(),
            response,
            is_request_error: true,
            has_failed: true,
            held: MemoryReservation::default(),
        }
    }

    /// Runs any operation as a stream, until it ends or fails.
    pub(in crate::server) fn stream(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
        resume: Option<String>,
        started: SubscriptionStarted,
    ) -> impl Stream<Item = (RenderedResponse, Option<Arc<str>>)> + Send + use<> {
        let running = self.metrics.begin(operation.kind);
        let events = Box::pin(self.api.stream(viewer, operation, id, resume, started));
        stream::unfold((events, running, false), |(mut events, mut running, over)| async move {
            let event = if over { None } else { events.next().await };
            let Some(StreamedResponse { answer, cursor }) = event else {
                running.set_complete();
                return None;
            };
            let written = answer.write(body::write).await;
            let failed = written.has_failed;
            if failed {
                running.set_result(&written.response);
            }
            Some(((written, cursor), (events, running, failed)))
        })
    }
}
