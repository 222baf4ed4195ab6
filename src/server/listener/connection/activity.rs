//! The state of a connection, and the timeout that applies to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::body_source::BodySource;

/// The timeouts of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientTimeouts {
    /// From the first byte of a request's head to the last, and from the start of a connection to its first
    /// request.
    pub(super) request_head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// To read the next chunk of a response.
    pub(super) write: Duration,
}

/// The kind of a timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeoutKind {
    /// The head of a request is incomplete.
    RequestHead,
    /// The connection is idle.
    Idle,
    /// The client does not read a response.
    Write,
}

/// Shared by a connection, its transport and its requests.
pub(super) struct ConnectionActivity {
    timeouts: ClientTimeouts,
    state: Mutex<State>,
    waker: AtomicWaker,
}

struct State {
    /// The number of requests without a complete response.
    open: usize,
    /// The time since which there is no request and no byte of another one.
    idle: Instant,
    /// The time of the first byte after `idle`.
    first_byte: Option<Instant>,
    /// Whether this is HTTP/2, where bytes between requests need not start a request.
    multiplexed: bool,
    /// Whether there was no request yet.
    before_first_request: bool,
    /// HTTP/1.1: the unread bytes of the last request's body, at most.
    unread: u64,
    /// Whether the connection was evicted.
    evicted: bool,
    /// Whether it is a WebSocket whose client may still be sending when it is dropped.
    lingers: bool,
    /// Whether the connection has ended or was upgraded.
    closed: bool,
    /// Whether the connection has to end, because its response was dropped.
    has_ended: bool,
    /// The time since which the transport accepts no bytes.
    blocked: Option<Instant>,
    /// Responses with a chunk that the client has not read yet.
    pending_writes: Vec<PendingWrite>,
}

struct PendingWrite {
    since: Instant,
    source: Arc<BodySource>,
}

/// A request, from its head to the last chunk of its response.
pub(super) struct RequestExchange {
    activity: Arc<ConnectionActivity>,
    source: Arc<BodySource>,
}

impl ConnectionActivity {
    pub(super) fn new(timeouts: ClientTimeouts) -> Arc<Self> {
        let state = State {
            open: 0,
            idle: Instant::now(),
            first_byte: None,
            multiplexed: false,
            before_first_request: true,
            unread: 0,
            evicted: false,
            lingers: false,
            closed: false,
            has_ended: false,
            blocked: None,
            pending_writes: Vec::new(),
        };
        Arc::new(Self { timeouts, state: Mutex::new(state), waker: AtomicWaker::new() })
    }

    /// Records that the head of a request was read.
    pub(super) fn request_started(self: &Arc<Self>, multiplexed: bool) -> RequestExchange {
        let mut state = self.state();
        state.open += 1;
        state.evicted = false;
        state.before_first_request = false;
        state.unread = 0;
        state.multiplexed = multiplexed;
        RequestExchange { activity: self.clone(), source: Arc::default() }
    }

    /// Records that bytes were received.
    pub(super) fn bytes_received(&self) {
        let mut state = self.state();
        if state.open == 0 && state.first_byte.is_none() {
            state.first_byte = Some(Instant::now());
        }
    }

    /// Records that a request's body was dropped with at most this many unread bytes.
    pub(super) fn leave_unread(&self, remaining: u64) {
        self.state().unread = remaining;
    }

    /// The unread bytes of the last request's body, at most.
    pub(super) fn unread(&self) -> u64 {
        self.state().unread
    }

    /// Whether the client may still be sending a request that has its response: the body was not read, or the
    /// head was rejected.
    pub(super) fn has_unread_request(&self) -> bool {
        let state = self.state();
        !state.multiplexed && (state.unread > 0 || state.open == 0 && state.first_byte.is_some())
    }

    /// Makes a WebSocket linger when it is dropped.
    pub(super) fn linger_when_dropped(&self) {
        self.state().lingers = true;
    }

    /// Whether it is a WebSocket whose client may still be sending.
    pub(super) fn lingers_when_dropped(&self) -> bool {
        self.state().lingers
    }

    /// Records whether the transport accepts bytes.
    pub(super) fn write_polled(&self, blocked: bool) {
        let mut state = self.state();
        match (blocked, state.blocked) {
            (true, None) => state.blocked = Some(Instant::now()),
            (false, Some(_)) => state.blocked = None,
            _ => {}
        }
    }

    /// The next timeout if nothing happens until then, and its kind.
    pub(super) fn next_timeout(&self) -> Option<(Instant, TimeoutKind)> {
        let state = self.state();
        if state.has_ended {
            return Some((Instant::now(), TimeoutKind::Write));
        }
        let unread = state.pending_writes.iter().map(|pending| pending.since).chain(state.blocked).min();
        let unread = unread.map(|since| (since + self.timeouts.write, TimeoutKind::Write));
        let silent = match (state.open, state.first_byte) {
            (1.., _) => None,
            (0, _) if state.evicted => Some((state.idle, TimeoutKind::RequestHead)),
            (0, _) if state.before_first_request => {
                Some((state.idle + self.timeouts.request_head, TimeoutKind::RequestHead))
            }
            (0, Some(first_byte)) if !state.multiplexed => {
                Some((first_byte + self.timeouts.request_head, TimeoutKind::RequestHead))
            }
            (0, _) => Some((state.idle + self.timeouts.idle, TimeoutKind::Idle)),
        };
        unread.into_iter().chain(silent).min_by_key(|(at, _)| *at)
    }

    /// Aborts HTTP/2 responses that the client does not read. A connection with only such responses is idle.
    ///
    /// Returns false if the connection itself is blocked.
    pub(super) fn drop_unread_responses(&self) -> bool {
        let mut state = self.state();
        let late = Instant::now().checked_sub(self.timeouts.write);
        let is_late = |since: Instant| late.is_some_and(|late| since <= late);
        if !state.multiplexed || state.blocked.is_some_and(is_late) {
            return false;
        }
        let (unread, pending_writes) =
            state.pending_writes.drain(..).partition::<Vec<_>, _>(|pending| is_late(pending.since));
        state.pending_writes = pending_writes;
        for pending in &unread {
            state.abandon(&pending.source);
        }
        !unread.is_empty()
    }

    /// Drops the rest of a response. HTTP/1.1 can only close the connection then.
    fn end_response(&self, source: &Arc<BodySource>) {
        let mut state = self.state();
        if state.multiplexed {
            state.pending_writes.retain(|pending| !Arc::ptr_eq(&pending.source, source));
            state.abandon(source);
        } else {
            source.abandon();
            state.has_ended = true;
        }
        drop(state);
        self.waker.wake();
    }

    /// The time since which the connection is idle, if it is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.open == 0 && !state.closed && !state.evicted).then_some(state.idle)
    }

    /// Closes the connection to free its slot, unless a request has started meanwhile.
    pub(super) fn evict(&self) {
        self.state().evicted = true;
        self.waker.wake();
    }

    /// Records that the connection has ended or was upgraded to a WebSocket.
    pub(super) fn connection_closed(&self) {
        self.state().closed = true;
    }

    /// The deadline for a graceful shutdown that begins now.
    pub(super) fn close_deadline(&self) -> Instant {
        Instant::now() + self.timeouts.write
    }

    /// Registers the task to wake when [`ConnectionActivity::next_timeout`] may be earlier than before.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops the rest of an HTTP/2 response. Its request counts as finished.
    fn abandon(&mut self, source: &BodySource) {
        if !source.is_abandoned() {
            source.abandon();
            self.request_finished();
        }
    }

    /// Records that a request has ended.
    fn request_finished(&mut self) {
        self.open -= 1;
        if self.open == 0 {
            self.idle = Instant::now();
            self.first_byte = None;
        }
    }
}

impl RequestExchange {
    /// The rest of the response body.
    pub(super) fn source(&self) -> &BodySource {
        &self.source
    }

    /// Records that a chunk is ready for the client to read.
    pub(super) fn chunk_sent(&self) {
        let mut state = self.activity.state();
        let since = Instant::now();
        match state.pending_writes.iter_mut().find(|pending| Arc::ptr_eq(&pending.source, &self.source)) {
            Some(pending) => pending.since = since,
            None => {
                state.pending_writes.push(PendingWrite { since, source: self.source.clone() });
                drop(state);
                self.activity.waker.wake();
            }
        }
    }

    /// Drops the rest of the response.
    pub(super) fn end_response(&self) {
        self.activity.end_response(&self.source);
    }

    /// Records that the client has read everything so far.
    pub(super) fn all_sent(&self) {
        self.activity.state().pending_writes.retain(|pending| !Arc::ptr_eq(&pending.source, &self.source));
    }
}

impl Drop for RequestExchange {
    fn drop(&mut self) {
        self.all_sent();
        if !self.source.is_abandoned() {
            self.activity.state().request_finished();
            self.activity.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: ClientTimeouts = ClientTimeouts {
        request_head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(20),
    };

    /// The next timeout, in seconds from now.
    fn next_timeout(activity: &ConnectionActivity) -> Option<(f64, TimeoutKind)> {
        activity.next_timeout().map(|(at, what)| ((at - Instant::now()).as_secs_f64().round(), what))
    }

    #[test]
    fn timeouts_depend_on_the_state_of_the_connection() {
        let activity = ConnectionActivity::new(TIMEOUTS);
        assert_eq!(
            next_timeout(&activity),
            Some((10.0, TimeoutKind::RequestHead)),
            "it may not just connect"
        );
        activity.bytes_received();
        let exchange = activity.request_started(false);
        assert_eq!(next_timeout(&activity), None, "the server works");
        exchange.chunk_sent();
        assert_eq!(next_timeout(&activity), Some((20.0, TimeoutKind::Write)));
        exchange.all_sent();
        assert_eq!(next_timeout(&activity), None, "a stream has no news");
        activity.write_polled(true);
        assert_eq!(next_timeout(&activity), Some((20.0, TimeoutKind::Write)));
        activity.write_polled(false);
        drop(exchange);
        assert_eq!(next_timeout(&activity), Some((75.0, TimeoutKind::Idle)));
        activity.bytes_received();
        assert_eq!(next_timeout(&activity), Some((10.0, TimeoutKind::RequestHead)));
    }

    #[test]
    fn only_idle_connections_can_be_evicted() {
        let activity = ConnectionActivity::new(TIMEOUTS);
        assert!(activity.idle_since().is_some());
        let exchange = activity.request_started(false);
        assert_eq!(activity.idle_since(), None);
        drop(exchange);
        activity.evict();
        assert_eq!(next_timeout(&activity), Some((0.0, TimeoutKind::RequestHead)));
        assert_eq!(activity.idle_since(), None, "it goes already");
        let exchange = activity.request_started(false);
        drop(exchange);
        assert_eq!(next_timeout(&activity), Some((75.0, TimeoutKind::Idle)), "it was quicker");
        activity.connection_closed();
        assert_eq!(activity.idle_since(), None);
    }

    #[test]
    fn http2_frames_between_requests_start_no_request() {
        let activity = ConnectionActivity::new(TIMEOUTS);
        let (one, two) = (activity.request_started(true), activity.request_started(true));
        drop(one);
        assert_eq!(next_timeout(&activity), None);
        drop(two);
        activity.bytes_received();
        assert_eq!(next_timeout(&activity), Some((75.0, TimeoutKind::Idle)));
    }

    #[test]
    fn an_unread_response_does_not_affect_other_streams() {
        let activity = ConnectionActivity::new(ClientTimeouts { write: Duration::ZERO, ..TIMEOUTS });
        let (read, unread) = (activity.request_started(true), activity.request_started(true));
        unread.chunk_sent();
        assert_eq!(next_timeout(&activity), Some((0.0, TimeoutKind::Write)));
        assert!(activity.drop_unread_responses());
        assert!(unread.source().is_abandoned() && !read.source().is_abandoned());
        assert_eq!(next_timeout(&activity), None);
        drop(read);
        assert_eq!(next_timeout(&activity), Some((75.0, TimeoutKind::Idle)), "nothing is asked for any more");
        drop(unread);
        assert_eq!(next_timeout(&activity), Some((75.0, TimeoutKind::Idle)));
        // Where the bytes themselves are stuck it is the connection, and always with HTTP/1.1.
        let stuck = activity.request_started(true);
        stuck.chunk_sent();
        activity.write_polled(true);
        assert!(!activity.drop_unread_responses());
        activity.write_polled(false);
        let only = activity.request_started(false);
        assert!(!activity.drop_unread_responses());
        drop((stuck, only));
    }
}
