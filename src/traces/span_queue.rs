//! The queue of finished spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

/// The most spans that wait. Some hundred bytes each.
const MAX_SPANS: usize = 4096;

/// What became of the spans of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanFigures {
    /// The collector has them.
    pub exported: u64,
    /// The queue was full.
    pub overflowed: u64,
    /// The collector could not be reached, or did not take them.
    pub failed: u64,
}

impl SpanFigures {
    /// The spans that are lost.
    pub(super) fn dropped(&self) -> u64 {
        self.overflowed + self.failed
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) exported: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> SpanFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SpanFigures {
            exported: of(&self.exported),
            overflowed: of(&self.overflowed),
            failed: of(&self.failed),
        }
    }
}

/// Takes the spans of the SDK as they end. It never waits.
#[derive(Debug)]
pub(super) struct SpanQueue {
    spans: mpsc::Sender<SpanData>,
    counters: Arc<Counters>,
}

impl SpanQueue {
    pub(super) fn new() -> (Self, mpsc::Receiver<SpanData>, Arc<Counters>) {
        let (spans, receiver) = mpsc::channel(MAX_SPANS);
        let counters = Arc::new(Counters::default());
        (Self { spans, counters: counters.clone() }, receiver, counters)
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.counters.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `Tracer::shut_down` does it, without blocking a thread.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
