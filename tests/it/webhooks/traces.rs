//! Deliveries are spans, and receivers can continue their traces.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::receiver::{Answer, Receiver};
use super::start;
use crate::harness::{Collector, Engine, attribute};

async fn deliveries_are_spans(engine: Engine) {
    let (receiver, collector) = (Receiver::start().await, Collector::start().await);
    let traces = format!("[traces]\nendpoint = \"{}\"\nsample_ratio = 1.0\n", collector.endpoint());
    let mut app = start(engine, &receiver, &traces).await;
    let mut first = true;
    receiver.answers(move |_| Answer::Status(if std::mem::take(&mut first) { 503 } else { 204 }));
    app.client("ada of the secret name").new_conversation().await;
    let deliveries = receiver.wait_for_revision(&["ada of the secret name"], 1).await;
    app.stop().await;
    let spans = collector.spans();
    let spans: Vec<&Span> = spans.iter().filter(|span| span.name == "deliver webhook").collect();
    assert_eq!((spans.len(), deliveries.len()), (2, 2), "{spans:#?}");
    for (span, delivery) in spans.iter().zip(&deliveries) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let expected = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
        assert_eq!(delivery.headers["traceparent"], expected);
        assert_eq!(attribute(span, "scrollback.webhook").as_deref(), Some("hook"));
        assert_eq!(attribute(span, "scrollback.event_type").as_deref(), Some("conversation.created"));
    }
    let statuses = spans.iter().map(|span| span.status.as_ref().unwrap().code()).collect::<Vec<_>>();
    assert_eq!(statuses, [StatusCode::Error, StatusCode::Unset]);
    assert!(attribute(spans[0], "error.type").unwrap().contains("503"));
    let secret = b"secret name";
    for export in collector.exports() {
        assert!(!export.body.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_spans_on_sqlite() {
    deliveries_are_spans(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_spans_on_postgres() {
    deliveries_are_spans(Engine::Postgres).await;
}
