//! Closed-loop load: each client sends the next request when it has the response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::task::JoinSet;

use crate::deployment::Deployment;
use crate::http::Connection;
use crate::measurement::Measurement;
use crate::operation::Operation;

/// Runs clients that send random requests of the list.
pub(crate) async fn measure(
    deployment: &Deployment,
    operation: Operation,
    requests: &Arc<Vec<Vec<u8>>>,
    clients: usize,
    duration: Duration,
) -> Measurement {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(deployment.address()).await.expect("a connection"));
    }
    let before = deployment.cpu_usage();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(run_client(connection, operation, requests.clone(), begun + duration));
    }
    let mut took: Vec<u32> = running.join_all().await.into_iter().flatten().collect();
    let elapsed = begun.elapsed().as_secs_f64();
    Measurement::of(&mut took, elapsed, before, deployment.cpu_usage())
}

/// Sends requests until a time. Returns their durations in microseconds.
async fn run_client(
    mut connection: Connection,
    operation: Operation,
    requests: Arc<Vec<Vec<u8>>>,
    until: Instant,
) -> Vec<u32> {
    let mut took = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= until {
            return took;
        }
        let request = &requests[rand::rng().random_range(0..requests.len())];
        let answer = connection.send(request).await.expect("an answer");
        let text = || String::from_utf8_lossy(answer.body).into_owned();
        assert!(operation.succeeded(&answer), "{}: {}", answer.status, text());
        took.push(begun.elapsed().as_micros() as u32);
    }
}
