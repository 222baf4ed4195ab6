//! Conversations with pages of their messages.
//!
//! The messages at one end of a conversation that never forked come with it, with a short statement. Other pages have
//! a statement that finds the branch. A read that asks for siblings uses it at once, because its conversation has
//! probably forked; others use it if the first one found a fork.

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::statements::{CONVERSATION, FIRST_OF_BRANCH, LAST_OF_BRANCH};
use super::{
    BatchRead, BatchResults, BudgetedResult, conversation_of, max_text_bytes, message_of, read_index,
    sorted_from,
};
use crate::model::{Conversation, Deleted, End, Json, Labels, Message, MessageId, Siblings, Timestamp};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::error::{Error, Result};
use crate::store::hot::reads::request::{BranchPage, BranchRows, ConversationPage, ReadConversation};
use crate::store::hot::reads::siblings::{SIBLING_BYTES, Sibling, siblings_of};
use crate::store::row_budget::{RowBudget, RowSize};

/// The part of a conversation that was read so far.
type Found = (Option<Conversation>, Vec<Message>, Vec<Sibling>);

impl BatchRead for ReadConversation {
    type Answer = Option<ConversationPage>;

    async fn read(
        connection: &mut PgConnection,
        row_level_security: RowLevelSecurity,
        reads: &[Self],
    ) -> BatchResults<Self> {
        let mut answers: Vec<Option<Result<Self::Answer>>> = reads.iter().map(|_| None).collect();
        let short: Vec<usize> = (0..reads.len()).filter(|at| reads[*at].is_short()).collect();
        if !short.is_empty() {
            let found = conversations(connection, row_level_security, &of(reads, &short)).await?;
            for (at, found) in short.into_iter().zip(found) {
                answers[at] = found.finish().map(|found| reads[at].answer_if_linear(found)).transpose();
            }
        }
        for end in [End::First, End::Last] {
            let rest = |at: &usize| {
                answers[*at].is_none() && reads[*at].page.is_some_and(|page| page.page.end == end)
            };
            let rest: Vec<usize> = (0..reads.len()).filter(rest).collect();
            if !rest.is_empty() {
                let found = branches(connection, row_level_security, &of(reads, &rest), end).await?;
                for (at, found) in rest.into_iter().zip(found) {
                    answers[at] = Some(found.finish().map(|found| reads[at].answer(found)));
                }
            }
        }
        let lost = || Err(Error::broken("a read was not answered".into()));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect())
    }
}

impl ReadConversation {
    /// Whether the short statement probably answers it.
    fn is_short(&self) -> bool {
        self.page.is_none_or(|page| page.is_whole() && !page.with_siblings)
    }

    /// The answer with the rows of the short statement, which has no messages of a conversation that has forked. Then
    /// it is `None`, unless no page is requested.
    fn answer_if_linear(&self, found: Found) -> Option<Option<ConversationPage>> {
        let (conversation, rows, _) = found;
        let Some(conversation) = conversation else { return Some(None) };
        let messages = match self.page {
            Some(page) if conversation.is_linear() => {
                let rows = sorted_from(rows, page.page.end);
                Some(BranchRows { rows, siblings: Siblings::None })
            }
            Some(_) => return None,
            None => None,
        };
        Some(Some(ConversationPage { conversation, messages }))
    }

    fn answer(&self, (conversation, rows, others): Found) -> Option<ConversationPage> {
        let conversation = conversation?;
        let messages = self.page.map(|page| {
            let rows = sorted_from(rows, page.page.end);
            let siblings = match page.with_siblings {
                true if conversation.branches == 0 => Siblings::None,
                true => siblings_of(&rows, others),
                false => Siblings::NotRead,
            };
            BranchRows { rows, siblings }
        });
        Some(ConversationPage { conversation, messages })
    }
}

fn of<'a>(reads: &'a [ReadConversation], some: &[usize]) -> Vec<&'a ReadConversation> {
    some.iter().map(|at| &reads[*at]).collect()
}

/// Reads conversations, and the messages of those that never forked.
async fn conversations(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    reads: &[&ReadConversation],
) -> Result<Vec<BudgetedResult<Found>>> {
    let rows = |read: &&ReadConversation| read.page.map_or(0, |page| i64::from(page.rows()));
    let is_first = |read: &&ReadConversation| read.page.is_some_and(|page| page.page.end == End::First);
    let statement = sqlx::query(row_level_security.text(&CONVERSATION))
        .bind(reads.iter().map(|read| read.id.0).collect::<Vec<_>>())
        .bind(reads.iter().map(|read| read.owner.as_str()).collect::<Vec<_>>())
        .bind(reads.iter().map(rows).collect::<Vec<_>>())
        .bind(reads.iter().map(is_first).collect::<Vec<_>>())
        .bind(reads.iter().map(max_text).collect::<Vec<_>>());
    collect(connection, reads, statement).await
}

/// Reads conversations and pages of their branches, all from one end.
async fn branches(
    connection: &mut PgConnection,
    row_level_security: RowLevelSecurity,
    reads: &[&ReadConversation],
    end: End,
) -> Result<Vec<BudgetedResult<Found>>> {
    let text = if end == End::First { &FIRST_OF_BRANCH } else { &LAST_OF_BRANCH };
    let pages: Vec<&BranchPage> = reads.iter().filter_map(|read| read.page.as_ref()).collect();
    let statement = sqlx::query(row_level_security.text(text))
        .bind(reads.iter().map(|read| read.id.0).collect::<Vec<_>>())
        .bind(reads.iter().map(|read| read.owner.as_str()).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| i64::from(page.rows())).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.leaf.map(|leaf| leaf.branch)).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.leaf.map(|leaf| leaf.position)).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.after()).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.before()).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.deleted == Deleted::Included).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.with_siblings).collect::<Vec<_>>())
        .bind(reads.iter().map(max_text).collect::<Vec<_>>());
    collect(connection, reads, statement).await
}

fn max_text(read: &&ReadConversation) -> i32 {
    max_text_bytes(&read.allowance, read.page.map_or(0, |page| page.rows() as usize))
}

/// Runs a statement. Its rows come in no order: a conversation can follow its messages.
async fn collect(
    connection: &mut PgConnection,
    reads: &[&ReadConversation],
    statement: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
) -> Result<Vec<BudgetedResult<Found>>> {
    let mut found: Vec<BudgetedResult<Found>> =
        reads.iter().map(|read| BudgetedResult::new(&read.allowance)).collect();
    let mut rows = statement.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let at = read_index(&row)?;
        found[at].add(|found, budget| add(&row, reads[at], found, budget))?;
    }
    Ok(found)
}

/// Adds a row: the conversation has no position, and a sibling has no role.
fn add(row: &PgRow, read: &ReadConversation, found: &mut Found, budget: &mut RowBudget) -> Result<()> {
    let (found_conversation, messages, siblings) = found;
    let Some(position) = row.try_get_unchecked::<Option<i64>, _>(2)? else {
        let numbers: Vec<Option<i64>> = row.try_get_unchecked(1)?;
        let [metadata, labels]: [Option<String>; 2] = row.try_get_unchecked(7)?;
        let conversation = Conversation {
            title: row.try_get_unchecked(5)?,
            metadata: Json::stored(metadata.unwrap_or_default()),
            labels: Labels::stored(labels),
            created_at: Timestamp(row.try_get_unchecked(6)?),
            ..conversation_of(read.id, &read.owner, &numbers)?
        };
        budget.take(conversation.size())?;
        *found_conversation = Some(conversation);
        return Ok(());
    };
    if row.try_get_unchecked::<Option<i16>, _>(4)?.is_some() {
        messages.push(message_of(row, 1, read.id, &read.owner, budget)?);
    } else {
        budget.take(SIBLING_BYTES)?;
        let (id, parent) = (MessageId(row.try_get_unchecked(3)?), row.try_get_unchecked(6)?);
        siblings.push(Sibling { parent, position, id });
    }
    Ok(())
}
