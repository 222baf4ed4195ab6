//! Reading no more than may be held.
//!
//! Rows are taken from the operation's allowance as they are read. Where they are more than it may just have,
//! what was read is let go of, a reservation is waited for, and it is read again: nobody who waits holds
//! what they wait for. Statements that would give any number of rows, or large ones, stop by themselves where
//! the allowance ends ([`within`]), so that the database does not read what nobody could take either.

use sea_orm::{EntityTrait, Statement, Value};

use super::entity::message;
use super::reads::{Stretch, Stretches};
use super::{Error, Result, Scoped};
use crate::memory::{Allowance, Refused};
use crate::model::{Conversation, Message};

/// What a row takes besides its texts.
pub(super) const ROW: usize = 256;

/// Rows that are read in one go where the rows may be large.
const ROWS_AT_ONCE: usize = 256;

/// What one read has taken of an allowance: given back unless it is kept.
pub(super) struct Draw {
    allowance: Allowance,
    taken: usize,
}

impl Draw {
    pub(super) fn of(allowance: &Allowance) -> Self {
        Self { allowance: allowance.clone(), taken: 0 }
    }

    /// For a row of so many bytes.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        self.allowance.take(bytes)?;
        self.taken += bytes;
        Ok(())
    }

    pub(super) fn give_back(&mut self) {
        self.allowance.give_back(std::mem::take(&mut self.taken));
    }

    /// What was read is answered.
    pub(super) fn keep(mut self) {
        self.taken = 0;
    }

    pub(super) fn keep_if_ok<T>(self, read: Result<T>) -> Result<T> {
        if read.is_ok() {
            self.keep();
        }
        read
    }
}

impl Drop for Draw {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A row that is read.
pub(super) trait Weighed {
    /// What it takes, in bytes.
    fn weight(&self) -> usize;
}

impl Weighed for message::Model {
    fn weight(&self) -> usize {
        ROW + self.content.len() + self.metadata.as_str().len() + self.parts.as_ref().map_or(0, String::len)
    }
}

impl Weighed for Conversation {
    fn weight(&self) -> usize {
        ROW + self.title.as_ref().map_or(0, String::len) + self.metadata.as_str().len()
    }
}

/// What a message takes, as [`Weighed`] has it.
macro_rules! size {
    () => {
        "256 + octet_length(m.content) + octet_length(m.metadata) + COALESCE(octet_length(m.parts), 0)"
    };
}
pub(super) use size;

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
    pub(super) async fn with_room<T, F: Future<Output = Result<T>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T> {
        match read().await {
            Err(Error::Memory(Refused::Unreserved)) => {
                self.allowance.reserve().await?;
                read().await
            }
            read => read,
        }
    }

    /// Takes rows from the allowance, all or none.
    pub(super) fn take<T: Weighed>(&self, rows: Vec<T>) -> Result<Vec<T>> {
        self.allowance.take(rows.iter().map(Weighed::weight).sum())?;
        Ok(rows)
    }

    /// The messages that a statement names: `some` gives their ids and sizes. In no
    /// order.
    pub(super) async fn messages_named(&self, some: &str, values: Vec<Value>) -> Result<Vec<message::Model>> {
        let sql = within(some, values.len() + 1);
        let read = || async {
            let (reserved, left) = (self.allowance.is_reserved(), self.allowance.left());
            let bytes = i64::try_from(left).unwrap_or(i64::MAX);
            let values = values.iter().cloned().chain([bytes.into()]);
            let statement = Statement::from_sql_and_values(self.backend(), &sql, values);
            let rows = message::Entity::find().from_raw_sql(statement).all(&self.reader()).await?;
            // There may be more than what was read, even if there is room for more by now.
            if rows.iter().map(Weighed::weight).sum::<usize>() > left {
                return Err(if reserved { self.allowance.refusal() } else { Refused::Unreserved }.into());
            }
            self.take(rows)
        };
        self.with_room(read).await
    }

    /// Stretches, in the order they are asked for: in one statement where they are small, else a few at
    /// a time.
    pub(super) async fn stretches(&self, mut each: Vec<Stretch>) -> Result<Vec<Vec<Message>>> {
        let ask = |each| Stretches { each, allowance: self.allowance.clone() };
        if !self.allowance.is_reserved() {
            match self.reads().stretches(ask(each.clone())).await {
                Err(Error::Memory(Refused::Unreserved)) => self.allowance.reserve().await?,
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
            found.extend(self.reads().stretches(ask(std::mem::replace(&mut each, rest))).await?);
        }
        Ok(found)
    }
}
