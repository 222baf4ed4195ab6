//! The messages of a branch without their texts, from the database.
//!
//! A branch is read in ranges of positions. Ranges of the trunk are ranges of the table; ranges of other branches are
//! found by an index.

use sea_orm::{DbBackend, FromQueryResult, Statement};

use super::entry::{BranchEntries, ContextEntry, EntryPage, Gap, Run};
use crate::model::{ConversationId, PositionRange, Tokenizer};
use crate::store::engine::slot::slot;
use crate::store::entity::message_token_count::TRUNK;
use crate::store::error::Result;
use crate::store::repository::branches::Segment;
use crate::store::repository::token_counts::{CountableRow, CountedMessage, countable, with_count};
use crate::store::row_budget::RowBudget;
use crate::store::scope::Scoped;

/// Messages that are read at once.
const ROWS: i64 = 512;

/// Positions that are read at once: first, and later.
const FIRST_SPAN: i64 = 128;
const SPAN: i64 = 256;
/// Where most positions belong to other branches.
const LONGEST_SPAN: i64 = 64 * 1024;

const PAGE_SQLITE: &str = concat!(
    "SELECT ",
    countable!(),
    " FROM message AS m",
    with_count!(sqlite, "$3"),
    "WHERE m.slot > ",
    slot!("$1", "$4"),
    " AND m.slot <= ",
    slot!("$1", "$5"),
    " AND m.conversation_id = $1 AND m.position > $4 AND m.position <= $5 AND m.branch IS NULL AND m.owner_id = $2 \
     UNION ALL SELECT ",
    countable!(),
    " FROM json_each($6) AS r JOIN message AS m INDEXED BY message_by_branch ON m.conversation_id = $1 \
     AND m.branch = (r.value ->> 0) AND m.position > (r.value ->> 1) AND m.position <= (r.value ->> 2) \
     AND m.owner_id = $2",
    with_count!(sqlite, "$3"),
    "ORDER BY 2 DESC LIMIT $7"
);
const PAGE_POSTGRES: &str = concat!(
    "SELECT ",
    countable!(),
    " FROM message AS m",
    with_count!(postgres, "$3"),
    "WHERE m.conversation_id = $1 AND m.position > $4 AND m.position <= $5 AND m.branch IS NULL AND m.owner_id = $2 \
     UNION ALL SELECT ",
    countable!(),
    " FROM jsonb_array_elements($6::text::jsonb) AS r CROSS JOIN LATERAL (SELECT * FROM message \
     WHERE conversation_id = $1 AND branch = (r ->> 0)::bigint AND position > (r ->> 1)::bigint \
     AND position <= (r ->> 2)::bigint AND owner_id = $2 ORDER BY branch, position DESC LIMIT $7) AS m",
    with_count!(postgres, "$3"),
    "ORDER BY 2 DESC LIMIT $7"
);

/// The messages that are in every window, on whatever branch.
macro_rules! kept {
    ($engine:ident, $index:literal) => {
        concat!(
            "SELECT ",
            countable!(),
            " FROM message AS m ",
            $index,
            with_count!($engine, "$3"),
            "WHERE m.conversation_id = $1 AND m.owner_id = $2 AND (m.role = 3 OR m.pinned) AND m.position > $4 \
             AND m.position <= $5 ORDER BY m.position LIMIT $6"
        )
    };
}
const KEPT_SQLITE: &str = kept!(sqlite, "INDEXED BY message_kept");
const KEPT_POSTGRES: &str = kept!(postgres, "");

/// The sums of counts in some ranges, for each range. SQLite sorts all rows for a GROUP BY over a list, so the sums of a
/// range are one value there.
const SUMS_SQLITE: &str = "WITH s AS MATERIALIZED (SELECT r.key AS number, (SELECT json_array(SUM(t.span), \
     COUNT(t.tokens), COALESCE(SUM(t.tokens), 0), MIN(CASE WHEN t.tokens IS NOT NULL THEN t.position END), \
     MAX(CASE WHEN t.tokens IS NOT NULL THEN t.position END)) FROM message_token_count AS t \
     WHERE t.conversation_id = $1 AND t.tokenizer = $3 AND t.branch = (r.value ->> 0) \
     AND t.position > (r.value ->> 1) AND t.position <= (r.value ->> 2) AND t.owner_id = $2) AS sums \
     FROM json_each($4) AS r) SELECT number, sums ->> 0 AS span, sums ->> 1 AS messages, sums ->> 2 AS tokens, \
     sums ->> 3 AS oldest, sums ->> 4 AS newest FROM s";
const SUMS_POSTGRES: &str = "SELECT r.number - 1 AS number, s.* \
     FROM jsonb_array_elements($4::text::jsonb) WITH ORDINALITY AS r(value, number) CROSS JOIN LATERAL ( \
     SELECT SUM(t.span)::bigint AS span, COUNT(t.tokens) AS messages, COALESCE(SUM(t.tokens), 0)::bigint AS tokens, \
     MIN(t.position) FILTER (WHERE t.tokens IS NOT NULL) AS oldest, \
     MAX(t.position) FILTER (WHERE t.tokens IS NOT NULL) AS newest FROM message_token_count AS t \
     WHERE t.conversation_id = $1 AND t.tokenizer = $3 AND t.branch = (r.value ->> 0)::bigint \
     AND t.position > (r.value ->> 1)::bigint AND t.position <= (r.value ->> 2)::bigint AND t.owner_id = $2) AS s";

#[derive(FromQueryResult)]
struct SumRow {
    /// Of the range.
    number: i64,
    span: Option<i64>,
    messages: i64,
    tokens: i64,
    oldest: Option<i64>,
    newest: Option<i64>,
}

/// A branch of a conversation.
pub(super) struct StoredBranch<'s> {
    scope: &'s Scoped,
    conversation: ConversationId,
    tokenizer: Tokenizer,
    /// From the leaf to the root.
    segments: Vec<Segment>,
    span: i64,
    /// What is read is taken from the allowance until the window is selected.
    budget: RowBudget,
}

impl<'s> StoredBranch<'s> {
    pub(super) fn new(
        scope: &'s Scoped,
        conversation: ConversationId,
        segments: Vec<Segment>,
        tokenizer: Tokenizer,
    ) -> Self {
        let budget = RowBudget::new(&scope.allowance);
        Self { scope, conversation, tokenizer, segments, span: FIRST_SPAN, budget }
    }

    async fn rows(
        &mut self,
        sqlite: &str,
        postgres: &str,
        more: Vec<sea_orm::Value>,
    ) -> Result<Vec<CountableRow>> {
        let backend = self.scope.backend();
        let sql = if backend == DbBackend::Sqlite { sqlite } else { postgres };
        let (owner, tokenizer) = (self.scope.owner.clone(), self.tokenizer.code());
        let values = [self.conversation.into(), owner.into(), tokenizer.into()].into_iter().chain(more);
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let mut rows = CountableRow::find_by_statement(statement).all(&self.scope.reader()).await?;
        self.budget.grow(rows.iter().map(CountableRow::bytes).sum()).await?;
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.position));
        Ok(rows)
    }

    /// Counts what has no count, and leaves out what is in no window.
    async fn entries(&self, rows: Vec<CountableRow>) -> Result<Vec<ContextEntry>> {
        let counted = self.scope.counted(rows, self.tokenizer).await?;
        let entry = |message: CountedMessage| {
            Some(ContextEntry {
                id: message.id,
                position: message.position,
                span: message.span,
                role: message.role,
                tokens: message.tokens?,
                links: message.links,
                edited_at: message.edited_at,
            })
        };
        Ok(counted.into_iter().filter_map(entry).collect())
    }

    fn is_on_branch(&self, row: &CountableRow) -> bool {
        self.segments.iter().any(|segment| segment.contains(row.branch, row.position))
    }

    /// The newest part of a gap: ranges with so many positions together. And the position that they reach.
    fn newest(&self, gap: Gap) -> (Vec<Segment>, i64) {
        let mut ranges = Vec::new();
        let mut left = self.span;
        for segment in &self.segments {
            let (after, upto) = (segment.after.max(gap.after), segment.upto.min(gap.before - 1));
            if upto <= after {
                continue;
            }
            if upto - after >= left {
                ranges.push(Segment { after: upto - left, upto, ..*segment });
                return (ranges, upto - left + 1);
            }
            left -= upto - after;
            ranges.push(Segment { after, upto, ..*segment });
        }
        (ranges, gap.after + 1)
    }

    /// The runs, if no count is missing in the gaps.
    async fn sums(&mut self, gaps: &[Gap], span: i64) -> Result<Option<Vec<Option<Run>>>> {
        let (mut ranges, mut gap_of) = (Vec::new(), Vec::new());
        // Both are in order, gaps from the oldest, segments from the newest.
        let mut segments = self.segments.iter().rev().peekable();
        for (number, gap) in gaps.iter().enumerate() {
            while let Some(segment) = segments.peek() {
                let (after, upto) = (segment.after.max(gap.after), segment.upto.min(gap.before - 1));
                if upto > after {
                    ranges.push(format!("[{},{after},{upto}]", segment.branch.unwrap_or(TRUNK)));
                    gap_of.push(number);
                }
                if segment.upto >= gap.before - 1 {
                    break;
                }
                segments.next();
            }
        }
        let backend = self.scope.backend();
        let sql = if backend == DbBackend::Sqlite { SUMS_SQLITE } else { SUMS_POSTGRES };
        let values = [
            self.conversation.into(),
            self.scope.owner.clone().into(),
            self.tokenizer.code().into(),
            format!("[{}]", ranges.join(",")).into(),
        ];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let mut sums = SumRow::find_by_statement(statement).all(&self.scope.reader()).await?;
        if sums.iter().filter_map(|sum| sum.span).sum::<i64>() != span {
            return Ok(None);
        }
        sums.sort_unstable_by_key(|sum| sum.number);
        let mut runs: Vec<Option<Run>> = vec![None; gaps.len()];
        for SumRow { number, messages, tokens, oldest, newest, .. } in sums {
            let gap = usize::try_from(number).ok().and_then(|number| gap_of.get(number));
            if let (Some(gap), Some(first), Some(last)) = (gap, oldest, newest) {
                let run = Run { range: PositionRange { first, last }, messages, tokens };
                runs[*gap] = Some(runs[*gap].map_or(run, |older| older.joined(run)));
            }
        }
        Ok(Some(runs))
    }
}

impl BranchEntries for StoredBranch<'_> {
    fn leaf(&self) -> i64 {
        self.segments.first().map_or(0, |segment| segment.upto)
    }

    async fn kept(&mut self) -> Result<Vec<ContextEntry>> {
        let mut kept = Vec::new();
        let mut after = 0;
        loop {
            let values = vec![after.into(), self.leaf().into(), ROWS.into()];
            let mut rows = self.rows(KEPT_SQLITE, KEPT_POSTGRES, values).await?;
            let is_last = i64::try_from(rows.len()).unwrap_or(ROWS) < ROWS;
            after = rows.first().map_or(after, |row| row.position);
            rows.retain(|row| self.is_on_branch(row));
            kept.extend(self.entries(rows).await?);
            if is_last {
                return Ok(kept);
            }
        }
    }

    async fn page(&mut self, gap: Gap) -> Result<EntryPage> {
        let (ranges, mut reached) = self.newest(gap);
        if ranges.is_empty() {
            return Ok(EntryPage { entries: Vec::new(), reached });
        }
        let (mut trunk, mut others) = ((0, 0), Vec::new());
        for Segment { branch, after, upto } in ranges {
            match branch {
                None => trunk = (after, upto),
                Some(branch) => others.push(format!("[{branch},{after},{upto}]")),
            }
        }
        let others = format!("[{}]", others.join(","));
        let values = vec![trunk.0.into(), trunk.1.into(), others.into(), ROWS.into()];
        let rows = self.rows(PAGE_SQLITE, PAGE_POSTGRES, values).await?;
        let count = i64::try_from(rows.len()).unwrap_or(ROWS);
        if count == ROWS {
            reached = rows.last().map_or(reached, |row| row.position);
        }
        self.span = if count * 2 < self.span { (self.span * 4).min(LONGEST_SPAN) } else { SPAN };
        Ok(EntryPage { entries: self.entries(rows).await?, reached })
    }

    async fn runs(&mut self, gaps: &[Gap], span: i64) -> Result<Vec<Option<Run>>> {
        if let Some(runs) = self.sums(gaps, span).await? {
            return Ok(runs);
        }
        // Some have no count yet.
        let mut runs = Vec::with_capacity(gaps.len());
        for gap in gaps {
            let (mut run, mut before) = (None, gap.before);
            while before > gap.after + 1 {
                let page = self.page(Gap { before, ..*gap }).await?;
                before = page.reached;
                for entry in page.entries {
                    let one = Run::of(&entry);
                    run = Some(run.map_or(one, |newer| one.joined(newer)));
                }
                // Nothing of it is needed any more.
                self.budget.give_back();
            }
            runs.push(run);
        }
        Ok(runs)
    }
}
