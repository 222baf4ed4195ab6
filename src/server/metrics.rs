//! Metrics for Prometheus.
//!
//! Labels contain no owners, ids or texts, only a fixed set of words. So clients cannot create new series.

mod process;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, Value};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::model::RetentionReason;
use crate::webhooks::WebhookFigure;
use process::ProcessMetrics;

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    webhook: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabel {
    webhook: String,
}

/// All metrics.
pub(super) struct Metrics {
    registry: Registry,
    operations: Family<OperationLabels, Counter>,
    durations: Family<KindLabel, Histogram>,
    too_complex: Family<LimitLabel, Counter>,
    answers: Family<StatusLabel, Counter>,
    pub(super) connections: Gauge,
    pub(super) connections_refused: Counter,
    pub(super) sockets: Gauge,
    pub(super) exports: Gauge,
    pub(super) imports: Gauge,
    subscriptions: Gauge,
    database: Family<StateLabel, Gauge>,
    readers: Gauge,
    indexed: Counter,
    unindexed: Gauge,
    retention: Family<ReasonLabel, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    webhook_owners: Family<WebhookLabel, Gauge>,
    failing_webhooks: Family<WebhookLabel, Gauge>,
    paused_webhooks: Family<WebhookLabel, Gauge>,
    reserved: Gauge,
    requests: Gauge,
    process: ProcessMetrics,
}

/// Values that are read when the metrics are scraped.
pub(super) struct Snapshot {
    /// Database connections in use.
    pub(super) used: usize,
    /// Idle database connections.
    pub(super) idle: usize,
    /// Shared readers of subscriptions.
    pub(super) readers: usize,
    /// Messages and titles indexed for search.
    pub(super) indexed: u64,
    /// Owners with changes that are not indexed yet.
    pub(super) unindexed: usize,
    /// Conversations that were deleted or archived because they are not kept, by reason.
    pub(super) retention: [(RetentionReason, u64); 4],
    /// What webhooks did.
    pub(super) webhooks: Vec<WebhookFigure>,
    /// Bytes reserved by operations.
    pub(super) reserved: usize,
    /// Bytes reserved by large requests.
    pub(super) requests: usize,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            operations: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            too_complex: Family::default(),
            answers: Family::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            sockets: Gauge::default(),
            exports: Gauge::default(),
            imports: Gauge::default(),
            subscriptions: Gauge::default(),
            database: Family::default(),
            readers: Gauge::default(),
            indexed: Counter::default(),
            unindexed: Gauge::default(),
            retention: Family::default(),
            deliveries: Family::default(),
            webhook_owners: Family::default(),
            failing_webhooks: Family::default(),
            paused_webhooks: Family::default(),
            reserved: Gauge::default(),
            requests: Gauge::default(),
            process: ProcessMetrics::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
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
        ours.register("database_connections", "Database connections, by state", self.database.clone());
        ours.register("feed_readers", "Lists with at least one subscription", self.readers.clone());
        ours.register(
            "search_indexed",
            "Messages and titles that this process has indexed for search",
            self.indexed.clone(),
        );
        ours.register(
            "search_pending_owners",
            "Owners with changes of this process that are not in the search index yet; searches find them nevertheless",
            self.unindexed.clone(),
        );
        ours.register(
            "retention_conversations",
            "Conversations that this process deleted (trash, expired, inactive_delete) or archived (inactive_archive), by \
             the rule of retention",
            self.retention.clone(),
        );
        ours.register(
            "webhook_deliveries",
            "Attempts of this process to deliver an event, by webhook and outcome: delivered or failed",
            self.deliveries.clone(),
        );
        ours.register(
            "webhook_pending_owners",
            "Owners with changes that this process is about to deliver, or to try again",
            self.webhook_owners.clone(),
        );
        ours.register(
            "webhook_failing",
            "1 if the deliveries of this process fail and are tried again",
            self.failing_webhooks.clone(),
        );
        ours.register(
            "webhook_paused",
            "1 if deliveries failed for too long: nothing is delivered until `scrollback webhooks resume`",
            self.paused_webhooks.clone(),
        );
        ours.register_with_unit(
            "memory_reserved",
            "Bytes of server.memory that large responses have reserved",
            Unit::Bytes,
            self.reserved.clone(),
        );
        ours.register_with_unit(
            "memory_requests",
            "Bytes that large running requests have reserved in addition",
            Unit::Bytes,
            self.requests.clone(),
        );
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
    pub(super) fn begin(self: &Arc<Self>, kind: OperationType) -> RunningOperation {
        let subscription =
            (kind == OperationType::Subscription).then(|| GaugeGuard::new(&self.subscriptions));
        let kind = match kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        RunningOperation { metrics: self.clone(), kind, started: Instant::now(), subscription, code: None }
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// None at present: the text is written to memory.
    pub(super) fn text(&self, snapshot: &Snapshot) -> Result<String, std::fmt::Error> {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.database.get_or_create(&StateLabel { state: "used" }).set(gauge(snapshot.used));
        self.database.get_or_create(&StateLabel { state: "idle" }).set(gauge(snapshot.idle));
        self.readers.set(gauge(snapshot.readers));
        self.indexed.inner().store(snapshot.indexed, Ordering::Relaxed);
        self.unindexed.set(gauge(snapshot.unindexed));
        for (reason, count) in snapshot.retention {
            let counter = self.retention.get_or_create(&ReasonLabel { reason: reason.name() });
            counter.inner().store(count, Ordering::Relaxed);
        }
        // Webhooks can be removed while the server runs.
        self.deliveries.clear();
        for family in [&self.webhook_owners, &self.failing_webhooks, &self.paused_webhooks] {
            family.clear();
        }
        for figure in &snapshot.webhooks {
            self.show_webhook(figure);
        }
        self.reserved.set(gauge(snapshot.reserved));
        self.requests.set(gauge(snapshot.requests));
        self.process.update();
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Metrics {
    fn show_webhook(&self, figure: &WebhookFigure) {
        for (outcome, count) in [("delivered", figure.delivered), ("failed", figure.failed)] {
            let labels = DeliveryLabels { webhook: figure.name.clone(), outcome };
            self.deliveries.get_or_create(&labels).inner().store(count, Ordering::Relaxed);
        }
        let label = WebhookLabel { webhook: figure.name.clone() };
        let owners = i64::try_from(figure.owners).unwrap_or(i64::MAX);
        self.webhook_owners.get_or_create(&label).set(owners);
        self.failing_webhooks.get_or_create(&label).set(i64::from(figure.is_failing));
        self.paused_webhooks.get_or_create(&label).set(i64::from(figure.is_paused));
    }
}

/// The outcome of an operation: OK or an error code.
fn code(response: &Response) -> String {
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
            self.metrics.durations.get_or_create(&kind).observe(self.started.elapsed().as_secs_f64());
        }
        self.metrics.operations.get_or_create(&OperationLabels { kind: self.kind, code }).inc();
    }
}
