//! The hot reads on PostgreSQL: each answers any number of asks.
//!
//! The statement that one ask shares with others cannot stop where its allowance ends. So for an operation
//! without a reservation it leaves out texts that are longer than `each`: of what nobody could take only so
//! much is ever sent. Such an ask comes again with a reservation, and then gets everything. Rows are decoded
//! one by one as they arrive, and dropped where their ask is refused already.

mod statements;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, ValueRef};
use uuid::Uuid;

use super::request::{
    ConversationPage, ListConversations, ListedConversation, MessageRange, MessageRanges, ReadConversation,
    text_of,
};
use crate::memory::{Allowance, FREE, Refused};
use crate::model::{
    Conversation, ConversationId, End, Json, Message, MessageId, MessageStatus, OwnerId, Timestamp,
};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::row_budget::{RowBudget, RowSize};
use statements::{FIRST, LAST, LIST, OPEN};

/// Bytes that may be sent of each kind of text for an ask that may turn out to be too large.
const PROBED: usize = 2 * FREE;

/// An answer for each ask, or why all failed together.
pub(super) type Asked<Q> = Result<Vec<Result<<Q as BatchRead>::Answer>>>;

/// Asks that one statement answers.
pub(super) trait BatchRead: Send + Sync + Sized {
    type Answer: Send;

    /// An answer for each ask, in their order.
    fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        asks: &[Self],
    ) -> impl Future<Output = Asked<Self>> + Send;
}

impl BatchRead for ReadConversation {
    type Answer = Option<ConversationPage>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        asks: &[Self],
    ) -> Asked<Self> {
        open(connection, row_level_security, asks).await
    }
}

impl BatchRead for MessageRanges {
    type Answer = Vec<Vec<Message>>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        asks: &[Self],
    ) -> Asked<Self> {
        message_ranges(connection, row_level_security, asks).await
    }
}

impl BatchRead for ListConversations {
    type Answer = Vec<ListedConversation>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        asks: &[Self],
    ) -> Asked<Self> {
        list(connection, row_level_security, asks).await
    }
}

/// What was found of a conversation so far.
type Found = (Option<Conversation>, Vec<Message>);

async fn open(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    asks: &[ReadConversation],
) -> Asked<ReadConversation> {
    let mut ids = Vec::with_capacity(asks.len());
    let mut owners = Vec::with_capacity(asks.len());
    let mut most = Vec::with_capacity(asks.len());
    let mut first = Vec::with_capacity(asks.len());
    let mut each = Vec::with_capacity(asks.len());
    for ask in asks {
        let rows = ask.page.map_or(0, |page| page.size + 1);
        ids.push(ask.id.0);
        owners.push(ask.owner.as_str());
        most.push(i64::from(rows));
        first.push(ask.page.is_some_and(|page| page.end == End::First));
        each.push(longest(&ask.allowance, rows as usize));
    }
    let statement =
        sqlx::query(row_level_security.text(&OPEN)).bind(ids).bind(owners).bind(most).bind(first).bind(each);
    let mut rows = statement.fetch(connection);
    // In no order: a conversation may come after its messages.
    let mut found: Vec<Taking<Found>> = asks.iter().map(|ask| Taking::of(&ask.allowance)).collect();
    while let Some(row) = rows.try_next().await? {
        let at = whose(&row)?;
        let ask = &asks[at];
        found[at].add(|(opened, messages), draw| {
            if row.try_get_unchecked::<Option<i64>, _>(2)?.is_some() {
                messages.push(message_of(&row, 1, ask.id, &ask.owner, draw)?);
                return Ok(());
            }
            let numbers: Vec<i64> = row.try_get_unchecked(1)?;
            let [metadata] = row.try_get_unchecked(7)?;
            let conversation = Conversation {
                title: row.try_get_unchecked(5)?,
                metadata: Json::stored(metadata),
                created_at: Timestamp(row.try_get_unchecked(6)?),
                ..conversation_of(ask.id, &ask.owner, &numbers)?
            };
            draw.take(conversation.size())?;
            *opened = Some(conversation);
            Ok(())
        })?;
    }
    let opened = |(found, ask): (Taking<Found>, &ReadConversation)| {
        let (conversation, messages) = found.done()?;
        Ok(conversation.map(|conversation| {
            let page = ask.page.filter(|_| conversation.is_linear());
            ConversationPage { conversation, messages: page.map(|page| from_end(messages, page.end)) }
        }))
    };
    Ok(found.into_iter().zip(asks).map(opened).collect())
}

async fn message_ranges(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    asks: &[MessageRanges],
) -> Asked<MessageRanges> {
    let mut found: Vec<Taking<Vec<Vec<Message>>>> = Vec::with_capacity(asks.len());
    let mut longest_each = Vec::with_capacity(asks.len());
    for ask in asks {
        let mut taking = Taking::of(&ask.allowance);
        taking.add(|found: &mut Vec<_>, _| {
            found.resize_with(ask.each.len(), Vec::new);
            Ok(())
        })?;
        found.push(taking);
        longest_each.push(longest(&ask.allowance, ask.rows()));
    }
    for (sql, end) in [(&FIRST, End::First), (&LAST, End::Last)] {
        let wanted: Vec<(usize, usize)> = asks
            .iter()
            .enumerate()
            .flat_map(|(ask, ranges)| (0..ranges.each.len()).map(move |at| (ask, at)))
            .filter(|(ask, at)| asks[*ask].each[*at].end == end)
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let each = || wanted.iter().map(|(ask, at)| &asks[*ask].each[*at]);
        let mut rows = sqlx::query(row_level_security.text(sql))
            .bind(each().map(|range| range.conversation.0).collect::<Vec<_>>())
            .bind(each().map(|range| range.owner.as_str()).collect::<Vec<_>>())
            .bind(each().map(|range| range.after).collect::<Vec<_>>())
            .bind(each().map(|range| range.before).collect::<Vec<_>>())
            .bind(each().map(|range| i64::from(range.rows)).collect::<Vec<_>>())
            .bind(each().map(|range| range.trunk).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(ask, _)| longest_each[*ask]).collect::<Vec<_>>())
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let (ask, at) = wanted[whose(&row)?];
            let MessageRange { conversation, owner, .. } = &asks[ask].each[at];
            found[ask].add(|found, draw| {
                found[at].push(message_of(&row, 1, *conversation, owner, draw)?);
                Ok(())
            })?;
        }
        drop(rows);
        for (ask, at) in wanted {
            found[ask].add(|found, _| {
                found[at] = from_end(std::mem::take(&mut found[at]), end);
                Ok(())
            })?;
        }
    }
    Ok(found.into_iter().map(Taking::done).collect())
}

async fn list(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    asks: &[ListConversations],
) -> Asked<ListConversations> {
    let owners: Vec<&str> = asks.iter().map(|ask| ask.owner.as_str()).collect();
    let most: Vec<i64> = asks.iter().map(|ask| i64::from(ask.most) + 1).collect();
    let each: Vec<i32> = asks.iter().map(|ask| longest(&ask.allowance, ask.most as usize + 1)).collect();
    let mut rows =
        sqlx::query(row_level_security.text(&LIST)).bind(owners).bind(most).bind(each).fetch(connection);
    let mut found: Vec<Taking<Vec<ListedConversation>>> =
        asks.iter().map(|ask| Taking::of(&ask.allowance)).collect();
    while let Some(row) = rows.try_next().await? {
        let at = whose(&row)?;
        let owner = &asks[at].owner;
        found[at].add(|found, draw| {
            let id = ConversationId(row.try_get_unchecked(1)?);
            let numbers: Vec<i64> = row.try_get_unchecked(5)?;
            let conversation = Conversation {
                title: row.try_get_unchecked(2)?,
                metadata: Json::stored(row.try_get_unchecked(3)?),
                created_at: Timestamp(row.try_get_unchecked(4)?),
                ..conversation_of(id, owner, &numbers)?
            };
            draw.take(conversation.size())?;
            let has_head = row.try_get_unchecked::<Option<i64>, _>(7)?.is_some();
            let head = has_head.then(|| message_of(&row, 6, id, owner, draw)).transpose()?;
            found.push((conversation, head));
            Ok(())
        })?;
    }
    let latest = |(conversation, _): &ListedConversation| {
        std::cmp::Reverse((conversation.updated_at, conversation.id))
    };
    let listed = |found: Taking<Vec<ListedConversation>>| {
        let mut found = found.done()?;
        found.sort_by_key(latest);
        Ok(found)
    };
    Ok(found.into_iter().map(listed).collect())
}

/// What was found for an ask so far, unless that is more than it may have.
struct Taking<A> {
    draw: RowBudget,
    found: std::result::Result<A, Refused>,
}

impl<A: Default> Taking<A> {
    fn of(allowance: &Allowance) -> Self {
        Self { draw: RowBudget::of(allowance), found: Ok(A::default()) }
    }

    /// Adds a row. An ask that is refused for it costs the others nothing.
    fn add(&mut self, add: impl FnOnce(&mut A, &mut RowBudget) -> Result<()>) -> Result<()> {
        let Ok(found) = &mut self.found else { return Ok(()) };
        match add(found, &mut self.draw) {
            Err(Error::Memory(refused)) => {
                self.found = Err(refused);
                self.draw.give_back();
                Ok(())
            }
            added => added,
        }
    }

    fn done(self) -> Result<A> {
        let found = self.found?;
        self.draw.keep();
        Ok(found)
    }
}

/// The longest texts to be sent for an ask of so many rows.
fn longest(allowance: &Allowance, rows: usize) -> i32 {
    if allowance.is_reserved() { i32::MAX } else { i32::try_from(PROBED / rows.max(1)).unwrap_or(i32::MAX) }
}

/// Whose row it is, counted from 0.
fn whose(row: &PgRow) -> Result<usize> {
    let ord: i64 = row.try_get_unchecked(0)?;
    usize::try_from(ord - 1).map_err(|_| Error::broken(format!("a row belongs to ask {ord}")))
}

/// In the order in which they are read from an end inwards.
fn from_end(mut messages: Vec<Message>, end: End) -> Vec<Message> {
    match end {
        End::First => messages.sort_by_key(|message| message.position),
        End::Last => messages.sort_by_key(|message| std::cmp::Reverse(message.position)),
    }
    messages
}

fn conversation_of(id: ConversationId, owner: &OwnerId, numbers: &[i64]) -> Result<Conversation> {
    let &[updated_at, message_count, last_position, branch, head_position, branches, trunk] = numbers else {
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
    })
}

/// A message, taken from the allowance. Where some of it was left out, that was too small.
fn message_of(
    row: &PgRow,
    at: usize,
    conversation: ConversationId,
    owner: &OwnerId,
    draw: &mut RowBudget,
) -> Result<Message> {
    let id: Uuid = row.try_get_unchecked(at + 2)?;
    let numbers: Option<[Option<i64>; 6]> = row.try_get_unchecked(at)?;
    let [status, branch, parent_position, edited_at, deleted_at, pinned] = numbers.unwrap_or_default();
    let status = status.map_or(Ok(MessageStatus::Complete.code()), i16::try_from);
    let texts: Option<[Option<String>; 4]> = row.try_get_unchecked(at + 6)?;
    let [metadata, parts, model, usage] = match texts {
        None => Default::default(),
        Some([None, ..]) => return Err(Refused::Unreserved.into()),
        Some([_, Some(parts), ..]) if parts.is_empty() => return Err(Refused::Unreserved.into()),
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
    draw.take(row.size())?;
    row.try_into()
}

/// Most of what is read.
fn content(row: &PgRow, column: usize) -> Result<String> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Err(Refused::Unreserved.into());
    }
    text_of(value.as_bytes().map_err(sqlx::Error::Decode)?)
}
