//! Reading no more than may be held.
//!
//! Rows are taken from the operation's allowance as they are read. Where they are more than it may just have,
//! what was read is let go of, a reservation is waited for, and it is read again: nobody who waits holds
//! what they wait for. Statements that would give any number of rows, or large ones, stop by themselves where
//! the allowance ends (`repository::bounded`), so that the database does not read what nobody could take either.

use crate::memory::Allowance;
use crate::model::Conversation;
use crate::store::entity::message;
use crate::store::error::Result;

/// What a row takes besides its texts.
pub(in crate::store) const ROW: usize = 256;

/// What one read has taken of an allowance: given back unless it is kept.
pub(in crate::store) struct RowBudget {
    allowance: Allowance,
    taken: usize,
}

impl RowBudget {
    pub(in crate::store) fn of(allowance: &Allowance) -> Self {
        Self { allowance: allowance.clone(), taken: 0 }
    }

    /// For a row of so many bytes.
    pub(in crate::store) fn take(&mut self, bytes: usize) -> Result<()> {
        self.allowance.take(bytes)?;
        self.taken += bytes;
        Ok(())
    }

    /// For rows of so many bytes, and waits for a reservation where that is what it takes.
    pub(in crate::store) async fn hold(&mut self, bytes: usize) -> Result<()> {
        self.allowance.hold(bytes).await?;
        self.taken += bytes;
        Ok(())
    }

    pub(in crate::store) fn give_back(&mut self) {
        self.allowance.give_back(std::mem::take(&mut self.taken));
    }

    /// What was read is answered.
    pub(in crate::store) fn keep(mut self) {
        self.taken = 0;
    }

    pub(in crate::store) fn keep_if_ok<T>(self, read: Result<T>) -> Result<T> {
        if read.is_ok() {
            self.keep();
        }
        read
    }
}

impl Drop for RowBudget {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A row that is read.
pub(in crate::store) trait RowSize {
    /// What it takes, in bytes.
    fn size(&self) -> usize;
}

impl RowSize for message::Model {
    fn size(&self) -> usize {
        ROW + self.content.len() + self.metadata.as_str().len() + self.parts.as_ref().map_or(0, String::len)
    }
}

impl RowSize for Conversation {
    fn size(&self) -> usize {
        ROW + self.title.as_ref().map_or(0, String::len) + self.metadata.as_str().len()
    }
}

/// What a message takes, as [`RowSize`] has it.
macro_rules! size {
    () => {
        "256 + octet_length(m.content) + octet_length(m.metadata) + COALESCE(octet_length(m.parts), 0)"
    };
}
pub(in crate::store) use size;
