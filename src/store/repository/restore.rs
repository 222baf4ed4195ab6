//! Writes conversations as an export has them: with their ids, positions, branches and times.
//!
//! Branches follow from the parents: each message goes where an append after its parent would have put it
//! (`repository::append`).

mod batch;
mod branches;
mod conversation_rows;
mod extend;
mod pending;
mod rows;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use crate::model::{
    AuditAction, Change, ChangeKind, ExportedConversation, ExportedMessage, ExportedShare, ExportedUsage,
    Labels,
};
use crate::store::entity::{conversation, deleted_usage};
use crate::store::error::{Error, Result};
use crate::store::repository::{labels, shares};
use crate::store::scope::Scoped;
use crate::store::transaction::{PlainTx, Tx};
pub use batch::ExportedWhole;
use conversation_rows::ConversationRows;

/// A conversation that is being written. Dropping it writes nothing.
pub struct Restore {
    scope: Scoped,
    tx: Tx,
    rows: ConversationRows,
}

impl Scoped {
    /// Begins to write a conversation. `None` if the owner has it already.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: another owner has a conversation with this id.
    pub async fn begin_restore(&self, exported: ExportedConversation) -> Result<Option<Restore>> {
        let rows = ConversationRows::new(&self.owner, exported)?;
        let mut tx = Tx::begin(self, AuditAction::CreateConversation, rows.changes()).await?;
        let id = rows.row.id;
        if let Some(found) = conversation::Entity::find_by_id(id).one(tx.connection()).await? {
            return if found.owner_id == self.owner { Ok(None) } else { Err(Error::Conflict) };
        }
        rows.row.clone().into_active_model().insert(tx.connection()).await?;
        let texts = (&Labels::default(), &rows.labels);
        labels::replace(&tx, &self.owner, id, texts, rows.row.trashed_at.is_some()).await?;
        tx.record(Change { kind: ChangeKind::ConversationCreated, conversation: id, message: None });
        Ok(Some(Restore { scope: self.clone(), tx, rows }))
    }

    /// Writes the token usage of deleted messages, unless it is there.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    pub async fn restore_deleted_usage(&self, exported: ExportedUsage) -> Result<()> {
        let row = rows::deleted_usage(&self.owner, exported)?;
        let key =
            [deleted_usage::Column::OwnerId, deleted_usage::Column::CreatedAt, deleted_usage::Column::Model];
        let keep = OnConflict::columns(key).do_nothing().to_owned();
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        tx.make_account(&self.owner, self.store.0.clock.now()).await?;
        // Nothing is left if the user is erased at the same moment.
        tx.lock_account(&self.owner).await?;
        deleted_usage::Entity::insert(row.into_active_model())
            .on_conflict(keep)
            .try_insert()
            .exec_without_returning(tx.connection())
            .await?;
        tx.commit(false).await
    }
}

impl Restore {
    /// Writes the next message.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule, or it is not the next message.
    /// - `Conflict`: there is a message with this id. It may be found only later.
    pub async fn add(&mut self, exported: ExportedMessage) -> Result<()> {
        self.tx.record(self.rows.add(exported)?);
        self.rows.pending.write_some(&self.tx).await
    }

    /// Writes a share.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: there is a share with this id or secret.
    pub async fn add_share(&mut self, exported: ExportedShare) -> Result<()> {
        self.rows.pending.write(&self.tx).await?;
        let (row, messages) = rows::share(&self.scope.owner, self.rows.row.id, exported)?;
        shares::insert(&self.tx, row, messages).await
    }

    /// Commits.
    ///
    /// # Errors
    /// - `Invalid`: messages are missing, or the head is none of them.
    pub async fn finish(mut self) -> Result<()> {
        self.rows.pending.write(&self.tx).await?;
        let row = self.rows.finished()?;
        row.into_active_model().reset_all().update(self.tx.connection()).await?;
        self.tx.commit().await
    }
}
