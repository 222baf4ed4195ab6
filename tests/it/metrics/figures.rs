//! Figures of the write workers, background jobs, signals and subscribers.

use std::time::Instant;

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::{FOLLOW, scrape, serve, until, value};
use crate::harness::{Cluster, Engine, Nats, Program, Socket, TIMEOUT};

/// Scrapes until a series is greater than this.
async fn until_above(admin: &str, series: &str, least: f64) -> f64 {
    let start = Instant::now();
    loop {
        let text = scrape(admin).await;
        match value(&text, series) {
            Some(value) if value > least => return value,
            _ => assert!(start.elapsed() < TIMEOUT, "{series} is not above {least}:\n{text}"),
        }
        tokio::task::yield_now().await;
    }
}

async fn batches_and_commits_are_counted(engine: Engine) {
    let (_program, server, admin) = serve(engine).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    futures_util::future::join_all((0..20).map(|_| ada.append(&id, "text"))).await;
    until(&admin, "scrollback_write_batch_size_sum", 20.0).await;
    let text = scrape(&admin).await;
    let batches = value(&text, "scrollback_write_batch_size_count").unwrap();
    assert!((1.0..=20.0).contains(&batches), "{text}");
    assert_eq!(value(&text, "scrollback_write_batch_size_bucket{le=\"+Inf\"}"), Some(batches));
    assert_eq!(value(&text, "scrollback_write_batch_duration_seconds_count"), Some(batches));
    let commits = if engine == Engine::Sqlite { batches } else { 0.0 };
    assert_eq!(value(&text, "scrollback_write_commit_duration_seconds_count"), Some(commits));
    assert_eq!(value(&text, "scrollback_write_queue_requests"), Some(0.0));
    assert_eq!(value(&text, "scrollback_write_queue_bytes"), Some(0.0));
    assert_eq!(value(&text, "scrollback_config_limit{setting=\"database.write_queue\"}"), Some(2048.0));
    if engine == Engine::Sqlite {
        // The one at the start.
        until_above(&admin, "scrollback_checkpoint_duration_seconds_count", 0.0).await;
        assert_eq!(value(&text, "scrollback_checkpoints_failed_total"), Some(0.0));
    }
}

#[tokio::test]
async fn batches_and_commits_are_counted_on_sqlite() {
    batches_and_commits_are_counted(Engine::Sqlite).await;
}

#[tokio::test]
async fn batches_and_commits_are_counted_on_postgres() {
    batches_and_commits_are_counted(Engine::Postgres).await;
}

#[tokio::test]
async fn waiting_writes_are_shown_on_sqlite() {
    let (program, server, admin) = serve(Engine::Sqlite).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let other = rusqlite::Connection::open(program.folder().join("data/scrollback.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let append = tokio::spawn(async move { ada.append(&id, "12345").await });
    until(&admin, "scrollback_write_queue_requests", 1.0).await;
    assert!(until_above(&admin, "scrollback_write_queue_bytes", 0.0).await >= 5.0);
    other.execute_batch("ROLLBACK").unwrap();
    append.await.unwrap();
    until(&admin, "scrollback_write_queue_requests", 0.0).await;
}

#[tokio::test]
async fn waiting_writes_are_shown_on_postgres() {
    let (program, server, admin) = serve(Engine::Postgres).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let mut other = PgConnection::connect(program.variable("SCROLLBACK_DATABASE_URL")).await.unwrap();
    other.execute("BEGIN; SELECT FROM account FOR UPDATE").await.unwrap();
    let append = tokio::spawn(async move { ada.append(&id, "12345").await });
    until(&admin, "scrollback_write_queue_requests", 1.0).await;
    assert!(until_above(&admin, "scrollback_write_queue_bytes", 0.0).await >= 5.0);
    other.execute("ROLLBACK").await.unwrap();
    append.await.unwrap();
    until(&admin, "scrollback_write_queue_requests", 0.0).await;
}

#[tokio::test]
async fn runs_of_background_jobs_are_counted() {
    let cluster = Cluster::start(&[]);
    let program = Program::believing()
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_FILES_STORAGE", "files")
        .with("SCROLLBACK_DATABASE_URL", cluster.create_database().await)
        .with("SCROLLBACK_FEED_TRIM", "50ms");
    let mut server = program.serve(&[]).await;
    let admin = server.line().await.replace("Health and metrics: ", "").replace("/metrics", "");
    let runs = |outcome: &str| {
        format!("scrollback_job_runs_total{{task=\"delete_old_changes\",outcome=\"{outcome}\"}}")
    };
    until_above(&admin, &runs("succeeded"), 1.0).await;
    let text = scrape(&admin).await;
    let of = |series: &str| value(&text, &format!("{series}{{task=\"delete_old_changes\"}}")).unwrap();
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let age = since_1970 - of("scrollback_job_last_success_timestamp_seconds");
    assert!((0.0..3600.0).contains(&age), "{text}");
    assert!(of("scrollback_job_duration_seconds_total") > 0.0, "{text}");
    assert_eq!(value(&text, &runs("failed")), Some(0.0));
    for task in [
        "apply_retention",
        "delete_old_audit_entries",
        "delete_unused_attachments",
        "finish_erasures",
        "index",
        "interrupt_abandoned_messages",
        "remove_objects",
    ] {
        let series = format!("scrollback_job_runs_total{{task=\"{task}\",outcome=\"failed\"}}");
        assert_eq!(value(&text, &series), Some(0.0), "{text}");
    }
    cluster.crash();
    until_above(&admin, &runs("failed"), 0.0).await;
}

async fn the_delay_of_signals_is_shown(program: Program) {
    let program = program.with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    let (mut server, mut other) = (program.serve(&[]).await, program.serve(&[]).await);
    let admin = server.line().await.replace("Health and metrics: ", "").replace("/metrics", "");
    let of_other = other.line().await.replace("Health and metrics: ", "").replace("/metrics", "");
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    // The connections for signals are made in the background.
    let start = Instant::now();
    while value(&scrape(&of_other).await, "scrollback_signals_received_total") == Some(0.0) {
        ada.append(&id, "text").await;
        assert!(start.elapsed() < TIMEOUT);
    }
    until_above(&admin, "scrollback_signal_delay_seconds_count", 0.0).await;
    until_above(&admin, "scrollback_signal_delay_seconds_sum", 0.0).await;
    // Only who sends knows how long its signals take.
    assert_eq!(value(&scrape(&of_other).await, "scrollback_signal_delay_seconds_count"), Some(0.0));
    assert_eq!(value(&scrape(&admin).await, "scrollback_signals_received_total"), Some(0.0));
}

#[tokio::test]
async fn the_delay_of_signals_is_shown_through_postgresql() {
    the_delay_of_signals_is_shown(Program::over(Engine::Postgres).await).await;
}

#[tokio::test]
async fn the_delay_of_signals_is_shown_through_nats() {
    let nats = Nats::start();
    let program = Program::over(Engine::Postgres).await.with("SCROLLBACK_FEED_SIGNALS", nats.url());
    the_delay_of_signals_is_shown(program).await;
}

#[tokio::test]
async fn events_that_subscribers_have_not_taken_are_shown() {
    let (_program, server, admin) = serve(Engine::Sqlite).await;
    let ada = server.client("ada");
    let id = ada.new_conversation().await;
    let mut socket = Socket::open(&server.url).await;
    socket.introduce(ada.token()).await;
    socket.subscribe("1", FOLLOW, json!({ "id": id })).await;
    until(&admin, "scrollback_feed_readers", 1.0).await;
    let text = scrape(&admin).await;
    assert_eq!(value(&text, "scrollback_subscription_backlog_events"), Some(0.0));
    assert_eq!(value(&text, "scrollback_subscription_backlog_max_events"), Some(0.0));
    // Nobody reads the socket, so this is more than it can hold at some time.
    let mut most = 0.0_f64;
    let content = "x".repeat(500_000);
    let whole = "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }";
    socket.subscribe("2", whole, json!({ "id": id })).await;
    for _ in 0..100 {
        ada.append(&id, &content).await;
        let text = scrape(&admin).await;
        let max = value(&text, "scrollback_subscription_backlog_max_events").unwrap();
        assert!(value(&text, "scrollback_subscription_backlog_events").unwrap() >= max, "{text}");
        most = most.max(max);
        if most > 0.0 {
            return;
        }
    }
    panic!("no backlog");
}

#[tokio::test]
async fn every_error_code_has_a_series_from_the_start() {
    let (_program, _server, admin) = serve(Engine::Sqlite).await;
    let text = scrape(&admin).await;
    for kind in ["query", "mutation", "subscription", "unknown"] {
        for code in ["OK", "CANCELLED", "INTERNAL_SERVER_ERROR", "UNAVAILABLE", "SLOW_CONSUMER", "NOT_FOUND"]
        {
            let series = format!("scrollback_operations_total{{kind=\"{kind}\",code=\"{code}\"}}");
            assert_eq!(value(&text, &series), Some(0.0), "{series}");
        }
    }
}

#[tokio::test]
async fn durations_have_the_traces_of_sampled_operations() {
    // Nobody listens there.
    let program = Program::believing()
        .with("SCROLLBACK_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
        .with("SCROLLBACK_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
        .with("SCROLLBACK_TRACES_SAMPLE_RATIO", "0");
    let mut server = program.serve(&[]).await;
    let admin = server.line().await.replace("Health and metrics: ", "").replace("/metrics", "");
    let ada = server.client("ada");
    ada.data("{ viewer { id } }", json!({})).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let body = json!({ "query": "{ viewer { id } }" });
    let request = ada.request(reqwest::Method::POST, "/graphql").json(&body);
    let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    assert!(request.send().await.unwrap().status().is_success());
    let count = "scrollback_operation_duration_seconds_count{kind=\"query\"}";
    until(&admin, count, 2.0).await;
    let request = reqwest::Client::new().get(format!("{admin}/metrics"));
    let request = request.header("accept", "application/openmetrics-text;version=1.0.0");
    let text = request.send().await.unwrap().text().await.unwrap();
    let exemplars: Vec<_> = text.lines().filter(|line| line.contains(" # {")).collect();
    assert_eq!(exemplars.len(), 1, "{text}");
    assert!(exemplars[0].starts_with("scrollback_operation_duration_seconds_bucket"), "{exemplars:?}");
    assert!(exemplars[0].contains(&format!("# {{trace_id=\"{trace}\"}} ")), "{exemplars:?}");
    assert!(!scrape(&admin).await.contains(trace));
}
