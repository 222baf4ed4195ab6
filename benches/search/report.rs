//! Tables.

use std::time::Duration;

use crate::closed_loop::Figures;
use crate::corpus::{Order, QueryKind};
use crate::fill::Filled;

/// What is required of a search.
const P95: f64 = 20.0;
const OF_FULL_TEXT: f64 = 0.6;
const OF_SCAN: f64 = 50.0;

pub(crate) struct Report {
    engine: &'static str,
    rows: Vec<Comparison>,
    /// Lists of conversations a second, for each number of clients.
    lists: Vec<(usize, f64)>,
}

/// The same searches on all targets.
pub(crate) struct Comparison {
    pub(crate) clients: usize,
    pub(crate) order: Order,
    pub(crate) kind: QueryKind,
    pub(crate) scrollback: Figures,
    pub(crate) full_text: Figures,
    pub(crate) scan: Figures,
}

impl Report {
    pub(crate) fn new(engine: &'static str) -> Self {
        Self { engine, rows: Vec::new(), lists: Vec::new() }
    }

    pub(crate) fn print_fill(&self, filled: &Filled, bytes: u64, own: Duration, own_bytes: u64) {
        let Filled { messages, bytes: texts, writing, indexing } = *filled;
        let count = messages as f64;
        let mega = |bytes: u64| bytes as f64 / 1_000_000.0;
        let part = |bytes: u64| bytes as f64 / texts as f64;
        println!(
            "| {messages} messages, {:.0} MB of text | messages/s | MB | MB / MB of text |",
            mega(texts as u64)
        );
        println!("|---|--:|--:|--:|");
        println!("| written | {:.0} | | |", count / writing);
        println!("| indexed | {:.0} | {:.0} | {:.2} |", count / indexing, mega(bytes), part(bytes));
        let per_second = count / own.as_secs_f64();
        let engine = self.engine;
        println!(
            "| full text of {engine} | {per_second:.0} | {:.0} | {:.2} |",
            mega(own_bytes),
            part(own_bytes)
        );
    }

    /// Searches of one owner with so many owners.
    pub(crate) fn print_growth(&self, all: &[(usize, Figures)]) {
        println!(
            "\n| an owner with 2,000 messages | p50 ms | p95 ms | p99 ms | queries/s | server CPU ms | {DATABASE} |"
        );
        println!("|---|{}", "--:|".repeat(6));
        for (owners, it) in all {
            println!(
                "| {owners} owners | {:.2} | {:.2} | {:.2} | {:.0} | {} | {} |",
                it.p50,
                it.p95,
                it.p99,
                it.per_second,
                milliseconds(it.server_cpu),
                milliseconds(it.database_cpu)
            );
        }
    }

    pub(crate) fn print_head(&self) {
        println!(
            "\n| order | query | clients | hits | p50 ms | p95 ms | p99 ms | queries/s | server CPU ms | {DATABASE} \
             | full text: hits | p95 ms | queries/s | times | LIKE: queries/s | times |"
        );
        println!("|---|---|{}", "--:|".repeat(14));
    }

    /// Adds what was measured for a request that does not search.
    pub(crate) fn add_list(&mut self, clients: usize, figures: Figures) {
        self.lists.push((clients, figures.per_second));
    }

    /// Adds a row, and prints it.
    pub(crate) fn add(&mut self, row: Comparison) {
        let Comparison { clients, order, kind, scrollback: it, full_text, scan } = &row;
        println!(
            "| {} | {} | {clients} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} | {} | {} | {:.1} | {:.2} | {} | {:.2} | {} | {:.0} |",
            order.name(),
            kind.name(),
            it.hits,
            it.p50,
            it.p95,
            it.p99,
            it.per_second,
            milliseconds(it.server_cpu),
            milliseconds(it.database_cpu),
            full_text.hits,
            full_text.p95,
            rate(full_text.per_second),
            it.per_second / full_text.per_second,
            rate(scan.per_second),
            it.per_second / scan.per_second,
        );
        self.rows.push(row);
    }

    /// All kinds of queries in equal numbers, and whether what is required is reached.
    pub(crate) fn print_summary(&self) {
        println!(
            "\n| all kinds of queries | clients | queries/s | full text | times | full text and a request | times \
             | LIKE | times |"
        );
        println!("|---|{}", "--:|".repeat(8));
        for (clients, list) in &self.lists {
            for orders in [&Order::ALL[..1], &Order::ALL[1..], &Order::ALL] {
                let rows =
                    || self.rows.iter().filter(|row| row.clients == *clients && orders.contains(&row.order));
                let names: Vec<_> = orders.iter().map(|order| order.name()).collect();
                let it = mixture(rows().map(|row| row.scrollback.per_second));
                let full_text = mixture(rows().map(|row| row.full_text.per_second));
                let with_request =
                    mixture(rows().map(|row| 1.0 / (1.0 / row.full_text.per_second + 1.0 / list)));
                let scan = mixture(rows().map(|row| row.scan.per_second));
                println!(
                    "| {} | {clients} | {it:.0} | {} | {:.2} | {} | {:.2} | {} | {:.0} |",
                    names.join(" and "),
                    rate(full_text),
                    it / full_text,
                    rate(with_request),
                    it / with_request,
                    rate(scan),
                    it / scan
                );
            }
        }
        println!(
            "\n\"Full text and a request\" adds the time of a request to the server that lists 20 conversations: the \
             searches on the database itself have no server, no HTTP and no GraphQL.\n\nRequired: p95 of at most {P95} ms, {OF_FULL_TEXT} times the full-text search of the database, \
             {OF_SCAN} times LIKE."
        );
    }
}

const DATABASE: &str = "database CPU ms";

/// The rate of equal numbers of several kinds.
fn mixture(rates: impl Iterator<Item = f64>) -> f64 {
    let (count, seconds) =
        rates.fold((0.0, 0.0), |(count, seconds), rate| (count + 1.0, seconds + 1.0 / rate));
    count / seconds
}

fn milliseconds(cpu: Option<f64>) -> String {
    cpu.map_or("–".into(), |cpu| format!("{cpu:.2}"))
}

/// Enough digits for slow searches.
fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.2}") } else { format!("{per_second:.0}") }
}
