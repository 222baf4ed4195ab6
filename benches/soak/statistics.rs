//! What has come of all that was offered, and second by second how the server bore it.

use std::fs;
use std::io::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use crate::cpu;
use crate::measurement::percentiles;

/// Between everybody who counts. One thread does: nobody waits for it.
pub(crate) type SharedStatistics = Arc<Mutex<Statistics>>;

/// Some of the first numbers.
#[derive(Default)]
pub(crate) struct NumberSet(Vec<bool>);

impl NumberSet {
    /// Adds one; false where it is there already.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        if number >= self.0.len() {
            self.0.resize(number + 1, false);
        }
        !std::mem::replace(&mut self.0[number], true)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().filter(|is| **is).count()
    }

    /// How many are here and not other.
    pub(crate) fn missing_from(&self, other: &Self) -> usize {
        let in_there = |number: usize| other.0.get(number).copied().unwrap_or(false);
        self.0.iter().enumerate().filter(|(number, is)| **is && !in_there(*number)).count()
    }
}

/// Counts of the whole time.
#[derive(Default)]
pub(crate) struct Statistics {
    now: SecondCounts,
    /// NumberSet of messages that were acknowledged.
    pub(crate) acknowledged: NumberSet,
    /// Refused with UNAVAILABLE, to be tried again.
    pub(crate) refused: usize,
    /// Answered with another error.
    pub(crate) failed: usize,
    /// Connections that were cut before an answer: nobody knows what became of the request.
    pub(crate) cut: usize,
    /// Waited for too long to be sent at all.
    pub(crate) unsent: usize,
    /// Histories that were read, and refused.
    pub(crate) reads: [usize; 2],
    /// The first of those that were cut or failed.
    pub(crate) failure: Option<String>,
}

/// Latencies of a second, in microseconds.
#[derive(Default)]
struct SecondCounts {
    answered: Latencies,
    refused: Latencies,
    read: Vec<u32>,
}

/// Of appends that ended the same way: since they were due, and since they were sent.
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

/// Appends that ended the same way in a second. Latencies in milliseconds: p50, p90, p99, the longest.
pub(crate) struct OutcomeSummary {
    /// How many a second.
    pub(crate) rate: f64,
    /// Since they were due.
    pub(crate) due: [f64; 4],
    /// Since they were sent.
    pub(crate) sent: [f64; 4],
}

/// A second.
pub(crate) struct Sample {
    /// Seconds since the beginning.
    pub(crate) at: f64,
    /// Memory that the server holds, in bytes.
    pub(crate) memory: u64,
    pub(crate) answered: OutcomeSummary,
    pub(crate) refused: OutcomeSummary,
    /// How long histories took, in milliseconds: p50, p90, p99, the longest.
    pub(crate) read: [f64; 4],
    /// Part of a processor that this load kept busy.
    pub(crate) load: f64,
    /// By how much this load was late for what was due, at most.
    pub(crate) late: Duration,
}

impl Statistics {
    pub(crate) fn answered(&mut self, number: usize, due: Instant, sent: Instant) {
        self.acknowledged.insert(number);
        self.now.answered.push(due, sent);
    }

    /// Anything but a success.
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

/// Samples every second, for so many seconds.
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

/// Waits in small steps, and gives the most that one of them took too long.
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
