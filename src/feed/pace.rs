//! The pauses of a reader that delivers streamed text, while the processor is busy.
//!
//! Text comes in small chunks, and each is sent to each subscriber. If a reader is late, then the processor is busy. It
//! pauses before it delivers the next chunks, which are then sent together: this takes fewer messages, so that the writers
//! are not delayed (`cargo bench --bench streams -- --answers 500`).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::signals::Notification;

/// A reader that gets text later than this after its commit pauses.
const LATE: Duration = Duration::from_millis(5);

/// The length of a pause, as a multiple of the delay, and the longest pause.
const FACTOR: u32 = 4;
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// The pauses of one reader.
pub(super) struct Pace {
    /// The end of the last pause.
    resumed: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { resumed: Instant::now() }
    }

    /// How late the texts of a notification are, without the last pause.
    pub(super) fn lateness(&self, notification: &Notification) -> Duration {
        match notification {
            Notification::Texts(_, since) => Ord::max(*since, self.resumed).elapsed(),
            Notification::Signal => Duration::ZERO,
        }
    }

    /// Pauses after such a delay.
    pub(super) async fn pause(&mut self, late: Duration) {
        if late > LATE {
            self.resumed = Instant::now() + Ord::min(FACTOR * late, MAX_PAUSE);
            // Boxed to keep the task of a waiting reader small.
            Box::pin(sleep_until(self.resumed)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn late_readers_pause() {
        let texts = || Notification::Texts(Vec::new(), Instant::now());
        let mut pace = Pace::new();
        for (late, pause) in [(0, 0), (5, 0), (6, 24), (49, 196), (1000, 200)] {
            let notification = texts();
            advance(Duration::from_millis(late)).await;
            let late = pace.lateness(&notification);
            let before = Instant::now();
            // Texts that come meanwhile are not late because of the pause.
            let meanwhile = texts();
            pace.pause(late).await;
            assert_eq!(before.elapsed(), Duration::from_millis(pause), "{late:?}");
            assert_eq!(pace.lateness(&meanwhile), Duration::ZERO);
            advance(Duration::from_millis(5)).await;
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(pace.lateness(&Notification::Signal), Duration::ZERO);
    }
}
