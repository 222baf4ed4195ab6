//! Sends finished spans in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::body::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::collector::{Collector, Fault};
use super::span_queue::Counters;

/// The most spans of a request.
const BATCH: usize = 512;

/// How long the first span of a batch waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// How often a batch is sent before it is dropped, and the wait after the first attempt: it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait that a collector may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The shortest time between two lines in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Exporter {
    spans: mpsc::Receiver<SpanData>,
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    counters: Arc<Counters>,
    closing: CancellationToken,
    /// When a fault was logged last, and the number of spans that were lost by then.
    logged: Option<(Instant, u64)>,
    /// The spans that did not fit the queue by the last batch.
    overflowed: u64,
}

impl Exporter {
    pub(super) fn new(
        spans: mpsc::Receiver<SpanData>,
        collector: Collector,
        resource: &Resource,
        counters: Arc<Counters>,
        closing: CancellationToken,
    ) -> Self {
        Self { spans, collector, resource: resource.into(), counters, closing, logged: None, overflowed: 0 }
    }

    /// Runs until `closing` is cancelled and the queue is empty.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.next().await {
            self.export(batch).await;
        }
    }

    /// The next spans: as soon as there are enough, or the first has waited long enough.
    async fn next(&mut self) -> Option<Vec<SpanData>> {
        let mut batch = Vec::new();
        let closing = self.closing.clone();
        tokio::select! {
            received = self.spans.recv_many(&mut batch, BATCH) => if received == 0 { return None },
            () = closing.cancelled() => {
                self.spans.close();
                self.spans.recv_many(&mut batch, BATCH).await;
                return (!batch.is_empty()).then_some(batch);
            }
        }
        let until = Instant::now() + DELAY;
        while batch.len() < BATCH && !closing.is_cancelled() {
            let room = BATCH - batch.len();
            let more = self.spans.recv_many(&mut batch, room);
            let more = tokio::select! {
                more = timeout_at(until, more) => more,
                () = closing.cancelled() => break,
            };
            if !matches!(more, Ok(1..)) {
                break;
            }
        }
        Some(batch)
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let (mut attempt, mut wait) = (1, FIRST_WAIT);
        loop {
            match self.collector.send(body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.counters.exported.fetch_add(count - rejected, Ordering::Relaxed);
                    self.counters.failed.fetch_add(rejected, Ordering::Relaxed);
                    return self.log_overflow();
                }
                Err(Fault { retry: Some(asked), .. }) if attempt < ATTEMPTS => {
                    sleep(asked.map_or(wait, |asked| asked.min(MAX_WAIT))).await;
                    attempt += 1;
                    wait *= 2;
                }
                Err(Fault { reason, .. }) => {
                    self.counters.failed.fetch_add(count, Ordering::Relaxed);
                    return self.log(&reason);
                }
            }
        }
    }

    fn log_overflow(&mut self) {
        let overflowed = self.counters.read().overflowed;
        if std::mem::replace(&mut self.overflowed, overflowed) < overflowed {
            self.log("it is too slow, and the queue was full");
        }
    }

    /// Logs a fault, seldom: it may last for hours.
    fn log(&mut self, reason: &str) {
        let now = Instant::now();
        if self.logged.is_some_and(|(at, _)| now.duration_since(at) < LOG_INTERVAL) {
            return;
        }
        let dropped = self.counters.read().dropped();
        let before = self.logged.map_or(0, |(_, dropped)| dropped);
        tracing::warn!(
            reason,
            dropped = dropped - before,
            "cannot send spans to the collector: they are dropped"
        );
        self.logged = Some((now, dropped));
    }
}
