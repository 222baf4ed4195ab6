//! What a connection is doing, and how long it may go on like that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request's head to its last, and to a connection's first request.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// To take the next piece of an answer.
    pub(super) unread: Duration,
}

/// What a client takes too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It has begun a request, or a connection, and does not go on.
    Head,
    /// It asks for nothing.
    Request,
    /// It does not read what it asked for.
    Reading,
}

/// Shared by a connection, its transport and the requests it carries.
pub(super) struct Activity {
    patience: Patience,
    state: Mutex<State>,
    waker: AtomicWaker,
}

struct State {
    /// Requests that are not answered whole.
    open: usize,
    /// Since when there has been none, and no byte of another one.
    idle: Instant,
    /// When the first byte came since.
    heard: Option<Instant>,
    /// HTTP/2: bytes that come between requests need not begin one.
    multiplexed: bool,
    /// There has been no request yet.
    fresh: bool,
    /// Since when the transport has taken nothing.
    blocked: Option<Instant>,
    /// Since when the next piece of an answer has been theirs to take.
    sending: Vec<(u64, Instant)>,
    next: u64,
}

/// One request, from its head to the last piece of its answer.
pub(super) struct Exchange {
    activity: Arc<Activity>,
    number: u64,
}

impl Activity {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        let state = State {
            open: 0,
            idle: Instant::now(),
            heard: None,
            multiplexed: false,
            fresh: true,
            blocked: None,
            sending: Vec::new(),
            next: 0,
        };
        Arc::new(Self { patience, state: Mutex::new(state), waker: AtomicWaker::new() })
    }

    /// A request's head has been read.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> Exchange {
        let mut state = self.state();
        state.open += 1;
        state.fresh = false;
        state.multiplexed = multiplexed;
        state.next += 1;
        Exchange { activity: self.clone(), number: state.next }
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        if state.open == 0 && state.heard.is_none() {
            state.heard = Some(Instant::now());
        }
    }

    /// The transport has taken bytes, or has not.
    pub(super) fn wrote(&self, blocked: bool) {
        let mut state = self.state();
        match (blocked, state.blocked) {
            (true, None) => state.blocked = Some(Instant::now()),
            (false, Some(_)) => state.blocked = None,
            _ => {}
        }
    }

    /// When the client will have taken too long, and for what, if nothing happens until then.
    pub(super) fn overdue(&self) -> Option<(Instant, Overdue)> {
        let state = self.state();
        let unread = state.sending.iter().map(|(_, since)| *since).chain(state.blocked).min();
        let unread = unread.map(|since| (since + self.patience.unread, Overdue::Reading));
        let silent = match (state.open, state.heard) {
            (1.., _) => None,
            (0, _) if state.fresh => Some((state.idle + self.patience.head, Overdue::Head)),
            (0, Some(heard)) if !state.multiplexed => Some((heard + self.patience.head, Overdue::Head)),
            (0, _) => Some((state.idle + self.patience.idle, Overdue::Request)),
        };
        unread.into_iter().chain(silent).min_by_key(|(at, _)| *at)
    }

    /// Until when a connection that takes no more requests may close by itself.
    pub(super) fn farewell(&self) -> Instant {
        Instant::now() + self.patience.unread
    }

    /// Whoever waits for [`Activity::overdue`] is woken when it may come earlier than it was.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// A piece of the answer is theirs to take.
    pub(super) fn offer(&self) {
        let mut state = self.activity.state();
        match state.sending.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, since)) => *since = Instant::now(),
            None => {
                state.sending.push((self.number, Instant::now()));
                drop(state);
                self.activity.waker.wake();
            }
        }
    }

    /// It has everything there is so far.
    pub(super) fn taken(&self) {
        self.activity.state().sending.retain(|(number, _)| *number != self.number);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.sending.retain(|(number, _)| *number != self.number);
        state.open -= 1;
        if state.open == 0 {
            state.idle = Instant::now();
            state.heard = None;
            drop(state);
            self.activity.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        unread: Duration::from_secs(20),
    };

    /// In seconds from now.
    fn overdue(activity: &Activity) -> Option<(u64, Overdue)> {
        activity.overdue().map(|(at, what)| ((at - Instant::now()).as_secs(), what))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_as_long_as_what_it_does_allows() {
        let activity = Activity::new(PATIENCE);
        assert_eq!(overdue(&activity), Some((10, Overdue::Head)), "it may not just connect");
        activity.heard();
        let exchange = activity.begin(false);
        assert_eq!(overdue(&activity), None, "the server works");
        exchange.offer();
        assert_eq!(overdue(&activity), Some((20, Overdue::Reading)));
        exchange.taken();
        assert_eq!(overdue(&activity), None, "a stream has no news");
        activity.wrote(true);
        assert_eq!(overdue(&activity), Some((20, Overdue::Reading)));
        activity.wrote(false);
        drop(exchange);
        assert_eq!(overdue(&activity), Some((75, Overdue::Request)));
        activity.heard();
        assert_eq!(overdue(&activity), Some((10, Overdue::Head)));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_side_by_side_are_each_to_be_read() {
        let activity = Activity::new(PATIENCE);
        let (one, two) = (activity.begin(true), activity.begin(true));
        one.offer();
        tokio::time::advance(Duration::from_secs(5)).await;
        two.offer();
        assert_eq!(overdue(&activity), Some((15, Overdue::Reading)));
        one.offer();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(overdue(&activity), Some((15, Overdue::Reading)));
        drop(one);
        two.taken();
        drop(two);
        // A ping of HTTP/2 is no request, and buys no time.
        tokio::time::advance(Duration::from_secs(5)).await;
        activity.heard();
        assert_eq!(overdue(&activity), Some((70, Overdue::Request)));
    }
}
