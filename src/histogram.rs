//! Histograms without locks, for figures that modules below the server collect.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of durations, in seconds.
pub const DURATIONS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of sizes of batches.
pub const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counts values by size.
pub struct Histogram {
    bounds: &'static [f64],
    /// The values up to each bound and above the one before; the last are those above all bounds.
    buckets: Box<[AtomicU64]>,
    /// The bits of the sum, an `f64`.
    sum: AtomicU64,
}

/// A histogram at one time.
pub struct HistogramSnapshot {
    /// The sum of all values.
    pub sum: f64,
    /// The number of all values.
    pub count: u64,
    /// The number of values of each bucket, with its upper bound. The last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// An empty histogram with these upper bounds, in ascending order.
    pub fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0.0_f64.to_bits()) }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The histogram as it is now. Values that are counted at the same time may be in some of its numbers only.
    pub fn read(&self) -> HistogramSnapshot {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        HistogramSnapshot { sum: f64::from_bits(self.sum.load(Ordering::Relaxed)), count, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_bucket_with_the_next_bound() {
        let histogram = Histogram::new(&SIZES);
        for value in [1.0, 1.5, 2.0, 3.0, 1000.0] {
            histogram.observe(value);
        }
        let HistogramSnapshot { sum, count, buckets } = histogram.read();
        assert_eq!((sum, count), (1007.5, 5));
        let filled: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1.0, 1), (2.0, 2), (4.0, 1), (f64::INFINITY, 1)]);
    }
}
