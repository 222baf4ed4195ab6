//! What goes with an operation, so that its parts are recorded.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{Span as _, SpanBuilder, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::kind::Kind;
use super::part::{Part, PartTimes, Totals};
use super::span::Span;

/// Records the parts of an operation, if anything is to be recorded. Clones belong to the same operation.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<State>>);

struct State {
    /// The span that spans of parts belong to.
    parent: Option<(SdkTracer, Context)>,
    totals: Option<Totals>,
    database: &'static str,
}

impl Trace {
    /// Whether anything is recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a span within that of the trace.
    pub fn child(&self, name: &'static str, kind: Kind) -> Span {
        match self.0.as_deref() {
            Some(State { parent: Some((tracer, parent)), .. }) => Span::start(tracer, name, kind, parent),
            _ => Span::default(),
        }
    }

    /// Times a part, until the timer is dropped.
    pub fn time(&self, part: Part) -> PartTimer {
        PartTimer(self.0.is_some().then(|| (self.clone(), part, Instant::now())))
    }

    /// Records a part that has ended. `batch` is the number of operations that shared it.
    pub fn record(&self, part: Part, start: Instant, end: Instant, batch: Option<usize>) {
        let Some(State { parent, totals, database }) = self.0.as_deref() else { return };
        if let Some(totals) = totals {
            totals.add(part, end.saturating_duration_since(start));
        }
        let Some((tracer, parent)) = parent else { return };
        let mut attributes = Vec::new();
        if part.is_of_database() {
            attributes.push(KeyValue::new("db.system.name", *database));
            attributes.push(KeyValue::new("db.operation.name", part.name()));
        }
        // The conventions have this attribute only for batches of two and more.
        if let Some(size) = batch.filter(|size| *size > 1) {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("db.operation.batch.size", size));
        }
        let now = (Instant::now(), SystemTime::now());
        let time_of = |at: Instant| now.1 - now.0.saturating_duration_since(at);
        let builder = SpanBuilder::from_name(part.name())
            .with_kind(part.kind().into())
            .with_start_time(time_of(start))
            .with_attributes(attributes);
        tracer.build_with_context(builder, parent).end_with_timestamp(time_of(end));
    }

    /// The times of the parts so far.
    pub fn times(&self) -> PartTimes {
        let totals = self.0.as_deref().and_then(|state| state.totals.as_ref());
        totals.map(Totals::read).unwrap_or_default()
    }
}

impl Span {
    /// For the parts of this span. If `keeps_times` is set, it adds up their times. `database` is the name of the
    /// database system.
    pub fn trace(&self, keeps_times: bool, database: &'static str) -> Trace {
        let parent = self.as_parent();
        let totals = keeps_times.then(Totals::default);
        let is_on = parent.is_some() || keeps_times;
        Trace(is_on.then(|| Arc::new(State { parent, totals, database })))
    }
}

/// Records a part when it is dropped.
pub struct PartTimer(Option<(Trace, Part, Instant)>);

impl Drop for PartTimer {
    fn drop(&mut self) {
        if let Some((trace, part, start)) = self.0.take() {
            trace.record(part, start, Instant::now(), None);
        }
    }
}
