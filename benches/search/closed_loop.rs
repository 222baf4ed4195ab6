//! Clients that send the next query as soon as the last one is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::corpus::Query;
use crate::cpu;

/// One client, with a connection of its own.
pub(crate) trait Client: Send + 'static {
    /// Whether it needs a thread of its own.
    const IS_BLOCKING: bool = false;

    /// Searches, and gives the number of messages found.
    fn search(&mut self, query: &Query) -> impl Future<Output = usize> + Send;
}

/// The processes whose CPU time counts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Processes {
    pub(crate) server: Option<u32>,
    /// The one whose children are the others.
    pub(crate) postgres: Option<u32>,
}

/// What one measurement found. Latencies and CPU time in milliseconds, CPU time for each query.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    /// Messages found, on average.
    pub(crate) hits: f64,
    pub(crate) server_cpu: Option<f64>,
    pub(crate) database_cpu: Option<f64>,
}

/// Lets the clients search for one of the queries at a time, at random.
pub(crate) async fn measure<C: Client>(
    clients: Vec<C>,
    queries: Vec<Query>,
    processes: Processes,
    duration: Duration,
) -> Figures {
    let queries = Arc::new(queries);
    let used = || {
        let Processes { server, postgres } = processes;
        [server.map(cpu::of), postgres.map(cpu::of_family)]
    };
    let before = used();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for client in clients {
        let search = search_until(client, queries.clone(), begun + duration);
        if C::IS_BLOCKING {
            let handle = Handle::current();
            running.spawn_blocking(move || handle.block_on(search));
        } else {
            running.spawn(search);
        }
    }
    let mut answers: Vec<(Duration, usize)> = running.join_all().await.into_iter().flatten().collect();
    let seconds = begun.elapsed().as_secs_f64();
    let after = used();
    answers.sort_unstable();
    let count = answers.len();
    let percentile = |part: usize| answers[(count - 1) * part / 100].0.as_secs_f64() * 1000.0;
    let cpu = |at: usize| Some((after[at]? - before[at]?) as f64 / 1000.0 / count as f64);
    Figures {
        per_second: count as f64 / seconds,
        p50: percentile(50),
        p95: percentile(95),
        p99: percentile(99),
        hits: answers.iter().map(|(_, hits)| *hits as f64).sum::<f64>() / count as f64,
        server_cpu: cpu(0),
        database_cpu: cpu(1),
    }
}

async fn search_until<C: Client>(
    mut client: C,
    queries: Arc<Vec<Query>>,
    until: Instant,
) -> Vec<(Duration, usize)> {
    let mut answers = Vec::new();
    loop {
        let query = &queries[rand::rng().random_range(0..queries.len())];
        let sent = Instant::now();
        let hits = client.search(query).await;
        answers.push((sent.elapsed(), hits));
        if Instant::now() >= until {
            return answers;
        }
    }
}
