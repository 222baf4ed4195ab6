//! The caller's part of a trace: `traceparent` and `tracestate` of W3C Trace Context.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The span of the caller that an operation belongs to.
#[derive(Debug, Clone)]
pub struct Parent(SpanContext);

/// Longer ones are dropped (<https://www.w3.org/TR/trace-context/#tracestate-limits>).
const MAX_STATE_BYTES: usize = 512;

struct Texts<'a> {
    parent: &'a str,
    state: Option<&'a str>,
}

impl Extractor for Texts<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.parent),
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

impl Parent {
    /// Parses a `traceparent` and the `tracestate` that came with it. `None`: it is not valid, and a new trace begins.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        // The library accepts shorter ids.
        let lengths = parent.split('-').map(str::len).take(4);
        if !lengths.eq([2, 32, 16, 2]) {
            return None;
        }
        let state = state.filter(|state| state.len() <= MAX_STATE_BYTES);
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::default(), &Texts { parent, state });
        let parent = context.span().span_context().clone();
        parent.is_valid().then_some(Self(parent))
    }

    /// Whether the caller samples the trace.
    pub(super) fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(super) fn context(&self) -> Context {
        Context::default().with_remote_span_context(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_parents_are_parsed() {
        let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = Parent::parse(sampled, Some("vendor=value")).unwrap();
        assert!(parent.is_sampled());
        assert_eq!(parent.0.trace_state().header(), "vendor=value");
        let parent = Parent::parse(&sampled.replace("-01", "-00"), Some(&"x=".repeat(300))).unwrap();
        assert!(!parent.is_sampled());
        assert_eq!(parent.0.trace_state().header(), "");
        for wrong in [
            "",
            "00",
            "00-0-0-0",
            "00-1-1-01",
            &sampled.replace("00-", "ff-"),
            &sampled.to_uppercase(),
            &sampled.replace("b7ad", "zzzz"),
        ] {
            assert!(Parent::parse(wrong, None).is_none(), "{wrong}");
        }
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        assert!(Parent::parse(zero, None).is_none());
    }
}
