//! Ownership, written once.

use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, Select};

use super::entity::{conversation, message};
use super::fence::Reader;
use super::{Result, Store};
use crate::memory::Allowance;
use crate::model::{OwnerId, Viewer};

/// The store as one owner sees it. Whatever is not that owner's does not exist here.
#[derive(Clone)]
pub struct Scoped {
    pub(super) store: Store,
    pub(super) owner: OwnerId,
    /// Who writes for the owner, where that is somebody else. It widens nothing.
    pub(super) actor: Option<OwnerId>,
    /// What is read is taken from it.
    pub(super) allowance: Allowance,
}

impl Scoped {
    pub(super) fn new(store: Store, viewer: &Viewer) -> Self {
        let allowance = Allowance::default();
        Self { store, owner: viewer.owner.clone(), actor: viewer.actor.clone(), allowance }
    }

    /// The same view, where what is read is taken from an allowance.
    pub fn within(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    /// The same view, for what is no operation's: nothing is taken from its allowance.
    pub fn apart(&self) -> Self {
        self.clone().within(Allowance::default())
    }

    /// Whose view this is.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The store as a whole.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        self.store.reader_of(std::iter::once(&self.owner))
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.store.backend()
    }

    pub(super) fn reads(&self) -> &super::reads::Reads {
        &self.store.0.reads
    }

    pub(super) fn own_conversations(&self) -> Select<conversation::Entity> {
        conversation::Entity::find().filter(conversation::Column::OwnerId.eq(self.owner.clone()))
    }

    pub(super) fn own_messages(&self) -> Select<message::Entity> {
        message::Entity::find().filter(message::Column::OwnerId.eq(self.owner.clone()))
    }

    pub(super) async fn begin(&self, changes: usize) -> Result<super::tx::Tx> {
        super::tx::Tx::begin(self, changes).await
    }
}
