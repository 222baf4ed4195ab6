//! The one door to async-graphql's context.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::ContextBase;

use super::loaders::Loaders;
use super::telling::Telling;
use crate::feed::Feed;
use crate::memory::Allowance;
use crate::model::Viewer;
use crate::store::{Error, Result, Scoped};

/// What every operation is given: who asks, what they own, and loaders of their own.
pub(super) struct Asked {
    pub(super) viewer: Viewer,
    pub(super) store: Scoped,
    pub(super) loaders: Loaders,
    pub(super) feed: Feed,
    pub(super) following: Following,
    /// What the operation may hold, what its store reads included.
    pub(super) allowance: Allowance,
    /// Bytes that an answer may have.
    pub(super) largest_answer: u32,
    /// Whether selections of the operation may have to be merged: see [`super::plan`].
    pub(super) merges: bool,
}

/// Where a subscription stands, shared with the transport that carries it.
#[derive(Clone, Default)]
pub(super) struct Following {
    /// The cursor the transport says to resume from; it wins over the argument, which a client that
    /// reconnects by itself repeats unchanged.
    pub(super) resume: Option<String>,
    begun: Begun,
    state: Arc<Mutex<State>>,
}

/// Whether a subscription has begun: whatever is committed from then on is told.
#[derive(Clone, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    /// Whether it has.
    pub fn is_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct State {
    /// The cursor of the event that is being answered.
    cursor: Option<String>,
    /// What is told from now on, without async-graphql.
    telling: Option<Telling>,
}

impl Following {
    pub(super) fn resuming(resume: Option<String>, begun: Begun) -> Self {
        Self { resume, begun, state: Arc::default() }
    }

    /// To be called when it is known from where on everything is told.
    pub(super) fn begin(&self) {
        self.begun.0.store(true, Ordering::Release);
    }

    pub(super) fn reached(&self, cursor: &str) {
        self.state().cursor = Some(cursor.to_owned());
    }

    pub(super) fn take_cursor(&self) -> Option<Arc<str>> {
        self.state().cursor.take().map(Arc::from)
    }

    /// Goes on without async-graphql.
    pub(super) fn tell(&self, telling: Telling) {
        self.state().telling = Some(telling);
    }

    pub(super) fn take_telling(&self) -> Option<Telling> {
        self.state().telling.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Typed access to what an operation was given.
pub(super) trait ContextExt {
    fn asked(&self) -> Result<&Asked>;

    /// Who asks.
    fn viewer(&self) -> Result<&Viewer> {
        Ok(&self.asked()?.viewer)
    }

    /// What the viewer owns.
    fn store(&self) -> Result<&Scoped> {
        Ok(&self.asked()?.store)
    }

    /// What the operation may hold.
    fn allowance(&self) -> Result<&Allowance> {
        Ok(&self.asked()?.allowance)
    }

    /// Batched reads of what the viewer owns.
    fn loaders(&self) -> Result<&Loaders> {
        Ok(&self.asked()?.loaders)
    }

    /// Where the subscription stands.
    fn following(&self) -> Result<&Following> {
        Ok(&self.asked()?.following)
    }

    /// The readers behind subscriptions.
    fn feed(&self) -> Result<&Feed> {
        Ok(&self.asked()?.feed)
    }
}

impl<T> ContextExt for ContextBase<'_, T> {
    #[expect(clippy::disallowed_methods, reason = "the one place that looks into the context")]
    fn asked(&self) -> Result<&Asked> {
        self.data::<Asked>().map_err(|_| Error::broken("an operation was run without a viewer".into()))
    }
}
