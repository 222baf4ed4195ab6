//! A collector that is down, does not answer, or does not take spans.

use std::time::Instant;

use tokio::net::TcpListener;

use crate::harness::{Collector, CollectorAnswer, Engine, Program, TIMEOUT};

/// Serves while the collector is at `address`, and returns the log.
async fn serve(engine: Engine, address: &str) -> String {
    let program = Program::over(engine)
        .await
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_TRACES_ENDPOINT", format!("http://{address}/v1/traces"))
        .with("SCROLLBACK_TRACES_TIMEOUT", "100ms")
        .with("SCROLLBACK_TRACES_SAMPLE_RATIO", "1");
    let mut server = program.serve(&[]).await;
    let line = server.line().await;
    let metrics = line.strip_prefix("Health and metrics: ").unwrap().to_owned();
    let ada = server.client("ada");
    let start = Instant::now();
    let mut lost = Vec::new();
    // Two batches at least, and one line in the log.
    while lost.len() < 2 {
        ada.new_conversation().await;
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        let failed = text
            .lines()
            .find_map(|line| line.strip_prefix("scrollback_trace_spans_total{outcome=\"failed\"} "));
        let failed: u64 = failed.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
        if failed > lost.last().copied().unwrap_or_default() {
            lost.push(failed);
        }
        assert!(text.contains("scrollback_trace_spans_total{outcome=\"exported\"} 0\n"), "{text}");
        assert!(start.elapsed() < TIMEOUT, "{text}");
    }
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    log
}

async fn a_collector_that_is_away_costs_a_line_in_the_log(engine: Engine) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It accepts connections, and answers none.
    let log = serve(engine, &address).await;
    assert_eq!(log.matches("cannot send spans to the collector").count(), 1, "{log}");
    assert!(log.contains("it does not answer in time"), "{log}");
    drop(listener);
    let log = serve(engine, &address).await;
    assert_eq!(log.matches("cannot send spans to the collector").count(), 1, "{log}");
    assert!(log.contains("Connection refused"), "{log}");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_in_the_log_on_sqlite() {
    a_collector_that_is_away_costs_a_line_in_the_log(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_in_the_log_on_postgres() {
    a_collector_that_is_away_costs_a_line_in_the_log(Engine::Postgres).await;
}

/// The spans of one request to a server whose collector answers like this first: exported, overflowed and failed; and those that
/// the collector has.
async fn outcomes(answers: Vec<CollectorAnswer>) -> ([u64; 3], usize) {
    let collector = Collector::answering(answers).await;
    let program = Program::believing()
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_TRACES_ENDPOINT", collector.endpoint())
        .with("SCROLLBACK_TRACES_SAMPLE_RATIO", "1");
    let mut server = program.serve(&[]).await;
    let metrics = server.line().await.replace("Health and metrics: ", "");
    server.client("ada").data("query Q { viewer { id } }", serde_json::json!({})).await;
    let start = Instant::now();
    loop {
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        let of = |outcome: &str| {
            let series = format!("scrollback_trace_spans_total{{outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u64>().ok()).unwrap()
        };
        let outcomes = ["exported", "overflowed", "failed"].map(of);
        // The request, the operation and its validation.
        if outcomes.iter().sum::<u64>() == 3 {
            return (outcomes, collector.spans().len());
        }
        assert!(start.elapsed() < TIMEOUT, "{text}");
    }
}

#[tokio::test]
async fn a_batch_is_sent_again_if_that_can_help() {
    use CollectorAnswer::{Refused, Rejected};
    assert_eq!(outcomes(vec![Refused(503), Refused(429)]).await, ([3, 0, 0], 3));
    assert_eq!(outcomes(vec![Refused(400)]).await, ([0, 0, 3], 0));
    assert_eq!(outcomes(vec![Rejected(1)]).await, ([2, 0, 1], 3));
}
