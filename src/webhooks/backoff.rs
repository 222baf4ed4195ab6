//! How long to wait after failures.

use std::time::Duration;

/// The wait after the first failure. It doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait before an owner's next change is tried again.
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest wait before a receiver that fails for all owners is tried again.
pub(super) const LONGEST_PROBE: Duration = Duration::from_secs(60);

/// A random wait after so many failures: between half and all of the doubled wait, so that owners that failed together
/// are not tried together again.
pub(super) fn wait(failures: u64, longest: Duration) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    let full = FIRST.saturating_mul(1 << doublings).min(longest);
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_differ() {
        for (failures, longest, full) in [
            (1, LONGEST, 1),
            (2, LONGEST, 2),
            (5, LONGEST, 16),
            (11, LONGEST, 900),
            (u64::MAX, LONGEST, 900),
            (9, LONGEST_PROBE, 60),
        ] {
            let waits: Vec<f64> = (0..100).map(|_| wait(failures, longest).as_secs_f64()).collect();
            let full = f64::from(full);
            assert!(waits.iter().all(|wait| (full / 2.0..=full).contains(wait)), "{failures}: {waits:?}");
            assert!(
                waits.iter().any(|wait| (wait - waits[0]).abs() > full / 100.0),
                "{failures}: all the same"
            );
        }
    }
}
