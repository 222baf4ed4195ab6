//! The end of sockets and streams when the server shuts down.
//!
//! Their clients come back at once, all of them, and to fewer replicas. So they are let go one after
//! another, at random over a window that grows with their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Room for one of them in the window.
const EACH: Duration = Duration::from_millis(5);

/// The sockets and streams that are open.
pub(super) struct Drain {
    closing: CancellationToken,
    longest: Duration,
    open: AtomicUsize,
}

/// One of them.
pub(super) struct Guest(Arc<Drain>);

impl Drain {
    /// They end within `longest` once the `closing` has begun.
    pub(super) fn new(closing: CancellationToken, longest: Duration) -> Arc<Self> {
        Arc::new(Self { closing, longest, open: AtomicUsize::new(0) })
    }

    /// Counts one more.
    pub(super) fn enter(self: &Arc<Self>) -> Guest {
        self.open.fetch_add(1, Ordering::Relaxed);
        Guest(self.clone())
    }
}

impl Guest {
    /// Resolves when the shutdown has begun and it is this one's turn to go.
    pub(super) async fn dismissed(&self) {
        self.0.closing.cancelled().await;
        let open = u32::try_from(self.0.open.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let window = EACH.saturating_mul(open.saturating_sub(1)).min(self.0.longest);
        tokio::time::sleep(window.mul_f64(rand::random())).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    async fn longest_of(guests: usize) -> Duration {
        let closing = CancellationToken::new();
        let drain = Drain::new(closing.clone(), Duration::from_secs(5));
        let mut leaving = JoinSet::new();
        let guests: Vec<_> = (0..guests).map(|_| Arc::new(drain.enter())).collect();
        for guest in &guests {
            let guest = guest.clone();
            leaving.spawn(async move { guest.dismissed().await });
        }
        closing.cancel();
        let start = Instant::now();
        leaving.join_all().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn many_go_over_a_window_and_few_at_once() {
        assert!(longest_of(1).await < Duration::from_millis(5));
        let hundred = longest_of(100).await;
        assert!((Duration::from_millis(200)..Duration::from_millis(510)).contains(&hundred), "{hundred:?}");
        let all = longest_of(5000).await;
        assert!((Duration::from_secs(4)..Duration::from_millis(5010)).contains(&all), "{all:?}");
    }
}
