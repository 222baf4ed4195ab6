//! A collector of OpenTelemetry: it takes spans over OTLP/HTTP, in protobuf.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::TIMEOUT;

/// A request that arrived.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a collector answers.
pub(crate) enum CollectorAnswer {
    /// A status, and nothing is taken. A client that tries again need not wait.
    Refused(u16),
    /// All is taken but this many spans.
    Rejected(i64),
}

/// What a collector shares with its handler.
struct Shared {
    exports: watch::Sender<Vec<Export>>,
    /// The first answers. Then it takes everything.
    answers: Mutex<VecDeque<CollectorAnswer>>,
}

/// A collector that keeps what it gets.
pub(crate) struct Collector {
    /// The base URL, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    pub(crate) url: String,
    exports: watch::Receiver<Vec<Export>>,
    task: AbortHandle,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::answering(Vec::new()).await
    }

    /// One that answers like this first.
    pub(crate) async fn answering(answers: Vec<CollectorAnswer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, exports) = watch::channel(Vec::new());
        let shared = Arc::new(Shared { exports: sender, answers: Mutex::new(answers.into()) });
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(shared);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { url, exports, task }
    }

    /// The URL for traces.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}/v1/traces", self.url)
    }

    /// What has arrived so far.
    pub(crate) fn exports(&self) -> Vec<Export> {
        self.exports.borrow().clone()
    }

    /// The spans that have arrived so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        spans(&self.exports.borrow())
    }

    /// Waits until the spans that have arrived are what the test waits for.
    pub(crate) async fn spans_when(&self, is_complete: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut exports = self.exports.clone();
        let complete = exports.wait_for(|exports| is_complete(&spans(exports)));
        let complete = timeout(TIMEOUT, complete).await;
        assert!(complete.is_ok(), "{:#?}", self.spans());
        drop(complete);
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if headers[header::CONTENT_TYPE] != "application/x-protobuf" {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let mut response = ExportTraceServiceResponse::default();
    match shared.answers.lock().unwrap().pop_front() {
        Some(CollectorAnswer::Refused(status)) => {
            return (StatusCode::from_u16(status).unwrap(), [(header::RETRY_AFTER, "0")]).into_response();
        }
        Some(CollectorAnswer::Rejected(rejected_spans)) => {
            let error_message = "too many".to_owned();
            response.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        }
        None => {}
    }
    shared.exports.send_modify(|exports| exports.push(Export { headers, body }));
    ([(header::CONTENT_TYPE, "application/x-protobuf")], response.encode_to_vec()).into_response()
}

fn spans(exports: &[Export]) -> Vec<Span> {
    let requests = exports.iter().map(Export::request);
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

impl Export {
    fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.clone()).unwrap()
    }

    /// An attribute of the server that sent it.
    pub(crate) fn resource(&self, name: &str) -> Option<String> {
        text(&self.request().resource_spans.remove(0).resource.unwrap().attributes, name)
    }
}

/// An attribute of a span, as text.
pub(crate) fn attribute(span: &Span, name: &str) -> Option<String> {
    text(&span.attributes, name)
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
