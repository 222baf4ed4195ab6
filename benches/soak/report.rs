//! The report of a run.

use std::time::Duration;

use crate::Options;
use crate::open_loop::TIMEOUT;
use crate::other_clients::SubscriberReport;
use crate::statistics::{Sample, Statistics};
use crate::verify::Stored;

/// The CPU use of the load above which its results are doubtful.
const BUSY: f64 = 0.95;

/// The delay of the load above which its results are doubtful.
const LATE: Duration = Duration::from_millis(100);

/// The results.
pub(crate) struct Report<'a> {
    pub(crate) engine: &'a str,
    pub(crate) sustainable: f64,
    /// Offered appends per second.
    pub(crate) rate: f64,
    pub(crate) options: &'a Options,
    pub(crate) samples: Vec<Sample>,
    pub(crate) statistics: Statistics,
    pub(crate) stored: Stored,
    pub(crate) followed: SubscriberReport,
}

impl Report<'_> {
    /// Acknowledged messages that do not exist.
    fn lost(&self) -> usize {
        self.statistics.acknowledged.missing_from(&self.stored.messages)
    }

    /// Whether every acknowledged message exists once, in order, and was delivered to all subscribers.
    pub(crate) fn is_good(&self) -> bool {
        let Self { stored, followed, .. } = self;
        self.lost() + stored.twice + stored.misplaced == 0 && followed.missed + followed.twice == 0
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        let Self { engine, sustainable, rate, options, samples, statistics, stored, followed } = self;
        let Options { seconds, connections, owners, .. } = options;
        println!("\n## {engine}\n");
        println!("- sustained: {sustainable:.0} appends a second, {} clients", crate::CLIENTS);
        println!("- offered: {rate:.0} a second for {seconds} s, {connections} connections, {owners} owners");
        let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
        println!(
            "- stored: {:.0} a second; refused: {:.0} a second",
            mean(|it| it.answered.rate),
            mean(|it| it.refused.rate)
        );
        let memory = [10, 50, 100].map(|part| {
            let at = (samples.len() * part).div_ceil(100).saturating_sub(1);
            format!("{:.0} MiB", samples[at].memory as f64 / 1_048_576.0)
        });
        println!("- memory of the server at 10 %, 50 %, 100 % of the time: {}", memory.join(", "));
        self.latencies();
        println!(
            "- acknowledged: {}; of these lost: {}; stored twice: {}; out of place: {}",
            statistics.acknowledged.count(),
            self.lost(),
            stored.twice,
            stored.misplaced
        );
        println!(
            "- refused: {}; failed: {}; connections cut: {}; stored without an acknowledgement: {}",
            statistics.refused,
            statistics.failed,
            statistics.cut,
            stored.messages.missing_from(&statistics.acknowledged)
        );
        let [read, unread] = statistics.reads;
        println!("- histories read beside: {read}, and refused: {unread}");
        println!(
            "- subscribers missed: {}; had twice: {}; resumed: {}",
            followed.missed, followed.twice, followed.resumed
        );
        if let Some(failure) = &statistics.failure {
            println!("- the first failure: {failure}");
        }
        self.load();
    }

    fn latencies(&self) {
        // Of the median second, and of the worst.
        let of = |what: fn(&Sample) -> [f64; 4]| {
            let [p50, _, p99, max] = [0, 1, 2, 3].map(|at| {
                let all = self.samples.iter().map(|it| what(it)[at]);
                // Seconds without samples are skipped.
                let mut all: Vec<f64> = all.filter(|latency| *latency > 0.0).collect();
                all.sort_by(f64::total_cmp);
                all
            });
            let Some(max) = max.last() else { return "none".to_owned() };
            let (p50, p99) = (p50[p50.len() / 2], p99[p99.len() / 2]);
            format!("p50 {p50:.1} ms, p99 {p99:.1} ms, longest {max:.1} ms")
        };
        println!("- stored, since due: {}", of(|it| it.answered.due));
        println!("- stored, since sent: {}", of(|it| it.answered.sent));
        println!("- refused, since due: {}", of(|it| it.refused.due));
        println!("- refused, since sent: {}", of(|it| it.refused.sent));
        println!("- histories: {}", of(|it| it.read));
    }

    /// Warns if the load itself may have distorted the results.
    fn load(&self) {
        let Self { samples, statistics, .. } = self;
        let cores = samples.iter().map(|it| it.load).sum::<f64>() / samples.len() as f64;
        let late = samples.iter().map(|it| it.late).max().unwrap_or_default();
        println!("- the load itself: {cores:.2} of one processor, at most {late:.0?} late");
        let behind = samples.iter().filter(|it| it.load >= BUSY || it.late > LATE).count();
        if behind > 0 {
            println!(
                "- THE LOAD DID NOT KEEP UP in {behind} of {} s: it had no processor, or got it over {LATE:?} late",
                samples.len()
            );
        }
        if statistics.unsent > 0 {
            let begun = self.statistics.acknowledged.count()
                + statistics.refused
                + statistics.failed
                + statistics.cut;
            println!(
                "- NOT ALL WAS OFFERED: {} of {} waited for over {} s behind unanswered ones and were not sent",
                statistics.unsent,
                begun + statistics.unsent,
                TIMEOUT.as_secs()
            );
        }
    }
}
