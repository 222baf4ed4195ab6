//! Reads take the bytes of their rows from the allowance of the operation, row by row.
//!
//! If the rows exceed the part of the allowance that needs no reservation, the read drops them, waits for a
//! reservation and reads again. So no operation holds memory while it waits for memory. Statements that can return
//! many or large rows stop by themselves at the end of the allowance (`repository::bounded`), so the database does
//! not read rows that cannot be returned.

use sea_orm::sea_query::{Expr, ExprTrait, Func};

use crate::memory::MemoryBudget;
use crate::model::Conversation;
use crate::store::entity::message;
use crate::store::error::Result;

/// Bytes of a row besides its texts.
pub(in crate::store) const ROW_OVERHEAD: usize = 256;

/// The bytes that one read took from an allowance. They are given back on drop unless they are kept.
pub(in crate::store) struct RowBudget {
    allowance: MemoryBudget,
    bytes_taken: usize,
}

impl RowBudget {
    pub(in crate::store) fn new(allowance: &MemoryBudget) -> Self {
        Self { allowance: allowance.clone(), bytes_taken: 0 }
    }

    /// Takes the bytes of a row.
    pub(in crate::store) fn take(&mut self, bytes: usize) -> Result<()> {
        self.allowance.try_grow(bytes)?;
        self.bytes_taken += bytes;
        Ok(())
    }

    /// Takes the bytes of rows. Waits for a reservation if one is needed.
    pub(in crate::store) async fn grow(&mut self, bytes: usize) -> Result<()> {
        self.allowance.grow(bytes).await?;
        self.bytes_taken += bytes;
        Ok(())
    }

    pub(in crate::store) fn give_back(&mut self) {
        self.allowance.shrink(std::mem::take(&mut self.bytes_taken));
    }

    /// Keeps the bytes taken, because the operation returns the rows.
    pub(in crate::store) fn keep(mut self) {
        self.bytes_taken = 0;
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

/// The size of a row.
pub(in crate::store) trait RowSize {
    /// In bytes.
    fn size(&self) -> usize;
}

impl RowSize for message::Model {
    fn size(&self) -> usize {
        ROW_OVERHEAD
            + self.content.len()
            + self.metadata.as_str().len()
            + self.parts.as_ref().map_or(0, String::len)
    }
}

impl RowSize for Conversation {
    fn size(&self) -> usize {
        let title = self.title.as_ref().map_or(0, String::len);
        ROW_OVERHEAD + title + self.metadata.as_str().len() + self.labels.bytes()
    }
}

/// The size of a row of `message` in a statement, computed like [`RowSize`].
pub(in crate::store) fn message_size() -> Expr {
    let bytes = |column| Func::cust("octet_length").arg(Expr::col((message::Entity, column)));
    let parts = Func::coalesce([bytes(message::Column::Parts).into(), Expr::val(0)]);
    Expr::val(ROW_OVERHEAD as i32)
        .add(bytes(message::Column::Content))
        .add(bytes(message::Column::Metadata))
        .add(parts)
}
