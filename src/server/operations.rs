//! Operations as every transport runs them: bounded in time, and counted.

use async_graphql::{Request, Response};
use futures_util::{Stream, StreamExt, stream};

use super::Shared;
use super::body::has_failed;
use crate::graphql::{Code, Event, Operation, RequestId, error_response};
use crate::model::Viewer;

impl Shared {
    /// Reads a request's document and finds the operation to run.
    ///
    /// # Errors
    /// A response to send instead.
    pub(super) fn prepare(&self, request: Request) -> Result<Operation, Box<Response>> {
        self.api.prepare(request).inspect_err(|refusal| self.metrics.refused(refusal))
    }

    /// Runs a query or a mutation, for as long as one may take.
    pub(super) async fn execute(&self, viewer: &Viewer, operation: Operation, id: RequestId) -> Response {
        let mut underway = self.metrics.begin(operation.kind);
        let execution = self.api.execute(viewer, operation, id);
        let executed = tokio::time::timeout(self.settings.execution_timeout, execution).await;
        let response = executed.unwrap_or_else(|_| {
            tracing::warn!(request = %id, "an operation took too long");
            error_response(Code::Unavailable, "the operation took too long")
        });
        underway.says(&response);
        response
    }

    /// Runs any operation as a stream, to its end or to an error without an event: a subscription's last
    /// word.
    pub(super) fn stream(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
        resume: Option<String>,
    ) -> impl Stream<Item = Event> + Send + use<> {
        let underway = self.metrics.begin(operation.kind);
        let events = Box::pin(self.api.stream(viewer, operation, id, resume));
        stream::unfold((events, underway, false), |(mut events, mut underway, over)| async move {
            let event = if over { None } else { events.next().await };
            let Some(event) = event else {
                underway.ends();
                return None;
            };
            let failed = has_failed(&event.response);
            if failed {
                underway.says(&event.response);
            }
            Some((event, (events, underway, failed)))
        })
    }
}
