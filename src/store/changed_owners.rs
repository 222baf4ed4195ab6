//! Tells webhooks whose data changed, after each commit of this process.
//!
//! A hint only: what another process wrote, or one that has crashed, is found by comparing accounts with positions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::broadcast;

use crate::model::OwnerId;
use crate::signals::{Signals, Topic};

/// The most owners that a follower may be behind. One that is further behind looks at all accounts instead.
const BUFFER: usize = 4096;

/// The owners whose data changed. Clones share them.
#[derive(Clone)]
pub(in crate::store) struct ChangedOwners(Arc<Inner>);

struct Inner {
    is_followed: AtomicBool,
    sender: broadcast::Sender<OwnerId>,
    signals: Signals,
}

impl ChangedOwners {
    pub(in crate::store) fn new(signals: Signals) -> Self {
        let (sender, _) = broadcast::channel(BUFFER);
        Self(Arc::new(Inner { is_followed: AtomicBool::new(false), sender, signals }))
    }

    /// Notes that changes of an owner were committed. Without webhooks it does nothing.
    pub(in crate::store) fn add(&self, owner: &OwnerId) {
        if self.0.is_followed.load(Ordering::Relaxed) {
            // It fails if no webhook is delivered by this process.
            let _ = self.0.sender.send(owner.clone());
            self.0.signals.signal_replicas(&Topic::AllAccounts);
        }
    }

    /// From now on, commits are signalled to subscribers and to other replicas.
    pub(in crate::store) fn follow(&self) {
        self.0.is_followed.store(true, Ordering::Relaxed);
    }

    /// The owners whose data this process changes from now on.
    pub(in crate::store) fn subscribe(&self) -> broadcast::Receiver<OwnerId> {
        self.0.sender.subscribe()
    }
}
