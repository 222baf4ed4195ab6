//! The hot reads on PostgreSQL: a statement answers any number of reads.
//!
//! A statement that several reads share cannot stop at the end of one allowance. So for an operation without a
//! reservation it leaves out texts longer than `max_text`, which bounds the bytes that PostgreSQL sends. Such a read
//! runs again with a reservation, and then gets all texts. Rows are decoded one by one as they arrive. Rows of a read
//! that was already rejected are dropped.
//!
//! `cargo bench --bench load -- history list` measures these reads.

mod conversations;
mod statements;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, ValueRef};
use uuid::Uuid;

use super::request::{ListConversations, ListedConversation, MessageRange, MessageRanges, text_of};
use crate::memory::{MemoryBudget, MemoryError, UNRESERVED_BYTES};
use crate::model::{
    Conversation, ConversationId, End, Json, Labels, Message, MessageId, MessageStatus, OwnerId, Timestamp,
};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::row_budget::{RowBudget, RowSize};
use statements::{FIRST, FIRST_OF_BRANCH, LAST, LAST_OF_BRANCH, LIST};

/// The maximum bytes of each kind of text that PostgreSQL sends for a read without a reservation.
const UNRESERVED_TEXT_BYTES: usize = 2 * UNRESERVED_BYTES;

/// A result for each read, or the error of the statement.
pub(super) type BatchResults<Q> = Result<Vec<Result<<Q as BatchRead>::Answer>>>;

/// Reads that one statement answers.
pub(super) trait BatchRead: Send + Sync + Sized {
    type Answer: Send;

    /// A result for each read, in their order.
    fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        reads: &[Self],
    ) -> impl Future<Output = BatchResults<Self>> + Send;
}

impl BatchRead for MessageRanges {
    type Answer = Vec<Vec<Message>>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        reads: &[Self],
    ) -> BatchResults<Self> {
        message_ranges(connection, row_level_security, reads).await
    }
}

impl BatchRead for ListConversations {
    type Answer = Vec<ListedConversation>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        reads: &[Self],
    ) -> BatchResults<Self> {
        list(connection, row_level_security, reads).await
    }
}

async fn message_ranges(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    reads: &[MessageRanges],
) -> BatchResults<MessageRanges> {
    let mut found: Vec<BudgetedResult<Vec<Vec<Message>>>> = Vec::with_capacity(reads.len());
    let mut max_text_bytes_each = Vec::with_capacity(reads.len());
    for read in reads {
        let mut result = BudgetedResult::new(&read.allowance);
        result.add(|found: &mut Vec<_>, _| {
            found.resize_with(read.each.len(), Vec::new);
            Ok(())
        })?;
        found.push(result);
        max_text_bytes_each.push(max_text_bytes(&read.allowance, read.rows()));
    }
    for (sql, end) in [(&FIRST, End::First), (&LAST, End::Last)] {
        let wanted: Vec<(usize, usize)> = reads
            .iter()
            .enumerate()
            .flat_map(|(read, ranges)| (0..ranges.each.len()).map(move |at| (read, at)))
            .filter(|(read, at)| reads[*read].each[*at].end == end)
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let each = || wanted.iter().map(|(read, at)| &reads[*read].each[*at]);
        let mut rows = sqlx::query(row_level_security.text(sql))
            .bind(each().map(|range| range.conversation.0).collect::<Vec<_>>())
            .bind(each().map(|range| range.owner.as_str()).collect::<Vec<_>>())
            .bind(each().map(|range| range.after).collect::<Vec<_>>())
            .bind(each().map(|range| range.before).collect::<Vec<_>>())
            .bind(each().map(|range| i64::from(range.rows)).collect::<Vec<_>>())
            .bind(each().map(|range| range.trunk).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(read, _)| max_text_bytes_each[*read]).collect::<Vec<_>>())
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let (read, at) = wanted[read_index(&row)?];
            let MessageRange { conversation, owner, .. } = &reads[read].each[at];
            found[read].add(|found, budget| {
                found[at].push(message_of(&row, 1, *conversation, owner, budget)?);
                Ok(())
            })?;
        }
        drop(rows);
        for (read, at) in wanted {
            found[read].add(|found, _| {
                found[at] = sorted_from(std::mem::take(&mut found[at]), end);
                Ok(())
            })?;
        }
    }
    Ok(found.into_iter().map(BudgetedResult::finish).collect())
}

async fn list(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    reads: &[ListConversations],
) -> BatchResults<ListConversations> {
    let owners: Vec<&str> = reads.iter().map(|read| read.owner.as_str()).collect();
    let limit: Vec<i64> = reads.iter().map(|read| i64::from(read.limit) + 1).collect();
    let each: Vec<i32> =
        reads.iter().map(|read| max_text_bytes(&read.allowance, read.limit as usize + 1)).collect();
    let mut rows =
        sqlx::query(row_level_security.text(&LIST)).bind(owners).bind(limit).bind(each).fetch(connection);
    let mut found: Vec<BudgetedResult<Vec<ListedConversation>>> =
        reads.iter().map(|read| BudgetedResult::new(&read.allowance)).collect();
    while let Some(row) = rows.try_next().await? {
        let at = read_index(&row)?;
        let owner = &reads[at].owner;
        found[at].add(|found, budget| {
            let id = ConversationId(row.try_get_unchecked(1)?);
            let numbers: Vec<Option<i64>> = row.try_get_unchecked(6)?;
            let conversation = Conversation {
                title: row.try_get_unchecked(2)?,
                metadata: Json::stored(row.try_get_unchecked(3)?),
                created_at: Timestamp(row.try_get_unchecked(4)?),
                labels: Labels::stored(row.try_get_unchecked(5)?),
                ..conversation_of(id, owner, &numbers)?
            };
            budget.take(conversation.size())?;
            let has_head = row.try_get_unchecked::<Option<i64>, _>(8)?.is_some();
            let head = has_head.then(|| message_of(&row, 7, id, owner, budget)).transpose()?;
            found.push((conversation, head));
            Ok(())
        })?;
    }
    let latest = |(conversation, _): &ListedConversation| {
        std::cmp::Reverse((conversation.updated_at, conversation.id))
    };
    let listed = |found: BudgetedResult<Vec<ListedConversation>>| {
        let mut found = found.finish()?;
        found.sort_by_key(latest);
        Ok(found)
    };
    Ok(found.into_iter().map(listed).collect())
}

pub(super) fn branch_statements() -> Vec<&'static str> {
    [FIRST_OF_BRANCH, LAST_OF_BRANCH].map(|text| RowLevelSecurity::Off.text(&text)).to_vec()
}

/// The rows of a read so far, or its rejection if they exceed its allowance.
struct BudgetedResult<A> {
    budget: RowBudget,
    found: std::result::Result<A, MemoryError>,
}

impl<A: Default> BudgetedResult<A> {
    fn new(allowance: &MemoryBudget) -> Self {
        Self { budget: RowBudget::new(allowance), found: Ok(A::default()) }
    }

    /// Adds a row. A read that is rejected for it does not affect the others.
    fn add(&mut self, add: impl FnOnce(&mut A, &mut RowBudget) -> Result<()>) -> Result<()> {
        let Ok(found) = &mut self.found else { return Ok(()) };
        match add(found, &mut self.budget) {
            Err(Error::Memory(refused)) => {
                self.found = Err(refused);
                self.budget.give_back();
                Ok(())
            }
            added => added,
        }
    }

    fn finish(self) -> Result<A> {
        let found = self.found?;
        self.budget.keep();
        Ok(found)
    }
}

/// The maximum length of texts for a read of so many rows, in bytes.
fn max_text_bytes(allowance: &MemoryBudget, rows: usize) -> i32 {
    if allowance.needs_no_reservation() {
        i32::MAX
    } else {
        i32::try_from(UNRESERVED_TEXT_BYTES / rows.max(1)).unwrap_or(i32::MAX)
    }
}

/// The index of the read that a row belongs to, from 0.
fn read_index(row: &PgRow) -> Result<usize> {
    let ord: i64 = row.try_get_unchecked(0)?;
    usize::try_from(ord - 1).map_err(|_| Error::broken(format!("a row belongs to read {ord}")))
}

/// Sorts messages from an end.
fn sorted_from(mut messages: Vec<Message>, end: End) -> Vec<Message> {
    match end {
        End::First => messages.sort_by_key(|message| message.position),
        End::Last => messages.sort_by_key(|message| std::cmp::Reverse(message.position)),
    }
    messages
}

fn conversation_of(id: ConversationId, owner: &OwnerId, numbers: &[Option<i64>]) -> Result<Conversation> {
    let &[
        Some(updated_at),
        Some(message_count),
        Some(last_position),
        Some(branch),
        Some(head_position),
        Some(branches),
        Some(trunk),
        Some(read_position),
        Some(unread_ignored),
        unarchive_on_message,
        pinned_at,
        archived_at,
        trashed_at,
        expires_at,
    ] = numbers
    else {
        return Err(Error::broken(format!("conversation {id} has {} numbers", numbers.len())));
    };
    Ok(Conversation {
        id,
        owner: owner.clone(),
        title: None,
        metadata: Json::empty_object(),
        created_at: Timestamp(0),
        updated_at: Timestamp(updated_at),
        message_count,
        last_position,
        head_position,
        branch,
        branches,
        trunk,
        pinned_at: pinned_at.map(Timestamp),
        archived_at: archived_at.map(Timestamp),
        trashed_at: trashed_at.map(Timestamp),
        expires_at: expires_at.map(Timestamp),
        labels: Labels::default(),
        read_position,
        unread_ignored,
        unarchive_on_message: unarchive_on_message != Some(0),
    })
}

/// Decodes a message and takes its bytes from the allowance. If a text was left out, the allowance is too small.
fn message_of(
    row: &PgRow,
    at: usize,
    conversation: ConversationId,
    owner: &OwnerId,
    budget: &mut RowBudget,
) -> Result<Message> {
    let id: Uuid = row.try_get_unchecked(at + 2)?;
    let numbers: Option<[Option<i64>; 6]> = row.try_get_unchecked(at)?;
    let [status, branch, parent_position, edited_at, deleted_at, pinned] = numbers.unwrap_or_default();
    let status = status.map_or(Ok(MessageStatus::Complete.code()), i16::try_from);
    let texts: Option<[Option<String>; 4]> = row.try_get_unchecked(at + 6)?;
    let [metadata, parts, model, usage] = match texts {
        None => Default::default(),
        Some([None, ..]) => return Err(MemoryError::ReservationRequired.into()),
        Some([_, Some(parts), ..]) if parts.is_empty() => return Err(MemoryError::ReservationRequired.into()),
        Some(texts) => texts,
    };
    let row = message::Model {
        conversation_id: conversation,
        position: row.try_get_unchecked(at + 1)?,
        id: MessageId(id),
        owner_id: owner.clone(),
        role: row.try_get_unchecked(at + 3)?,
        content: content(row, at + 4)?,
        metadata: metadata.map_or_else(Json::empty_object, Json::stored),
        created_at: Timestamp(row.try_get_unchecked(at + 5)?),
        fingerprint: None,
        status: status.map_err(|_| Error::broken(format!("message {id} has no possible status")))?,
        branch,
        parent_position,
        parts,
        model,
        usage,
        edited_at: edited_at.map(Timestamp),
        deleted_at: deleted_at.map(Timestamp),
        pinned: pinned == Some(1),
    };
    budget.take(row.size())?;
    row.try_into()
}

/// The content. It is most of the bytes of a read.
fn content(row: &PgRow, column: usize) -> Result<String> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Err(MemoryError::ReservationRequired.into());
    }
    text_of(value.as_bytes().map_err(sqlx::Error::Decode)?)
}
