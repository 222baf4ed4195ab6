//! Full-text search: `cargo bench --bench search`, and `-- --help` for its options.
//!
//! Fills a database with the messages of many owners, indexes them, and searches the messages of one owner over HTTP.
//! In between it runs the same searches on the database itself, without a server: with its own full-text search, and
//! with LIKE, as chat servers without an index do. The server and PostgreSQL are processes of their own on this machine.
//! `SCROLLBACK_PROGRAM` names another build of the server. The databases are in the folder for temporary files and take
//! a few GB.
//!
//! The cost of the index for appends is in `benches/load`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

mod closed_loop;
mod corpus;
#[expect(dead_code, reason = "the benchmark `load` uses the rest")]
#[path = "../load/cpu.rs"]
mod cpu;
mod database;
mod fill;
#[expect(dead_code, reason = "the benchmark `load` uses the rest")]
#[path = "../load/http.rs"]
mod http;
mod postgres;
mod report;
mod server;
mod sqlite;

#[path = "../../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use corpus::{Corpus, Order, Query, QueryKind};
use database::{Database, Target};
use fill::{Filled, batches, fill};
use report::{Comparison, Report};

/// Measures full-text search.
#[derive(Parser, Clone)]
struct Options {
    /// Messages of all owners.
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Owners.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(3..))]
    owners: u32,
    /// Messages of the largest owner, who searches.
    #[arg(long, default_value_t = 200_000)]
    large: usize,
    /// One database instead of both.
    #[arg(long)]
    engine: Option<Engine>,
    /// Seconds for each kind of query.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Clients that search at the same time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    clients: Vec<usize>,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

/// Searches of some clients.
#[derive(Clone, Copy)]
struct Load<'q> {
    queries: &'q [Query],
    clients: usize,
    duration: Duration,
}

/// The owner with most messages.
const LARGE: usize = 0;

/// An owner whose searches are measured with few other owners, and with all.
const SMALL: usize = 1;
const SMALL_MESSAGES: usize = 2_000;

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let corpus = Arc::new(Corpus::read());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if options.engine.is_none_or(|only| only == engine) {
            run(engine, &options, &corpus).await;
        }
    }
}

async fn run(engine: Engine, options: &Options, corpus: &Arc<Corpus>) {
    let name = if engine == Engine::Sqlite { "SQLite" } else { "PostgreSQL" };
    println!("\n## {name}\n");
    let database = Database::create(engine).await;
    let all = owners(options);
    let (few, rest) = all.split_at(1 + (all.len() - 2) / 10);

    let mut filled = fill(&database.url, database.folder(), corpus, few).await;
    let few_owners = measure_small(&database, options, corpus).await;
    let more = fill(&database.url, database.folder(), corpus, rest).await;
    add(&mut filled, more);
    let bytes = database.index_bytes().await;
    let begun = Instant::now();
    let own_bytes = database.index(corpus, &batches(&all)).await;
    let report = Report::new(name);
    report.print_fill(&filled, bytes, begun.elapsed(), own_bytes);
    let all_owners = measure_small(&database, options, corpus).await;
    report.print_growth(&[(few.len(), few_owners), (all.len(), all_owners)]);
    measure_large(&database, options, corpus, report).await;
}

/// The owners with their numbers of messages. The small one is the first, and the large one the last.
fn owners(options: &Options) -> Vec<(usize, usize)> {
    let others = options.owners as usize - 2;
    let messages = options.messages.saturating_sub(options.large + SMALL_MESSAGES) / others;
    assert!(messages > 0, "more messages are needed: the other owners have none");
    let mut owners = vec![(SMALL, SMALL_MESSAGES)];
    owners.extend((2..2 + others).map(|owner| (owner, messages)));
    owners.push((LARGE, options.large));
    owners
}

fn add(sum: &mut Filled, more: Filled) {
    sum.messages += more.messages;
    sum.bytes += more.bytes;
    sum.writing += more.writing;
    sum.indexing += more.indexing;
}

/// Measures all kinds of queries of the small owner together.
async fn measure_small(database: &Database, options: &Options, corpus: &Corpus) -> closed_loop::Figures {
    let queries: Vec<Query> =
        Order::ALL.iter().flat_map(|order| corpus.queries(SMALL, SMALL_MESSAGES, *order)).collect();
    let (_program, server) = database.serve().await;
    let duration = Duration::from_secs(3 * options.seconds);
    let load = Load { queries: &queries, clients: 1, duration };
    let figures = database.measure(Target::Scrollback(&server), SMALL, load).await;
    server.terminate().await;
    server.ended().await;
    figures
}

/// Measures each kind of query of the large owner, next to the same on the database itself.
async fn measure_large(database: &Database, options: &Options, corpus: &Corpus, mut report: Report) {
    let (_program, server) = database.serve().await;
    let duration = Duration::from_secs(options.seconds);
    report.print_head();
    for clients in options.clients.iter().copied() {
        let mut scans = Vec::new();
        let queries = corpus.queries(LARGE, options.large, Order::Newest);
        let list = Load { queries: &queries, clients, duration };
        report.add_list(clients, database.measure(Target::List(&server), LARGE, list).await);
        for order in Order::ALL {
            let queries = corpus.queries(LARGE, options.large, order);
            for (number, kind) in QueryKind::ALL.into_iter().enumerate() {
                let queries: Vec<Query> = queries.iter().filter(|it| it.kind == kind).cloned().collect();
                let load = Load { queries: &queries, clients, duration };
                let scrollback = database.measure(Target::Scrollback(&server), LARGE, load).await;
                let full_text = database.measure(Target::FullText, LARGE, load).await;
                // It has one order only.
                if order == Order::ALL[0] {
                    let load = Load { duration: 2 * duration, ..load };
                    scans.push(database.measure(Target::Scan, LARGE, load).await);
                }
                let scan = scans[number];
                report.add(Comparison { clients, order, kind, scrollback, full_text, scan });
            }
        }
    }
    report.print_summary();
    println!("\nPeak memory of the server: {} MiB", server.peak_memory() / (1024 * 1024));
}
