//! Pages of branches, and the ids of siblings.
//!
//! A branch is walked from the leaf to the root, one range of positions after the other, until the page is full. So a
//! last page costs as much as it has rows and forks, however long the conversation is.

use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql};

use super::rows::{MESSAGE_TEXTS, id_of, message_columns, message_of, texts};
use crate::model::{Conversation, Deleted, End, Message, MessageId, Siblings};
use crate::store::engine::slot::slot;
use crate::store::error::Result;
use crate::store::hot::reads::request::{BranchPage, BranchRows, Leaf, ReadConversation};
use crate::store::hot::reads::siblings::{SIBLING_BYTES, Sibling, siblings_of};
use crate::store::row_budget::RowBudget;

/// The messages after position ?3 and before ?4, at most ?5, with deleted ones if ?6.
macro_rules! range {
    ($condition:expr, $order:literal) => {
        concat!(
            "SELECT ",
            message_columns!(),
            " FROM message AS m WHERE m.conversation_id = ?1 AND m.owner_id = ?2 AND m.position > ?3 \
             AND m.position < ?4 AND (?6 OR m.deleted_at IS NULL) AND ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT ?5"
        )
    };
}

/// Those of branch ?7, found by its index.
macro_rules! on_branch {
    () => {
        "m.branch = ?7"
    };
}

/// Those of the trunk, found by their slots. A conversation has 2^32 slots.
macro_rules! on_trunk {
    () => {
        concat!(
            "m.branch IS ?7 AND m.slot > ",
            slot!("?1", "max(?3, 0)"),
            " AND m.slot < ",
            slot!("?1", "min(?4, 4294967296)")
        )
    };
}

const FIRST_OF_BRANCH: &str = range!(on_branch!(), "m.position");
const LAST_OF_BRANCH: &str = range!(on_branch!(), "m.position DESC");
const FIRST_OF_TRUNK: &str = range!(on_trunk!(), "m.slot");
const LAST_OF_TRUNK: &str = range!(on_trunk!(), "m.slot DESC");

const FORK: &str =
    "SELECT parent_branch, fork_position FROM branch WHERE conversation_id = ?1 AND branch = ?2";

/// The messages on branches whose parents are between two positions.
const CHILDREN: &str = "SELECT m.parent_position, m.position, m.id FROM message AS m WHERE m.conversation_id = ?1 \
    AND m.owner_id = ?2 AND m.parent_position BETWEEN ?3 AND ?4 AND m.branch IS NOT NULL";

const ID_AT: &str = concat!(
    "SELECT m.id FROM message AS m WHERE m.slot = ",
    slot!("?1", "?3"),
    " AND m.conversation_id = ?1 AND m.position = ?3 AND m.owner_id = ?2"
);

/// All of them, for a test of their plans.
pub(in crate::store::hot::reads) fn statements() -> Vec<&'static str> {
    vec![FIRST_OF_BRANCH, LAST_OF_BRANCH, FIRST_OF_TRUNK, LAST_OF_TRUNK, FORK, CHILDREN, ID_AT]
}

/// The most positions between two parents whose children are read in one range.
const MAX_GAP: i64 = 32;

/// The messages of a branch up to a position.
#[derive(Clone, Copy)]
struct Segment {
    /// `None`: the trunk.
    branch: Option<i64>,
    upto: i64,
}

/// Reads a page of a branch.
pub(super) fn page(
    connection: &Connection,
    read: &ReadConversation,
    conversation: &Conversation,
    page: &BranchPage,
    budget: &mut RowBudget,
) -> Result<BranchRows> {
    let is_first = page.page.end == End::First;
    let mut walk = Walk {
        connection,
        read,
        conversation,
        page,
        messages: connection.prepare_cached(if is_first { FIRST_OF_BRANCH } else { LAST_OF_BRANCH })?,
        forks: connection.prepare_cached(FORK)?,
    };
    let mut rows = Vec::with_capacity(page.rows() as usize);
    let leaf =
        page.leaf.unwrap_or(Leaf { branch: conversation.branch, position: conversation.head_position });
    let branch = (conversation.branches > 0).then_some(leaf.branch);
    let mut next = Some(Segment { branch, upto: leaf.position });
    if page.page.end == End::Last {
        while let Some(segment) = next.filter(|_| rows.len() < page.rows() as usize) {
            walk.add(segment, &mut rows, budget)?;
            next = walk.parent(segment)?;
        }
    } else {
        let mut segments = Vec::new();
        while let Some(segment) = next {
            segments.push(segment);
            next = walk.parent(segment)?;
        }
        for segment in segments.into_iter().rev() {
            walk.add(segment, &mut rows, budget)?;
        }
    }
    let siblings = match page.with_siblings {
        true if conversation.branches == 0 => Siblings::None,
        true => walk.siblings(&rows, budget)?,
        false => Siblings::NotRead,
    };
    Ok(BranchRows { rows, siblings })
}

struct Walk<'a> {
    connection: &'a Connection,
    read: &'a ReadConversation,
    conversation: &'a Conversation,
    page: &'a BranchPage,
    /// The messages of a branch.
    messages: CachedStatement<'a>,
    forks: CachedStatement<'a>,
}

impl Walk<'_> {
    /// The segment that a segment continues. `None` at the root.
    fn parent(&mut self, segment: Segment) -> Result<Option<Segment>> {
        let Some(branch) = segment.branch else { return Ok(None) };
        if branch == 0 {
            return Ok(Some(Segment { branch: None, upto: segment.upto.min(self.conversation.trunk) }));
        }
        let fork = self.forks.query_row((self.read.id.0.as_bytes(), branch), |row| {
            Ok(Segment { branch: Some(row.get(0)?), upto: row.get(1)? })
        });
        Ok(fork.optional()?)
    }

    /// Adds the messages of a segment that are on the page.
    fn add(&mut self, segment: Segment, rows: &mut Vec<Message>, budget: &mut RowBudget) -> Result<()> {
        let Self { read, page, .. } = *self;
        let limit = page.rows() as usize - rows.len();
        let before = page.before().min(segment.upto.saturating_add(1));
        if limit == 0 || before <= page.after().saturating_add(1) {
            return Ok(());
        }
        let mut trunk;
        let statement = if segment.branch.is_some() {
            &mut self.messages
        } else {
            let is_first = page.page.end == End::First;
            trunk = self.connection.prepare_cached(if is_first { FIRST_OF_TRUNK } else { LAST_OF_TRUNK })?;
            &mut trunk
        };
        let values: [&dyn ToSql; 7] = [
            read.id.0.as_bytes(),
            &read.owner.as_str(),
            &page.after(),
            &before,
            &i64::try_from(limit).unwrap_or(i64::MAX),
            &(page.deleted == Deleted::Included),
            &segment.branch,
        ];
        let mut found = statement.query(&values[..])?;
        while let Some(row) = found.next()? {
            budget.take(texts(row, MESSAGE_TEXTS)?)?;
            rows.push(message_of(row, 0, read.id, &read.owner)?.try_into()?);
        }
        Ok(())
    }

    fn siblings(&self, rows: &[Message], budget: &mut RowBudget) -> Result<Siblings> {
        let (id, owner) = (self.read.id.0.as_bytes(), self.read.owner.as_str());
        let mut others = Vec::new();
        let mut add = |parent, position, id| -> Result<()> {
            budget.take(SIBLING_BYTES)?;
            others.push(Sibling { parent, position, id: MessageId(id) });
            Ok(())
        };
        let mut pairs: Vec<_> = rows.iter().map(|row| (row.parent_position(), row.position)).collect();
        pairs.sort_unstable();
        let mut statement = self.connection.prepare_cached(CHILDREN)?;
        for run in pairs.chunk_by(|(one, _), (next, _)| next - one <= MAX_GAP) {
            let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
            let mut found = statement.query((id, owner, first, last))?;
            while let Some(row) = found.next()? {
                let (parent, position) = (row.get(0)?, row.get(1)?);
                let at = run.binary_search_by_key(&parent, |(parent, _)| *parent);
                if at.is_ok_and(|at| run[at].1 != position) {
                    add(parent, position, id_of(row, 2)?)?;
                }
            }
        }
        // The trunk goes on behind a fork.
        let trunk = self.conversation.trunk;
        for row in rows.iter().filter(|row| row.branch.is_some() && row.parent_position() < trunk) {
            let next = row.parent_position() + 1;
            let mut statement = self.connection.prepare_cached(ID_AT)?;
            if let Some(id) = statement.query_row((id, owner, next), |row| id_of(row, 0)).optional()? {
                add(row.parent_position(), next, id)?;
            }
        }
        Ok(siblings_of(rows, others))
    }
}
