//! Spans: named, timed pieces of a trace.

use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use super::kind::Kind;

/// A span of a sampled trace, or nothing. It ends when it is dropped.
#[derive(Default)]
pub struct Span(Option<Box<Sampled>>);

struct Sampled {
    span: SdkSpan,
    tracer: SdkTracer,
}

impl Span {
    pub(super) fn start(
        tracer: &SdkTracer,
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: Kind,
        parent: &Context,
    ) -> Self {
        let builder = SpanBuilder::from_name(name).with_kind(kind.into());
        let span = tracer.build_with_context(builder, parent);
        Self(Some(Box::new(Sampled { span, tracer: tracer.clone() })))
    }

    /// Whether it is recorded.
    pub fn is_sampled(&self) -> bool {
        self.0.is_some()
    }

    /// Gives it a better name, from few possible ones.
    pub fn rename(&mut self, name: String) {
        if let Some(Sampled { span, .. }) = self.0.as_deref_mut() {
            span.update_name(name);
        }
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(Sampled { span, .. }) = self.0.as_deref_mut() {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says that the work failed, and how: an error code or a status, never a message.
    pub fn fail(&mut self, error: String) {
        self.set("error.type", error);
        if let Some(Sampled { span, .. }) = self.0.as_deref_mut() {
            span.set_status(Status::error(""));
        }
    }

    /// The id of the trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|sampled| sampled.span.span_context().trace_id().to_string())
    }

    /// The value of `traceparent` for a request of this span. `None`: it is not sampled.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref()?.span.span_context();
        Some(format!("00-{}-{}-01", context.trace_id(), context.span_id()))
    }

    /// What spans within it need.
    pub(super) fn as_parent(&self) -> Option<(SdkTracer, Context)> {
        self.0.as_deref().map(|Sampled { span, tracer }| {
            let parent = Context::default().with_remote_span_context(span.span_context().clone());
            (tracer.clone(), parent)
        })
    }
}
