//! Records operations: as spans of a trace, and in the log if they are slow.

use std::time::{Duration, Instant};

use async_graphql::Response;
use async_graphql::parser::types::OperationType;

use crate::graphql::{Code, Operation, RequestId, document_hash};
use crate::server::metrics;
use crate::server::state::ServerState;
use crate::traces::{Kind, Parent, Part, PartTimer, PartTimes, Span, Trace};

/// The longest name of an operation that is recorded, in bytes. Names are ASCII.
const MAX_NAME_BYTES: usize = 100;

/// The code of an operation whose client disconnected.
const CANCELLED: &str = "CANCELLED";

/// Records an operation, if there is anything to record.
#[derive(Default)]
pub(in crate::server) struct Recorder(Option<Box<Recording>>);

struct Recording {
    span: Span,
    trace: Trace,
    started: Instant,
    /// The time from which on it is logged.
    slow: Option<Duration>,
    kind: &'static str,
    name: Option<String>,
    /// The text of the document. Only its hash is recorded.
    document: Option<String>,
    id: RequestId,
    code: Option<String>,
}

impl ServerState {
    /// A recorder for an operation of a request with this trace.
    pub(in crate::server) fn record_request(&self, trace: &Trace, id: RequestId) -> Recorder {
        self.record(id, || trace.child("GraphQL Operation", Kind::Internal))
    }

    /// A recorder for an operation of a WebSocket.
    pub(in crate::server) fn record_message(&self, parent: Option<&Parent>, id: RequestId) -> Recorder {
        self.record(id, || self.settings.tracer.begin("GraphQL Operation", Kind::Server, parent))
    }

    fn record(&self, id: RequestId, span: impl FnOnce() -> Span) -> Recorder {
        let (span, slow) = (span(), self.settings.slow_operation);
        if !span.is_sampled() && slow.is_none() {
            return Recorder::default();
        }
        let trace = span.trace(slow.is_some(), self.store.system_name());
        Recorder(Some(Box::new(Recording {
            span,
            trace,
            started: Instant::now(),
            slow,
            kind: "unknown",
            name: None,
            document: None,
            id,
            code: None,
        })))
    }
}

impl Recorder {
    /// For the parts of the operation.
    pub(in crate::server) fn trace(&self) -> Trace {
        self.0.as_ref().map(|recording| recording.trace.clone()).unwrap_or_default()
    }

    /// The id of the trace, if it is sampled.
    pub(in crate::server) fn trace_id(&self) -> Option<String> {
        self.0.as_ref().and_then(|recording| recording.span.trace_id())
    }

    /// Times parsing and validation, until the timer is dropped.
    pub(in crate::server) fn time_validation(&self) -> Option<PartTimer> {
        self.0.as_ref().map(|recording| recording.trace.time(Part::Validate))
    }

    /// Takes what describes a prepared operation.
    pub(in crate::server) fn set_operation(&mut self, operation: &mut Operation) {
        let Some(recording) = self.0.as_deref_mut() else { return };
        recording.kind = match operation.kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        recording.name = operation.name().filter(|name| name.len() <= MAX_NAME_BYTES).map(str::to_owned);
        let document = operation.take_text();
        let hash = recording.span.is_sampled().then(|| document_hash(&document));
        recording.document = Some(document);
        let Some(hash) = hash else { return };
        let span = &mut recording.span;
        span.set("graphql.operation.type", recording.kind);
        span.set("graphql.document.hash", format!("sha256:{hash}"));
        match &recording.name {
            Some(name) => {
                span.set("graphql.operation.name", name.clone());
                span.rename(format!("{} {name}", recording.kind));
            }
            None => span.rename(recording.kind.to_owned()),
        }
    }

    /// Sets the result.
    pub(in crate::server) fn set_result(&mut self, response: &Response) {
        if let Some(recording) = self.0.as_deref_mut() {
            recording.code = Some(metrics::code(response));
        }
    }

    /// Says that the transport rejects the operation.
    pub(in crate::server) fn reject(&mut self, code: Code) {
        if let Some(recording) = self.0.as_deref_mut() {
            recording.code = Some(code.as_str().to_owned());
        }
    }

    /// Ends the record: with the result that was set, or else as successful.
    pub(in crate::server) fn finish(&mut self) {
        if let Some(mut recording) = self.0.take() {
            recording.code.get_or_insert_with(|| "OK".to_owned());
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let code = self.code.take().unwrap_or_else(|| CANCELLED.to_owned());
        match code.as_str() {
            "OK" => {}
            CANCELLED => self.span.set("error.type", CANCELLED),
            _ => self.span.fail(code.clone()),
        }
        let duration = self.started.elapsed();
        if self.slow.is_some_and(|slow| duration >= slow) && self.kind != "subscription" {
            self.log(duration, &code);
        }
    }
}

impl Recording {
    fn log(&self, duration: Duration, code: &str) {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let PartTimes { validate, read, queue_wait, write, commit } = self.trace.times();
        tracing::warn!(
            request = %self.id,
            kind = self.kind,
            name = self.name.as_deref().unwrap_or_default(),
            document_sha256 = self.document.as_deref().map(document_hash),
            code,
            duration_ms = millis(duration),
            validate_ms = millis(validate),
            read_ms = millis(read),
            queue_wait_ms = millis(queue_wait),
            write_ms = millis(write),
            commit_ms = millis(commit),
            "a slow operation"
        );
    }
}
