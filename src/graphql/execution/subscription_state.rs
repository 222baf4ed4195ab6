//! State that a subscription shares with its transport.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prerendered::PrerenderedStream;

/// State that a subscription shares with its transport.
#[derive(Clone, Default)]
pub(in crate::graphql) struct SubscriptionState {
    /// The cursor of the transport to resume from. It overrides the argument, which a client that reconnects
    /// automatically repeats unchanged.
    pub(in crate::graphql) resume: Option<String>,
    started: SubscriptionStarted,
    state: Arc<Mutex<State>>,
}

/// Whether a subscription has started: from then on every committed item is delivered.
#[derive(Clone, Default)]
pub struct SubscriptionStarted(Arc<AtomicBool>);

impl SubscriptionStarted {
    /// Whether it has started.
    pub fn has_started(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct State {
    /// The cursor of the current event.
    cursor: Option<String>,
    /// The prerendered events from now on.
    prerendered: Option<PrerenderedStream>,
}

impl SubscriptionState {
    pub(in crate::graphql) fn resuming(resume: Option<String>, started: SubscriptionStarted) -> Self {
        Self { resume, started, state: Arc::default() }
    }

    /// Marks the subscription as started. Call it when the position of the first event is known.
    pub(in crate::graphql) fn begin(&self) {
        self.started.0.store(true, Ordering::Release);
    }

    pub(in crate::graphql) fn reached(&self, cursor: &str) {
        self.state().cursor = Some(cursor.to_owned());
    }

    pub(in crate::graphql) fn take_cursor(&self) -> Option<Arc<str>> {
        self.state().cursor.take().map(Arc::from)
    }

    /// Continues with prerendered events.
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
