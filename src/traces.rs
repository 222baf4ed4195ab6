//! Traces of OpenTelemetry: spans of sampled operations, sent to a collector; and the times that parts of operations take.
//!
//! A [`Trace`] goes with an operation from the transport to the database. It is empty unless the operation is sampled or
//! the log of slow operations is on, and then costs a null check. Sampling is decided once, where a trace begins:
//! by the caller if it sends a `traceparent` (<https://www.w3.org/TR/trace-context/>), by chance otherwise.
//!
//! Finished spans go to a bounded queue (`span_queue`), and a task sends them in batches (`exporter`). If the
//! collector does not take them, they are counted and dropped. Operations never wait.
//!
//! Spans contain names, hashes of documents, sizes and times: no owners, ids, texts, variables, tokens or values of
//! statements.

mod collector;
mod exporter;
mod kind;
mod parent;
mod part;
mod settings;
mod span;
mod span_queue;
mod trace;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use collector::Collector;
use exporter::Exporter;
pub use kind::Kind;
pub use parent::Parent;
pub use part::{Part, PartTimes};
pub use settings::Settings;
pub use span::Span;
pub use span_queue::SpanFigures;
use span_queue::SpanQueue;
pub use trace::{PartTimer, Trace};

/// Begins traces. Clones share the queue. The default one begins none.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    tracer: SdkTracer,
    /// The fraction of traces that are sampled if the caller has not decided.
    sample_ratio: f64,
    accepts_parents: bool,
    figures: Arc<span_queue::Counters>,
    closing: CancellationToken,
    exporter: Mutex<Option<JoinHandle<()>>>,
}

impl Tracer {
    /// Starts to send spans to the collector of the settings.
    ///
    /// # Errors
    /// The endpoint needs TLS, and there are no trusted certificates.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        let collector = Collector::new(settings)?;
        let (queue, spans, figures) = SpanQueue::new();
        let closing = CancellationToken::new();
        let exporter =
            Exporter::new(spans, collector, &settings.resource(), figures.clone(), closing.clone());
        let provider = SdkTracerProvider::builder()
            // Only what is sampled reaches the SDK.
            .with_sampler(Sampler::AlwaysOn)
            .with_span_processor(queue)
            .build();
        Ok(Self(Some(Arc::new(Inner {
            tracer: provider.tracer("scrollback"),
            sample_ratio: settings.sample_ratio,
            accepts_parents: settings.accepts_parents,
            figures,
            closing,
            exporter: Mutex::new(Some(tokio::spawn(exporter.run()))),
        }))))
    }

    /// Whether any trace can be sampled.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a trace, or continues that of the caller. The span is empty if the trace is not sampled.
    pub fn begin(&self, name: &'static str, kind: Kind, parent: Option<&Parent>) -> Span {
        let Some(inner) = &self.0 else { return Span::default() };
        let parent = parent.filter(|_| inner.accepts_parents);
        let is_sampled = match parent {
            Some(parent) => parent.is_sampled(),
            None => inner.sample_ratio > 0.0 && rand::random::<f64>() < inner.sample_ratio,
        };
        if !is_sampled {
            return Span::default();
        }
        Span::start(&inner.tracer, name, kind, &parent.map(Parent::context).unwrap_or_default())
    }

    /// What became of the spans so far.
    pub fn figures(&self) -> SpanFigures {
        self.0.as_ref().map(|inner| inner.figures.read()).unwrap_or_default()
    }

    /// Sends what is queued, for at most this time. Spans that end later are dropped.
    pub async fn shut_down(&self, timeout: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.closing.cancel();
        let exporter = inner.exporter.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(exporter) = exporter else { return };
        let abort = exporter.abort_handle();
        if tokio::time::timeout(timeout, exporter).await.is_err() {
            abort.abort();
            tracing::warn!("some spans are lost: the collector did not take them before the server stopped");
        }
    }
}
