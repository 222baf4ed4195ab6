//! What a connection is doing, and how long it may go on like that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::content::Content;

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
    /// HTTP/1.1: how much of the last request's body was left unread, at most.
    unread: u64,
    /// Somebody else needs the place.
    evicted: bool,
    /// It is a WebSocket whose client may still be sending when it is dropped.
    lingers: bool,
    /// It is no connection of requests any more.
    over: bool,
    /// Since when the transport has taken nothing.
    blocked: Option<Instant>,
    /// Answers whose next piece is theirs to take.
    offers: Vec<Offer>,
}

struct Offer {
    since: Instant,
    content: Arc<Content>,
}

/// One request, from its head to the last piece of its answer.
pub(super) struct Exchange {
    activity: Arc<Activity>,
    content: Arc<Content>,
}

impl Activity {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        let state = State {
            open: 0,
            idle: Instant::now(),
            heard: None,
            multiplexed: false,
            fresh: true,
            unread: 0,
            evicted: false,
            lingers: false,
            over: false,
            blocked: None,
            offers: Vec::new(),
        };
        Arc::new(Self { patience, state: Mutex::new(state), waker: AtomicWaker::new() })
    }

    /// A request's head has been read.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> Exchange {
        let mut state = self.state();
        state.open += 1;
        state.evicted = false;
        state.fresh = false;
        state.unread = 0;
        state.multiplexed = multiplexed;
        Exchange { activity: self.clone(), content: Arc::default() }
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        if state.open == 0 && state.heard.is_none() {
            state.heard = Some(Instant::now());
        }
    }

    /// A request's body was dropped before its end, with at most so many bytes to come.
    pub(super) fn leave_unread(&self, remaining: u64) {
        self.state().unread = remaining;
    }

    /// How much of the last request's body was left unread, at most.
    pub(super) fn unread(&self) -> u64 {
        self.state().unread
    }

    /// Whether the client may still be sending a request that was already answered: its body was left
    /// unread, or its head was refused.
    pub(super) fn has_unread_request(&self) -> bool {
        let state = self.state();
        !state.multiplexed && (state.unread > 0 || state.open == 0 && state.heard.is_some())
    }

    /// Lets a WebSocket linger when it is dropped.
    pub(super) fn linger_when_dropped(&self) {
        self.state().lingers = true;
    }

    /// Whether it is a WebSocket whose client may still be sending.
    pub(super) fn lingers_when_dropped(&self) -> bool {
        self.state().lingers
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
        let unread = state.offers.iter().map(|offer| offer.since).chain(state.blocked).min();
        let unread = unread.map(|since| (since + self.patience.unread, Overdue::Reading));
        let silent = match (state.open, state.heard) {
            (1.., _) => None,
            (0, _) if state.evicted => Some((state.idle, Overdue::Head)),
            (0, _) if state.fresh => Some((state.idle + self.patience.head, Overdue::Head)),
            (0, Some(heard)) if !state.multiplexed => Some((heard + self.patience.head, Overdue::Head)),
            (0, _) => Some((state.idle + self.patience.idle, Overdue::Request)),
        };
        unread.into_iter().chain(silent).min_by_key(|(at, _)| *at)
    }

    /// Lets go of answers that are not read, where other answers of the connection may be. A connection
    /// with only such answers is idle.
    ///
    /// Whether that helps: otherwise it is the connection that is stuck.
    pub(super) fn forget_unread(&self) -> bool {
        let mut state = self.state();
        let late = Instant::now().checked_sub(self.patience.unread);
        let is_late = |since: Instant| late.is_some_and(|late| since <= late);
        if !state.multiplexed || state.blocked.is_some_and(is_late) {
            return false;
        }
        let (unread, offers) = state.offers.drain(..).partition::<Vec<_>, _>(|offer| is_late(offer.since));
        state.offers = offers;
        for offer in &unread {
            offer.content.forget();
            state.close();
        }
        !unread.is_empty()
    }

    /// Since when it has been without a request, if it is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.open == 0 && !state.over && !state.evicted).then_some(state.idle)
    }

    /// Ends it, for want of room, unless a request has come meanwhile.
    pub(super) fn evict(&self) {
        self.state().evicted = true;
        self.waker.wake();
    }

    /// It has ended, or become a WebSocket.
    pub(super) fn end(&self) {
        self.state().over = true;
    }

    /// Until when a connection that takes no more requests may close by itself.
    pub(super) fn farewell(&self) -> Instant {
        Instant::now() + self.patience.unread
    }

    /// Wakes the task that waits for [`Activity::overdue`] when the deadline may be earlier than before.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// There is one request less.
    fn close(&mut self) {
        self.open -= 1;
        if self.open == 0 {
            self.idle = Instant::now();
            self.heard = None;
        }
    }
}

impl Exchange {
    /// What is left of the answer.
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// A piece of the answer is theirs to take.
    pub(super) fn offer(&self) {
        let mut state = self.activity.state();
        let since = Instant::now();
        match state.offers.iter_mut().find(|offer| Arc::ptr_eq(&offer.content, &self.content)) {
            Some(offer) => offer.since = since,
            None => {
                state.offers.push(Offer { since, content: self.content.clone() });
                drop(state);
                self.activity.waker.wake();
            }
        }
    }

    /// It has everything there is so far.
    pub(super) fn taken(&self) {
        self.activity.state().offers.retain(|offer| !Arc::ptr_eq(&offer.content, &self.content));
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.taken();
        if !self.content.is_forgotten() {
            self.activity.state().close();
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
    fn overdue(activity: &Activity) -> Option<(f64, Overdue)> {
        activity.overdue().map(|(at, what)| ((at - Instant::now()).as_secs_f64().round(), what))
    }

    #[test]
    fn a_client_has_as_long_as_what_it_does_allows() {
        let activity = Activity::new(PATIENCE);
        assert_eq!(overdue(&activity), Some((10.0, Overdue::Head)), "it may not just connect");
        activity.heard();
        let exchange = activity.begin(false);
        assert_eq!(overdue(&activity), None, "the server works");
        exchange.offer();
        assert_eq!(overdue(&activity), Some((20.0, Overdue::Reading)));
        exchange.taken();
        assert_eq!(overdue(&activity), None, "a stream has no news");
        activity.wrote(true);
        assert_eq!(overdue(&activity), Some((20.0, Overdue::Reading)));
        activity.wrote(false);
        drop(exchange);
        assert_eq!(overdue(&activity), Some((75.0, Overdue::Request)));
        activity.heard();
        assert_eq!(overdue(&activity), Some((10.0, Overdue::Head)));
    }

    #[test]
    fn only_who_is_idle_can_be_sent_away() {
        let activity = Activity::new(PATIENCE);
        assert!(activity.idle_since().is_some());
        let exchange = activity.begin(false);
        assert_eq!(activity.idle_since(), None);
        drop(exchange);
        activity.evict();
        assert_eq!(overdue(&activity), Some((0.0, Overdue::Head)));
        assert_eq!(activity.idle_since(), None, "it goes already");
        let exchange = activity.begin(false);
        drop(exchange);
        assert_eq!(overdue(&activity), Some((75.0, Overdue::Request)), "it was quicker");
        activity.end();
        assert_eq!(activity.idle_since(), None);
    }

    #[test]
    fn between_requests_http_2_may_say_what_it_likes() {
        let activity = Activity::new(PATIENCE);
        let (one, two) = (activity.begin(true), activity.begin(true));
        drop(one);
        assert_eq!(overdue(&activity), None);
        drop(two);
        activity.heard();
        assert_eq!(overdue(&activity), Some((75.0, Overdue::Request)));
    }

    #[test]
    fn an_answer_that_nobody_reads_costs_the_others_nothing() {
        let activity = Activity::new(Patience { unread: Duration::ZERO, ..PATIENCE });
        let (read, unread) = (activity.begin(true), activity.begin(true));
        unread.offer();
        assert_eq!(overdue(&activity), Some((0.0, Overdue::Reading)));
        assert!(activity.forget_unread());
        assert!(unread.content().is_forgotten() && !read.content().is_forgotten());
        assert_eq!(overdue(&activity), None);
        drop(read);
        assert_eq!(overdue(&activity), Some((75.0, Overdue::Request)), "nothing is asked for any more");
        drop(unread);
        assert_eq!(overdue(&activity), Some((75.0, Overdue::Request)));
        // Where the bytes themselves are stuck it is the connection, and always with HTTP/1.1.
        let stuck = activity.begin(true);
        stuck.offer();
        activity.wrote(true);
        assert!(!activity.forget_unread());
        activity.wrote(false);
        let only = activity.begin(false);
        assert!(!activity.forget_unread());
        drop((stuck, only));
    }
}
