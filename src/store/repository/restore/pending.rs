//! Rows that are written together, because a statement for each takes most of the time of an import.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::model::AttachmentId;
use crate::store::engine::slot;
use crate::store::entity::{branch, message, message_feedback};
use crate::store::error::Result;
use crate::store::repository::attachment_references::{self, Referrer};
use crate::store::transaction::Tx;

/// The most messages in a statement. Fewer are written in powers of two, so that few statements are prepared.
const ROWS: usize = 64;

/// The bytes of messages that are written although there are fewer.
const BYTES: usize = 4 * 1024 * 1024;

/// A message that is not written yet.
pub(super) struct PendingMessage {
    pub(super) row: message::Model,
    pub(super) feedback: Option<message_feedback::Model>,
    pub(super) referred: BTreeSet<AttachmentId>,
}

/// Rows that are not written yet.
#[derive(Default)]
pub(super) struct PendingRows {
    pub(super) branches: Vec<branch::Model>,
    pub(super) messages: Vec<PendingMessage>,
}

impl PendingRows {
    /// Adds the rows of another conversation.
    pub(super) fn append(&mut self, other: Self) {
        self.branches.extend(other.branches);
        self.messages.extend(other.messages);
    }

    /// Writes the rows if there are many.
    pub(super) async fn write_some(&mut self, tx: &Tx) -> Result<()> {
        let bytes = |pending: &PendingMessage| {
            let row = &pending.row;
            row.content.len() + row.metadata.as_str().len() + row.parts.as_ref().map_or(0, String::len)
        };
        let is_much = self.messages.len() >= ROWS || self.messages.iter().map(bytes).sum::<usize>() >= BYTES;
        if is_much { self.write(tx).await } else { Ok(()) }
    }

    /// Writes all rows.
    pub(super) async fn write(&mut self, tx: &Tx) -> Result<()> {
        for some in std::mem::take(&mut self.branches).chunks(ROWS) {
            let some = some.iter().map(|row| row.clone().into_active_model());
            branch::Entity::insert_many(some).exec_without_returning(tx.connection()).await?;
        }
        let mut pending = std::mem::take(&mut self.messages);
        while !pending.is_empty() {
            let count = 1 << pending.len().min(ROWS).ilog2();
            let some: Vec<PendingMessage> = pending.drain(..count).collect();
            for PendingMessage { row, referred, .. } in &some {
                attachment_references::refer_to_known(tx, Referrer::message(row), referred).await?;
            }
            let (rows, feedback): (Vec<_>, Vec<_>) =
                some.into_iter().map(|pending| (pending.row, pending.feedback)).unzip();
            tx.connection().execute(&slot::insert_all(tx.backend(), rows)).await?;
            for feedback in feedback.into_iter().flatten() {
                message_feedback::Entity::insert(feedback.into_active_model())
                    .exec_without_returning(tx.connection())
                    .await?;
            }
        }
        Ok(())
    }
}
