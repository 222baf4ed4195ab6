//! Metrics for Prometheus.
//!
//! Labels contain no owners, ids or texts, only a fixed set of words. So clients cannot create new series.

mod process;
mod scraped;

use std::sync::Arc;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, Value};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::graphql::Code;
use process::ProcessMetrics;
pub(super) use scraped::Scraped;

/// Upper bounds of the duration buckets, in seconds.
const DURATION_BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    kind: &'static str,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// The label of exemplars.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TraceLabel {
    trace_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: String,
}

/// All metrics.
pub(super) struct Metrics {
    registry: Registry,
    operations: Family<OperationLabels, Counter>,
    durations: Family<KindLabel, HistogramWithExemplars<TraceLabel>>,
    too_complex: Family<LimitLabel, Counter>,
    answers: Family<StatusLabel, Counter>,
    pub(super) connections: Gauge,
    pub(super) connections_refused: Counter,
    pub(super) sockets: Gauge,
    pub(super) exports: Gauge,
    pub(super) imports: Gauge,
    subscriptions: Gauge,
    process: ProcessMetrics,
}

impl Metrics {
    /// Metrics with those that `scraped` reads.
    pub(super) fn new(scraped: Scraped) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            operations: Family::default(),
            durations: Family::new_with_constructor(|| {
                HistogramWithExemplars::new(DURATION_BUCKETS.into_iter())
            }),
            too_complex: Family::default(),
            answers: Family::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            sockets: Gauge::default(),
            exports: Gauge::default(),
            imports: Gauge::default(),
            subscriptions: Gauge::default(),
            process: ProcessMetrics::default(),
        };
        metrics.register(scraped);
        metrics.show_all_codes();
        metrics
    }

    /// A series that begins with its first error would have no increase that an alert can see.
    fn show_all_codes(&self) {
        for kind in ["query", "mutation", "subscription", "unknown"] {
            for code in Code::ALL.map(Code::as_str).into_iter().chain(["OK", "CANCELLED"]) {
                drop(self.operations.get_or_create(&OperationLabels { kind, code: code.to_owned() }));
            }
        }
    }

    fn register(&mut self, scraped: Scraped) {
        let ours = self.registry.sub_registry_with_prefix("scrollback");
        ours.register(
            "operations",
            "Finished operations by kind and outcome: OK, CANCELLED (the client disconnected) or an error code",
            self.operations.clone(),
        );
        ours.register_with_unit(
            "operation_duration",
            "Duration of queries and mutations",
            Unit::Seconds,
            self.durations.clone(),
        );
        ours.register(
            "operations_too_complex",
            "Operations rejected by a limit, by the setting under [limits]",
            self.too_complex.clone(),
        );
        ours.register(
            "http_answers",
            "HTTP responses of the GraphQL endpoint, by status",
            self.answers.clone(),
        );
        ours.register("connections", "Open connections, including WebSockets", self.connections.clone());
        ours.register(
            "connections_refused",
            "Connections rejected by server.max_connections or server.connections_per_address",
            self.connections_refused.clone(),
        );
        ours.register("sockets", "Open WebSockets", self.sockets.clone());
        ours.register("exports", "Running exports", self.exports.clone());
        ours.register("imports", "Running imports", self.imports.clone());
        ours.register(
            "subscriptions",
            "Running subscriptions, over any transport",
            self.subscriptions.clone(),
        );
        ours.register_collector(Box::new(scraped));
        self.process.register(&mut self.registry);
    }

    /// Counts an HTTP response.
    pub(super) fn http_response(&self, status: u16) {
        self.answers.get_or_create(&StatusLabel { status }).inc();
    }

    /// Counts an operation that was rejected before execution.
    pub(super) fn operation_rejected(&self, response: &Response) {
        self.count_too_complex(response);
        self.operations.get_or_create(&OperationLabels { kind: "unknown", code: code(response) }).inc();
    }

    fn count_too_complex(&self, response: &Response) {
        if let Some(limit) = extension(response, "limit") {
            self.too_complex.get_or_create(&LimitLabel { limit }).inc();
        }
    }

    /// Records the start of an operation.
    pub(super) fn begin(self: &Arc<Self>, kind: OperationType, trace_id: Option<String>) -> RunningOperation {
        let subscription =
            (kind == OperationType::Subscription).then(|| GaugeGuard::new(&self.subscriptions));
        let kind = match kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        let metrics = self.clone();
        RunningOperation { metrics, kind, started: Instant::now(), subscription, code: None, trace_id }
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// None at present: the text is written to memory.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        self.process.update();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The outcome of an operation: OK or an error code.
pub(super) fn code(response: &Response) -> String {
    match response.errors.is_empty() {
        true => "OK".to_owned(),
        false => extension(response, "code").unwrap_or_default(),
    }
}

/// An extension of the first error.
fn extension(response: &Response, name: &str) -> Option<String> {
    match response.errors.first()?.extensions.as_ref()?.get(name)? {
        Value::String(value) => Some(value.clone()),
        _ => None,
    }
}

/// Increments a gauge until it is dropped.
pub(super) struct GaugeGuard(Gauge);

impl GaugeGuard {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A running operation. It is counted when it is dropped.
pub(super) struct RunningOperation {
    metrics: Arc<Metrics>,
    kind: &'static str,
    started: Instant,
    subscription: Option<GaugeGuard>,
    code: Option<String>,
    /// Links the duration to a sampled trace.
    trace_id: Option<String>,
}

impl RunningOperation {
    /// Records the last response.
    pub(super) fn set_result(&mut self, response: &Response) {
        self.metrics.count_too_complex(response);
        self.code = Some(code(response));
    }

    /// Records that the operation completed.
    pub(super) fn set_complete(&mut self) {
        self.code.get_or_insert_with(|| "OK".to_owned());
    }
}

impl Drop for RunningOperation {
    fn drop(&mut self) {
        let gone = if std::thread::panicking() { "INTERNAL_SERVER_ERROR" } else { "CANCELLED" };
        let code = self.code.take().unwrap_or_else(|| gone.to_owned());
        if self.subscription.is_none() {
            let kind = KindLabel { kind: self.kind };
            let exemplar = self.trace_id.take().map(|trace_id| TraceLabel { trace_id });
            let seconds = self.started.elapsed().as_secs_f64();
            self.metrics.durations.get_or_create(&kind).observe(seconds, exemplar, None);
        }
        self.metrics.operations.get_or_create(&OperationLabels { kind: self.kind, code }).inc();
    }
}
