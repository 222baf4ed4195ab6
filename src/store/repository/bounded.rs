//! Reads of no more than an operation may hold.

use sea_orm::{EntityTrait, Statement, Value};

use crate::memory::MemoryError;
use crate::model::Message;
use crate::store::entity::message;
use crate::store::error::{Error, Result};
use crate::store::hot::reads::request::{MessageRange, MessageRanges};
use crate::store::row_budget::RowSize;
use crate::store::scope::Scoped;

/// Rows that are read in one go where the rows may be large.
const ROWS_AT_ONCE: usize = 256;

/// The messages that `some` names by id, each with its size, up to as many bytes as a
/// parameter says and one message more. Only those are looked into.
fn within(some: &str, parameter: usize) -> String {
    format!(
        "SELECT m.* FROM (SELECT i.*, sum(i.size) OVER (ROWS UNBOUNDED PRECEDING) AS total \
         FROM ({some}) AS i) AS s JOIN message AS m ON m.id = s.id WHERE s.total - s.size <= ${parameter}"
    )
}

impl Scoped {
    /// Reads; and once more with a reservation, where that is what it takes.
    pub(in crate::store) async fn with_room<T, F: Future<Output = Result<T>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T> {
        match read().await {
            Err(Error::Memory(MemoryError::ReservationRequired)) => {
                self.allowance.reserve().await?;
                read().await
            }
            read => read,
        }
    }

    /// Takes rows from the allowance, all or none.
    pub(in crate::store) fn take<T: RowSize>(&self, rows: Vec<T>) -> Result<Vec<T>> {
        self.allowance.try_grow(rows.iter().map(RowSize::size).sum())?;
        Ok(rows)
    }

    /// The messages that a statement names: `some` gives their ids and sizes. In no
    /// order.
    pub(in crate::store) async fn messages_named(
        &self,
        some: &str,
        values: Vec<Value>,
    ) -> Result<Vec<message::Model>> {
        let sql = within(some, values.len() + 1);
        let read = || async {
            let (reserved, left) = (self.allowance.needs_no_reservation(), self.allowance.remaining());
            let bytes = i64::try_from(left).unwrap_or(i64::MAX);
            let values = values.iter().cloned().chain([bytes.into()]);
            let statement = Statement::from_sql_and_values(self.backend(), &sql, values);
            let rows = message::Entity::find().from_raw_sql(statement).all(&self.reader()).await?;
            // There may be more than what was read, even if there is room for more by now.
            if rows.iter().map(RowSize::size).sum::<usize>() > left {
                return Err(if reserved {
                    self.allowance.limit_error()
                } else {
                    MemoryError::ReservationRequired
                }
                .into());
            }
            self.take(rows)
        };
        self.with_room(read).await
    }

    /// Ranges of messages, in the order they are asked for: in one statement where they are small, else a few at
    /// a time.
    pub(in crate::store) async fn message_ranges(
        &self,
        mut each: Vec<MessageRange>,
    ) -> Result<Vec<Vec<Message>>> {
        let ask = |each| MessageRanges { each, allowance: self.allowance.clone() };
        if !self.allowance.needs_no_reservation() {
            match self.reads().message_ranges(ask(each.clone())).await {
                Err(Error::Memory(MemoryError::ReservationRequired)) => self.allowance.reserve().await?,
                read => return read,
            }
        }
        let mut found = Vec::with_capacity(each.len());
        while !each.is_empty() {
            let mut rows = 0;
            let some = each.iter().take_while(|stretch| {
                let first = rows == 0;
                rows += stretch.rows as usize;
                first || rows <= ROWS_AT_ONCE
            });
            let rest = each.split_off(some.count());
            found.extend(self.reads().message_ranges(ask(std::mem::replace(&mut each, rest))).await?);
        }
        Ok(found)
    }
}
