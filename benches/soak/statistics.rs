//! Statistics of all requests, in total and for each second.

use std::fs;
use std::io::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::cpu;
use crate::measurement::percentiles;

/// Shared by all tasks. They run on one thread, so nobody waits for the lock.
pub(crate) type SharedStatistics = Arc<Mutex<Statistics>>;

/// A set of small numbers.
#[derive(Default)]
pub(crate) struct NumberSet(Vec<bool>);

impl NumberSet {
    /// Adds a number. Returns false if it is already in the set.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        if number >= self.0.len() {
            self.0.resize(number + 1, false);
        }
        !std::mem::replace(&mut self.0[number], true)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().filter(|is| **is).count()
    }

    /// The count of numbers that are not in `other`.
    pub(crate) fn missing_from(&self, other: &Self) -> usize {
        let in_there = |number: usize| other.0.get(number).copied().unwrap_or(false);
        self.0.iter().enumerate().filter(|(number, is)| **is && !in_there(*number)).count()
    }
}

/// Totals of the run.
#[derive(Default)]
pub(crate) struct Statistics {
    now: SecondCounts,
    /// The numbers of acknowledged messages.
    pub(crate) acknowledged: NumberSet,
    /// Rejected with UNAVAILABLE.
    pub(crate) refused: usize,
    /// Failed with another error.
    pub(crate) failed: usize,
    /// Connections that were closed before the response. The result of the request is unknown.
    pub(crate) cut: usize,
    /// Requests that waited too long and were not sent.
    pub(crate) unsent: usize,
    /// Histories that were read, and rejected.
    pub(crate) reads: [usize; 2],
    /// The first error of a failed request or connection.
    pub(crate) failure: Option<String>,
}

/// Latencies of a second, in microseconds.
#[derive(Default)]
struct SecondCounts {
    answered: Latencies,
    refused: Latencies,
    read: Vec<u32>,
}

/// The latencies of appends with the same outcome: since they were due, and since they were sent.
#[derive(Default)]
struct Latencies {
    due: Vec<u32>,
    sent: Vec<u32>,
}

impl Latencies {
    fn push(&mut self, due: Instant, sent: Instant) {
        self.due.push(micros(due.elapsed()));
        self.sent.push(micros(sent.elapsed()));
    }

    fn over(mut self, seconds: f64) -> OutcomeSummary {
        OutcomeSummary {
            rate: self.due.len() as f64 / seconds,
            due: percentiles(&mut self.due),
            sent: percentiles(&mut self.sent),
        }
    }
}

/// Appends with the same outcome in a second. Latencies in milliseconds: p50, p90, p99 and maximum.
pub(crate) struct OutcomeSummary {
    /// Appends per second.
    pub(crate) rate: f64,
    /// Since they were due.
    pub(crate) due: [f64; 4],
    /// Since they were sent.
    pub(crate) sent: [f64; 4],
}

/// The measurements of a second.
pub(crate) struct Sample {
    /// Seconds since the start.
    pub(crate) at: f64,
    /// Resident memory of the server, in bytes.
    pub(crate) memory: u64,
    pub(crate) answered: OutcomeSummary,
    pub(crate) refused: OutcomeSummary,
    /// Durations of histories in milliseconds: p50, p90, p99 and maximum.
    pub(crate) read: [f64; 4],
    /// CPU use of this load, as part of a core.
    pub(crate) load: f64,
    /// The largest delay of this load.
    pub(crate) late: Duration,
}

impl Statistics {
    pub(crate) fn answered(&mut self, number: usize, due: Instant, sent: Instant) {
        self.acknowledged.insert(number);
        self.now.answered.push(due, sent);
    }

    /// Counts a response that is not a success.
    pub(crate) fn rejected(&mut self, due: Instant, sent: Instant, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        if text.contains(r#""code":"UNAVAILABLE""#) {
            self.refused += 1;
            self.now.refused.push(due, sent);
        } else {
            self.failed += 1;
            self.failure.get_or_insert_with(|| text.into_owned());
        }
    }

    pub(crate) fn disconnected(&mut self, error: &Error) {
        self.cut += 1;
        self.failure.get_or_insert_with(|| error.to_string());
    }

    pub(crate) fn read(&mut self, sent: Instant, succeeded: bool) {
        self.reads[usize::from(!succeeded)] += 1;
        self.now.read.push(micros(sent.elapsed()));
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Takes a sample every second.
pub(crate) async fn sample(statistics: SharedStatistics, server: u32, seconds: usize) -> Vec<Sample> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    let mut last = (begin, cpu::of(std::process::id()));
    for _ in 0..seconds {
        let late = wait(last.0 + Duration::from_secs(1)).await;
        let now = (Instant::now(), cpu::of(std::process::id()));
        let elapsed = (now.0 - last.0).as_secs_f64();
        let mut second = std::mem::take(&mut statistics.lock().unwrap().now);
        samples.push(Sample {
            at: (now.0 - begin).as_secs_f64(),
            memory: memory(server),
            answered: second.answered.over(elapsed),
            refused: second.refused.over(elapsed),
            read: percentiles(&mut second.read),
            load: (now.1 - last.1) as f64 / 1e6 / elapsed,
            late,
        });
        last = now;
    }
    samples
}

/// Waits in small steps and returns the largest delay of a step.
async fn wait(until: Instant) -> Duration {
    let mut late = Duration::ZERO;
    while Instant::now() < until {
        let step = Instant::now() + Duration::from_millis(10);
        sleep_until(step.into()).await;
        late = late.max(step.elapsed());
    }
    late
}

fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the server still runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
