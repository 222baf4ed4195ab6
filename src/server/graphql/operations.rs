//! Runs operations for every transport, with time limits and metrics.

use std::future::poll_fn;
use std::sync::Arc;

use async_graphql::{Request, Response};
use futures_util::{Stream, StreamExt, stream};

use super::body;
use super::recorder::Recorder;
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
    pub(in crate::server) fn prepare(
        &self,
        request: Request,
        recorder: &mut Recorder,
    ) -> Result<Operation, Box<Response>> {
        let timer = recorder.time_validation();
        let prepared = self.api.prepare(request);
        drop(timer);
        match prepared {
            Ok(mut operation) => {
                recorder.set_operation(&mut operation);
                operation.trace = recorder.trace();
                Ok(operation)
            }
            Err(refusal) => Err(self.reject(refusal, recorder)),
        }
    }

    fn reject(&self, refusal: Box<Response>, recorder: &mut Recorder) -> Box<Response> {
        self.metrics.operation_rejected(&refusal);
        recorder.set_result(&refusal);
        refusal
    }

    /// Reserves memory for a prepared operation until it has run.
    ///
    /// # Errors
    /// A response to send instead: the memory for requests is used up.
    pub(in crate::server) fn reserve_request(
        &self,
        viewer: &Viewer,
        operation: &mut Operation,
        recorder: &mut Recorder,
    ) -> Result<(), Box<Response>> {
        self.api.reserve_request(viewer, operation).map_err(|refused| {
            self.reject(Box::new(error_response(Code::Unavailable, refused.to_string())), recorder)
        })
    }

    /// Runs a query or a mutation with a time limit.
    pub(in crate::server) async fn execute(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
        mut recorder: Recorder,
    ) -> RenderedResponse {
        let mut running = self.metrics.begin(operation.kind, recorder.trace_id());
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
        recorder.set_result(&written.response);
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
        recorder: Recorder,
    ) -> impl Stream<Item = (RenderedResponse, Option<Arc<str>>)> + Send + use<> {
        let running = self.metrics.begin(operation.kind, None);
        let events = Box::pin(self.api.stream(viewer, operation, id, resume, started.clone()));
        let state = (events, running, recorder, false);
        stream::unfold(state, move |(mut events, mut running, mut recorder, over)| {
            let started = started.clone();
            async move {
                let next = poll_fn(|task| {
                    let event = events.poll_next_unpin(task);
                    // A subscription may last for hours: its record ends with its start.
                    if event.is_pending() && started.has_started() {
                        recorder.finish();
                    }
                    event
                });
                let event = if over { None } else { next.await };
                let Some(StreamedResponse { answer, cursor }) = event else {
                    running.set_complete();
                    recorder.finish();
                    return None;
                };
                let written = answer.write(body::write).await;
                let failed = written.has_failed;
                if failed {
                    running.set_result(&written.response);
                    recorder.set_result(&written.response);
                }
                recorder.finish();
                Some(((written, cursor), (events, running, recorder, failed)))
            }
        })
    }
}
