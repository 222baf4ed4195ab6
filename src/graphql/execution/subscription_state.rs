//! What a subscription and the transport that carries it share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prerendered::PrerenderedStream;

/// Where a subscription stands, shared with the transport that carries it.
#[derive(Clone, Default)]
pub(in crate::graphql) struct SubscriptionState {
    /// The cursor the transport says to resume from; it wins over the argument, which a client that
    /// reconnects by itself repeats unchanged.
    pub(in crate::graphql) resume: Option<String>,
    started: SubscriptionStarted,
    state: Arc<Mutex<State>>,
}

/// Whether a subscription has started: everything that is committed from then on is delivered.
#[derive(Clone, Default)]
pub struct SubscriptionStarted(Arc<AtomicBool>);

impl SubscriptionStarted {
    /// Whether it has.
    pub fn has_started(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct State {
    /// The cursor of the event that is being answered.
    cursor: Option<String>,
    /// The events from now on, rendered without async-graphql.
    prerendered: Option<PrerenderedStream>,
}

impl SubscriptionState {
    pub(in crate::graphql) fn resuming(resume: Option<String>, started: SubscriptionStarted) -> Self {
        Self { resume, started, state: Arc::default() }
    }

    /// Call it once the first event to deliver is known.
    pub(in crate::graphql) fn begin(&self) {
        self.started.0.store(true, Ordering::Release);
    }

    pub(in crate::graphql) fn reached(&self, cursor: &str) {
        self.state().cursor = Some(cursor.to_owned());
    }

    pub(in crate::graphql) fn take_cursor(&self) -> Option<Arc<str>> {
        self.state().cursor.take().map(Arc::from)
    }

    /// Goes on without async-graphql.
    pub(in crate::graphql) fn continue_prerendered(&self, prerendered: PrerenderedStream) {
        self.state().prerendered = Some(prerendered);
    }

    pub(in crate::graphql) fn take_prerendered(&self) -> Option<PrerenderedStream> {
        self.state().prerendered.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
