//! Clients that ask again as soon as they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::task::JoinSet;

use crate::deployment::Deployment;
use crate::figures::Figures;
use crate::http::Connection;
use crate::operation::Operation;

/// Lets so many clients ask for one of the requests at a time, at random.
pub(crate) async fn measure(
    deployment: &Deployment,
    operation: Operation,
    requests: &Arc<Vec<Vec<u8>>>,
    clients: usize,
    duration: Duration,
) -> Figures {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(deployment.address()).await.expect("a connection"));
    }
    let before = deployment.used();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(ask(connection, operation, requests.clone(), begun + duration));
    }
    let mut took: Vec<u32> = running.join_all().await.into_iter().flatten().collect();
    let elapsed = begun.elapsed().as_secs_f64();
    Figures::of(&mut took, elapsed, before, deployment.used())
}

/// Asks until a time; how long each took, in microseconds.
async fn ask(
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
        let answer = connection.ask(request).await.expect("an answer");
        let text = || String::from_utf8_lossy(answer.body).into_owned();
        assert!(operation.succeeded(&answer), "{}: {}", answer.status, text());
        took.push(begun.elapsed().as_micros() as u32);
    }
}
