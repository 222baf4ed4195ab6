//! The view of one owner. Every statement on the data of a user starts here.

use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, Select};

use crate::memory::MemoryBudget;
use crate::model::{OwnerId, Scope, Viewer};
use crate::store::database::Store;
use crate::store::engine::row_level_security::Reader;
use crate::store::entity::{conversation, message};
use crate::store::error::{Error, Result};
use crate::store::hot::reads::TracedReads;
use crate::traces::Trace;

/// The store as one owner sees it. Data of other owners looks like missing data.
#[derive(Clone)]
pub struct Scoped {
    pub(in crate::store) store: Store,
    pub(in crate::store) owner: OwnerId,
    /// The back end that writes for the owner, if any. It gives no other rights.
    pub(in crate::store) actor: Option<OwnerId>,
    /// What the credentials allow besides.
    scopes: Vec<Scope>,
    /// Reads take the bytes of their rows from it.
    pub(in crate::store) allowance: MemoryBudget,
    /// Records reads and writes.
    pub(in crate::store) trace: Trace,
}

impl Store {
    /// The view of this viewer's owner.
    pub fn viewed_by(&self, viewer: &Viewer) -> Scoped {
        Scoped::new(self.clone(), viewer)
    }
}

impl Scoped {
    pub(in crate::store) fn new(store: Store, viewer: &Viewer) -> Self {
        let Viewer { owner, actor, scopes, .. } = viewer.clone();
        let (allowance, trace) = (MemoryBudget::default(), Trace::default());
        Self { store, owner, actor, scopes, allowance, trace }
    }

    /// The same view with another allowance.
    pub fn within(self, allowance: MemoryBudget) -> Self {
        Self { allowance, ..self }
    }

    /// The same view, with its reads and writes recorded.
    pub fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// The same view outside of an operation, without the limits of its allowance and not recorded.
    pub fn apart(&self) -> Self {
        self.clone().within(MemoryBudget::default()).traced(Trace::default())
    }

    /// Whether a back end acts for the owner.
    pub fn acts_for_another(&self) -> bool {
        self.actor.is_some()
    }

    /// The owner.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The store as a whole.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Rejects credentials without a scope.
    pub(in crate::store) fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Error::ScopeRequired(scope)) }
    }

    pub(in crate::store) fn reader(&self) -> Reader<'_> {
        self.store.reader_of(std::iter::once(&self.owner)).traced(self.trace.clone())
    }

    pub(in crate::store) fn backend(&self) -> DbBackend {
        self.store.backend()
    }

    pub(in crate::store) fn reads(&self) -> TracedReads<'_> {
        self.store.0.reads.traced(&self.trace)
    }

    pub(in crate::store) fn own_conversations(&self) -> Select<conversation::Entity> {
        conversation::Entity::find().filter(conversation::Column::OwnerId.eq(self.owner.clone()))
    }

    pub(in crate::store) fn own_messages(&self) -> Select<message::Entity> {
        message::Entity::find().filter(message::Column::OwnerId.eq(self.owner.clone()))
    }
}
