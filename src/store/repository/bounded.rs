//! Reads that stay within the allowance of the operation.

use sea_orm::sea_query::{Expr, ExprTrait, Frame, FrameType, Func, Query, SelectStatement, WindowStatement};
use sea_orm::{ColumnTrait, EntityTrait, QuerySelect, Select};

use crate::memory::MemoryError;
use crate::model::Message;
use crate::store::entity::message;
use crate::store::error::{Error, Result};
use crate::store::hot::reads::request::{MessageRange, MessageRanges};
use crate::store::row_budget::{RowSize, message_size};
use crate::store::scope::Scoped;

/// The maximum number of rows of one read, if the rows can be large.
const ROWS_AT_ONCE: usize = 256;

/// The columns of a statement for [`Scoped::found_messages`].
const ID: &str = "id";
const SIZE: &str = "size";

/// Selects the id and the size of messages, for [`Scoped::found_messages`].
pub(in crate::store) fn ids_and_sizes() -> SelectStatement {
    let id = message::Column::Id.into_expr();
    Query::select().expr_as(id, ID).expr_as(message_size(), SIZE).take()
}

/// Selects the messages whose ids and sizes `found` selects: so many that their sizes exceed `bytes` by at most one
/// message. The database does not read the texts of the others.
pub(in crate::store) fn within(found: SelectStatement, bytes: i64) -> Select<message::Entity> {
    let first_to_this = WindowStatement::new().frame_start(FrameType::Rows, Frame::UnboundedPreceding).take();
    let size = || Expr::col(SIZE);
    let sums = Query::select()
        .columns([ID, SIZE])
        .expr_window_as(Func::sum(size()), first_to_this, "total")
        .from_subquery(found, "found")
        .take();
    let mut select = message::Entity::find();
    QuerySelect::query(&mut select)
        .from_clear()
        .from_subquery(sums, "sums")
        .inner_join(message::Entity, message::Column::Id.into_expr().equals(("sums", ID)))
        .and_where(Expr::col(("sums", "total")).sub(Expr::col(("sums", SIZE))).lte(bytes));
    select
}

impl Scoped {
    /// Reads, and reads again with a reservation if the first read needs one.
    pub(in crate::store) async fn with_reservation<T, F: Future<Output = Result<T>>>(
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

    /// Takes the bytes of all rows from the allowance, or of none.
    pub(in crate::store) fn take<T: RowSize>(&self, rows: Vec<T>) -> Result<Vec<T>> {
        self.allowance.try_grow(rows.iter().map(RowSize::size).sum())?;
        Ok(rows)
    }

    /// The messages that a statement finds, in no order. The statement starts with [`ids_and_sizes`].
    pub(in crate::store) async fn found_messages(
        &self,
        found: SelectStatement,
    ) -> Result<Vec<message::Model>> {
        let read = || async {
            let (reserved, left) = (self.allowance.needs_no_reservation(), self.allowance.remaining());
            let bytes = i64::try_from(left).unwrap_or(i64::MAX);
            let rows = within(found.clone(), bytes).all(&self.reader()).await?;
            // If the rows exceed the allowance, the statement may have left out others.
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
        self.with_reservation(read).await
    }

    /// Ranges of messages, in the given order: in one statement if they are small, otherwise a few at a time.
    pub(in crate::store) async fn message_ranges(
        &self,
        mut each: Vec<MessageRange>,
    ) -> Result<Vec<Vec<Message>>> {
        let ranges = |each| MessageRanges { each, allowance: self.allowance.clone() };
        if !self.allowance.needs_no_reservation() {
            match self.reads().message_ranges(ranges(each.clone())).await {
                Err(Error::Memory(MemoryError::ReservationRequired)) => self.allowance.reserve().await?,
                read => return read,
            }
        }
        let mut found = Vec::with_capacity(each.len());
        while !each.is_empty() {
            let mut rows = 0;
            let some = each.iter().take_while(|message_range| {
                let first = rows == 0;
                rows += message_range.rows as usize;
                first || rows <= ROWS_AT_ONCE
            });
            let rest = each.split_off(some.count());
            found.extend(self.reads().message_ranges(ranges(std::mem::replace(&mut each, rest))).await?);
        }
        Ok(found)
    }
}
