//! Runs a server under twice its sustainable load: `cargo bench --bench soak`, and `-- help` for the options.
//!
//! Memory must not grow, rejections must be fast, and everything that was acknowledged must exist in the end.
//! Server and PostgreSQL are separate processes on this machine with default settings: every commit is on
//! disk.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../load/arguments.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod arguments;
mod chart;
#[path = "../load/closed_loop.rs"]
mod closed_loop;
#[path = "../load/cpu.rs"]
mod cpu;
#[path = "../load/deployment.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod deployment;
#[path = "../load/http.rs"]
mod http;
#[path = "../load/measurement.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod measurement;
mod open_loop;
#[path = "../load/operation.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod operation;
mod other_clients;
mod report;
mod statistics;
#[path = "../load/subscriber.rs"]
mod subscriber;
#[path = "../load/test_data.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod test_data;
mod verify;

#[path = "../../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arguments::{Arguments, refuse};
use deployment::Deployment;
use it::harness::Cluster;
use open_loop::OpenLoop;
use operation::Operation;
use other_clients::Subscribers;
use report::Report;
use statistics::SharedStatistics;
use test_data::{DataSize, fill};
use verify::Stored;

/// The number of closed-loop clients whose rate counts as sustainable.
const CLIENTS: usize = 64;
/// Warm-up and duration of that measurement.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(5);
/// Conversations of each owner.
const CONVERSATIONS: usize = 5;

struct Options {
    seconds: usize,
    engines: Vec<&'static str>,
    connections: usize,
    owners: usize,
    rate: Option<usize>,
    out: PathBuf,
    this: PathBuf,
}

impl Options {
    fn read() -> Self {
        let mut arguments = Arguments::read(include_str!("help.txt"));
        if let Some(word) = arguments.words().first() {
            refuse(format!("{word} is not NAME=VALUE"));
        }
        let options = Self {
            seconds: arguments.number("seconds", 60),
            engines: arguments.choices("engines", &["SQLite", "PostgreSQL"]),
            connections: arguments.number("connections", 4096),
            owners: arguments.number("owners", 200),
            rate: Some(arguments.number("rate", usize::MAX)).filter(|rate| *rate < usize::MAX),
            out: arguments.text("out").unwrap_or_else(|| "target/soak".into()).into(),
            this: arguments.this(),
        };
        if let Some((name, _)) = arguments.rest().first() {
            refuse(format!("{name} is not known"));
        }
        options
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::read();
    // Each connection needs an open file.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default();
    if files < options.connections as u64 + 200 {
        refuse(format!("connections: only {files} files may be open (ulimit -n)"));
    }
    fs::create_dir_all(&options.out).expect("a folder for charts");
    let mut kept = true;
    for engine in &options.engines {
        kept &= soak(engine, &options).await;
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one engine. Returns whether it kept its promises.
async fn soak(engine: &str, options: &Options) -> bool {
    let cluster = (engine == "PostgreSQL").then(|| Cluster::start(&["max_wal_size=4GB"]));
    let deployment = Deployment::start(engine, &options.this, cluster.as_ref(), 20).await;
    let sustainable = sustainable(&deployment, options).await;
    let rate = options.rate.map_or(2.0 * sustainable, |rate| rate as f64);
    let address = deployment.address();
    let tokens = deployment.tokens(options.owners);
    let amount = DataSize { conversations: CONVERSATIONS, messages: 1 };
    let conversations = fill(address, &tokens, amount).await;

    let statistics = SharedStatistics::default();
    let subscribers = Subscribers::start(address, &conversations).await;
    let readers = other_clients::read(address, &conversations, &statistics).await;
    let server = deployment.processes.as_ref().expect("a server of our own")[0];
    let duration = Duration::from_secs(options.seconds as u64);
    let offer = OpenLoop { address: address.into(), rate, duration, connections: options.connections };
    let sampling = tokio::spawn(statistics::sample(statistics.clone(), server, options.seconds));
    offer.make(&conversations, &statistics).await;
    let samples = sampling.await.unwrap();
    drop(readers);

    let stored = Stored::read(address, &conversations).await;
    let followed = subscribers.finish(&stored.last).await;
    let path = options.out.join(format!("{engine}.svg"));
    let title = format!("{engine}: sustains {sustainable:.0} appends a second, is offered {rate:.0}");
    chart::draw(&path, &title, rate, &samples).expect("a chart");
    let statistics = std::mem::take(&mut *statistics.lock().unwrap());
    let report = Report { engine, sustainable, rate, options, samples, statistics, stored, followed };
    report.print();
    println!("- chart: {}", path.display());
    report.is_good()
}

/// The appends per second of closed-loop clients.
async fn sustainable(deployment: &Deployment, options: &Options) -> f64 {
    let tokens = deployment.tokens(options.owners);
    let amount = DataSize { conversations: CONVERSATIONS, messages: 1 };
    let conversations = fill(deployment.address(), &tokens, amount).await;
    let request = |conversation| Operation::Append.request(deployment.address(), conversation);
    let requests = Arc::new(conversations.iter().map(request).collect());
    closed_loop::measure(deployment, Operation::Append, &requests, CLIENTS, WARM_UP).await;
    closed_loop::measure(deployment, Operation::Append, &requests, CLIENTS, MEASURED).await.per_second
}
