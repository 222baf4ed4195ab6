//! Closing of WebSockets and streams at shutdown.
//!
//! All their clients reconnect at once, and to fewer replicas. So they are closed at random times over a
//! window that grows with their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The part of the window for each connection.
const TIME_PER_CONNECTION: Duration = Duration::from_millis(5);

/// The open WebSockets and streams.
pub(super) struct Drain {
    closing: CancellationToken,
    max_window: Duration,
    open: AtomicUsize,
}

/// An open WebSocket or stream.
pub(super) struct DrainGuard(Arc<Drain>);

impl Drain {
    /// They end within `max_window` after `closing` is cancelled.
    pub(super) fn new(closing: CancellationToken, max_window: Duration) -> Arc<Self> {
        Arc::new(Self { closing, max_window, open: AtomicUsize::new(0) })
    }

    /// Counts a WebSocket or stream.
    pub(super) fn enter(self: &Arc<Self>) -> DrainGuard {
        self.open.fetch_add(1, Ordering::Relaxed);
        DrainGuard(self.clone())
    }

    /// The time over which all are closed.
    fn window(&self) -> Duration {
        let others = self.open.load(Ordering::Relaxed).saturating_sub(1);
        TIME_PER_CONNECTION.saturating_mul(u32::try_from(others).unwrap_or(u32::MAX)).min(self.max_window)
    }
}

impl DrainGuard {
    /// Resolves when the shutdown has begun and this one must close.
    pub(super) async fn must_close(&self) {
        self.0.closing.cancelled().await;
        tokio::time::sleep(self.0.window().mul_f64(rand::random())).await;
    }
}

impl Drop for DrainGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_go_over_a_window_and_few_at_once() {
        let drain = Drain::new(CancellationToken::new(), Duration::from_secs(5));
        let one = drain.enter();
        assert_eq!(drain.window(), Duration::ZERO);
        let hundred: Vec<_> = (0..100).map(|_| drain.enter()).collect();
        assert_eq!(drain.window(), Duration::from_millis(500));
        let thousands: Vec<_> = (0..5000).map(|_| drain.enter()).collect();
        assert_eq!(drain.window(), Duration::from_secs(5));
        drop((hundred, thousands));
        assert_eq!(drain.window(), Duration::ZERO);
        drop(one);
        assert_eq!(drain.window(), Duration::ZERO);
    }
}
