//! Results of measurements, and tables of their medians.

use std::collections::BTreeMap;

use crate::deployment::CpuUsage;

/// The result of a measurement. Latencies in milliseconds, CPU time in microseconds per operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) per_second: f64,
    /// p50, p90, p99 and maximum.
    pub(crate) latency: [f64; 4],
    /// CPU time of the server, its database and this load, if known.
    pub(crate) cpu: [Option<f64>; 3],
}

impl Measurement {
    /// From the duration of each operation in microseconds, and the total time in seconds.
    pub(crate) fn of(took: &mut [u32], seconds: f64, before: CpuUsage, after: CpuUsage) -> Self {
        let count = took.len() as f64;
        let each = |before: Option<u64>, after: Option<u64>| Some((after? - before?) as f64 / count);
        Self {
            per_second: count / seconds,
            latency: percentiles(took),
            cpu: [
                each(before.server, after.server),
                each(before.database, after.database),
                each(Some(before.load), Some(after.load)),
            ],
        }
    }
}

/// p50, p90, p99 and maximum of microseconds, in milliseconds.
pub(crate) fn percentiles(took: &mut [u32]) -> [f64; 4] {
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    [50, 90, 99, 100].map(|part| took.get(last * part / 100).map_or(0.0, |it| f64::from(*it) / 1000.0))
}

/// The rows of a table, each with the results of all rounds.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<(usize, usize), Row>,
}

#[derive(Default)]
struct Row {
    name: String,
    rounds: Vec<Measurement>,
    faults: Vec<usize>,
}

impl Table {
    /// Adds the result of a round with this number of clients, at this place among the programs.
    pub(crate) fn add(
        &mut self,
        clients: usize,
        place: usize,
        name: &str,
        found: Measurement,
        faults: &[usize],
    ) {
        let row = self.rows.entry((clients, place)).or_default();
        name.clone_into(&mut row.name);
        row.rounds.push(found);
        row.faults.resize(faults.len(), 0);
        row.faults.iter_mut().zip(faults).for_each(|(sum, more)| *sum += more);
    }

    /// Prints the medians of the rounds, and the sum of all faults.
    pub(crate) fn print(&self, title: &str, columns: [&str; 2], faults: &[&str]) {
        let [clients, per_second] = columns;
        let faults: String = faults.iter().map(|fault| format!(" {fault} |")).collect();
        println!(
            "\n| {title} | {clients} | {per_second} | p50 ms | p90 ms | p99 ms | max ms | server µs | \
             database µs | load µs |{faults}"
        );
        println!("|---|{}", "--:|".repeat(9 + faults.matches('|').count()));
        for ((clients, _), Row { name, rounds, faults }) in &self.rows {
            let median = |of: &dyn Fn(&Measurement) -> f64| median(rounds.iter().map(of));
            let [p50, p90, p99, max] = [0, 1, 2, 3].map(|at| median(&|it| it.latency[at]));
            let cpu = [0, 1, 2].map(|at| match rounds[0].cpu[at] {
                Some(_) => format!("{:.0}", median(&|it| it.cpu[at].unwrap_or_default())),
                None => "–".into(),
            });
            let per_second = median(&|it| it.per_second);
            let faults: String = faults.iter().map(|count| format!(" {count} |")).collect();
            println!(
                "| {name} | {clients} | {per_second:.0} | {p50:.2} | {p90:.2} | {p99:.1} | {max:.1} | {} |{faults}",
                cpu.join(" | ")
            );
        }
    }
}

fn median(column: impl Iterator<Item = f64>) -> f64 {
    let mut column: Vec<f64> = column.collect();
    column.sort_by(f64::total_cmp);
    column[column.len() / 2]
}
