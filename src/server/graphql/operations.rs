//! Operations as every transport runs them: bounded in time, and counted.

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
    /// Reads a request's document and finds the operation to run.
    ///
    /// # Errors
    /// A response to send instead.
    pub(in crate::server) fn prepare(&self, request: Request) -> Result<Operation, Box<Response>> {
        self.api.prepare(request).inspect_err(|refusal| self.metrics.operation_rejected(refusal))
    }

    /// Counts what a prepared operation takes until it has run.
    ///
    /// # Errors
    /// A response to send instead: there is no room for it.
    pub(in crate::server) fn reserve_request(
        &self,
        viewer: &Viewer,
        operation: &mut Operation,
    ) -> Result<(), Box<Response>> {
        let taken = self.api.reserve_request(viewer, operation);
        let taken = taken.map_err(|refused| Box::new(error_response(Code::Unavailable, refused.to_string())));
        taken.inspect_err(|refusal| self.metrics.operation_rejected(refusal))
    }

    /// Runs a query or a mutation, for as long as one may take.
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

    /// A response that is no operation's, written.
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

    /// Runs any operation as a stream, to its end or to an error without an event: a subscription's last
    /// word.
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
