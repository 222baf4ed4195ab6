//! What webhooks did, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;

/// Figures of one webhook in this process.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) owners: AtomicUsize,
    pub(super) is_failing: AtomicBool,
    pub(super) is_paused: AtomicBool,
}

/// Figures of all webhooks. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct WebhookFigures(Arc<ArcSwap<Vec<NamedFigures>>>);

type NamedFigures = (String, Arc<Figures>);

/// The figures of a webhook at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookFigure {
    /// The webhook.
    pub name: String,
    /// Events that the receiver accepted.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Owners with changes that are about to be delivered.
    pub owners: usize,
    /// Whether the last delivery failed.
    pub is_failing: bool,
    /// Whether nothing is delivered until an operator resumes it.
    pub is_paused: bool,
}

impl WebhookFigures {
    /// The figures of a webhook: those that there are, so that counters go on when webhooks are started anew.
    pub(super) fn of(&self, name: &str) -> Arc<Figures> {
        let present = self.0.load();
        present.iter().find(|(other, _)| other == name).map(|(_, own)| own.clone()).unwrap_or_default()
    }

    /// These are all webhooks from now on.
    pub(super) fn set(&self, figures: Vec<NamedFigures>) {
        self.0.store(Arc::new(figures));
    }

    /// The figures now.
    pub fn read(&self) -> Vec<WebhookFigure> {
        let figure = |(name, figures): &(String, Arc<Figures>)| WebhookFigure {
            name: name.clone(),
            delivered: figures.delivered.load(Ordering::Relaxed),
            failed: figures.failed.load(Ordering::Relaxed),
            owners: figures.owners.load(Ordering::Relaxed),
            is_failing: figures.is_failing.load(Ordering::Relaxed),
            is_paused: figures.is_paused.load(Ordering::Relaxed),
        };
        self.0.load().iter().map(figure).collect()
    }
}
