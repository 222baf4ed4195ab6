//! The tokens of messages, counted once and kept.
//!
//! A count is made when somebody first asks for it, and written after the answer is known: a write that fails costs
//! nothing but another count. It is written only if the message is still the version that was counted. Edits and
//! deletions remove it in their own transaction. So a count that is read belongs to the text that is read.
//!
//! On PostgreSQL the write locks the rows of the messages, so that an edit at the same moment either comes before it,
//! and then nothing is written, or finds the count and deletes it.

mod removal;

use std::collections::HashMap;

use sea_orm::{DbBackend, FromQueryResult, Statement};
use serde_json::Value;

use crate::model::{Message, MessageId, MessageStatus, Parts, Role, Timestamp, Tokenizer, ToolLinks};
use crate::store::error::{Error, Result};
use crate::store::row_budget::{ROW_OVERHEAD, RowBudget};
use crate::store::scope::Scoped;
use crate::store::transaction::run_without_change;
use crate::tokens;
pub(super) use removal::{clear, clear_conversation, forget, forget_conversation};

/// Bytes of texts that are read and counted at once, and messages.
const BYTES_AT_ONCE: usize = 256 * 1024;
const MESSAGES_AT_ONCE: usize = 256;

// SeaORM has no table functions over a parameter, no locks that skip rows in an INSERT from a SELECT, and no
// parameters in a list of columns that several statements share. So these statements are SQL text.

/// What [`CountableRow`] reads of a message `m` with its count `t`.
macro_rules! countable {
    () => {
        "m.id, m.position, m.role, m.status, m.branch, m.parent_position, m.created_at, m.edited_at, m.deleted_at, \
         CAST(octet_length(m.content) + COALESCE(octet_length(m.parts), 0) AS bigint) AS size, \
         t.position AS counted_at, t.tokens, t.tool_calls"
    };
}
pub(super) use countable;

/// The count of a message `m`, for the tokenizer that a parameter has. On PostgreSQL, LATERAL with a LIMIT makes it a
/// search for one key for each message, whatever the planner knows of the table: joined in another way, it would compare
/// every message with every count of the conversation.
macro_rules! with_count {
    (sqlite, $tokenizer:literal) => {
        concat!(
            " LEFT JOIN message_token_count AS t ON t.conversation_id = m.conversation_id AND t.tokenizer = ",
            $tokenizer,
            " AND t.branch = COALESCE(m.branch, -1) AND t.position = m.position AND t.owner_id = m.owner_id "
        )
    };
    (postgres, $tokenizer:literal) => {
        concat!(
            " LEFT JOIN LATERAL (SELECT c.position, c.tokens, c.tool_calls FROM message_token_count AS c \
             WHERE c.conversation_id = m.conversation_id AND c.tokenizer = ",
            $tokenizer,
            " AND c.branch = COALESCE(m.branch, -1) AND c.position = m.position AND c.owner_id = m.owner_id LIMIT 1) \
             AS t ON true "
        )
    };
}
pub(super) use with_count;

const BY_ID_SQLITE: &str = concat!(
    "SELECT ",
    countable!(),
    " FROM json_each($1) AS wanted JOIN message AS m ON m.id = unhex(wanted.value) AND m.owner_id = $2",
    with_count!(sqlite, "$3")
);
const BY_ID_POSTGRES: &str = concat!(
    "SELECT ",
    countable!(),
    " FROM jsonb_array_elements_text($1::text::jsonb) AS wanted \
     JOIN message AS m ON m.id = wanted::uuid AND m.owner_id = $2",
    with_count!(postgres, "$3")
);

/// What is counted.
const TEXTS_SQLITE: &str = "SELECT m.id, m.role, m.content, m.parts, m.status, m.created_at, m.edited_at, m.deleted_at \
     FROM json_each($1) AS wanted JOIN message AS m ON m.id = unhex(wanted.value) AND m.owner_id = $2";
const TEXTS_POSTGRES: &str = "SELECT m.id, m.role, m.content, m.parts, m.status, m.created_at, m.edited_at, m.deleted_at \
     FROM jsonb_array_elements_text($1::text::jsonb) AS wanted \
     JOIN message AS m ON m.id = wanted::uuid AND m.owner_id = $2";

/// The columns of a count, and what they are for a message `m`.
macro_rules! keep {
    ($tokens:literal, $tool_calls:literal, $from:literal) => {
        concat!(
            "INSERT INTO message_token_count \
             (conversation_id, tokenizer, branch, position, span, tokens, owner_id, tool_calls) \
             SELECT m.conversation_id, CAST($2 AS smallint), COALESCE(m.branch, -1), m.position, \
             CASE WHEN m.branch IS NULL THEN 1 ELSE m.position - COALESCE(m.parent_position, 0) END, ",
            $tokens,
            ", m.owner_id, ",
            $tool_calls,
            " FROM ",
            $from,
            " AND m.owner_id = $3 WHERE m.status <> 1 AND (m.deleted_at IS NULL) = (",
            $tokens,
            " IS NOT NULL) AND m.created_at = "
        )
    };
}
const KEEP_SQLITE: &str = concat!(
    keep!(
        "(w.value ->> 3)",
        "unhex(w.value ->> 4)",
        "json_each($1) AS w JOIN message AS m ON m.id = unhex(w.value ->> 0)"
    ),
    "(w.value ->> 1) AND m.edited_at IS (w.value ->> 2) ON CONFLICT DO NOTHING"
);
const KEEP_POSTGRES: &str = concat!(
    keep!(
        "(w ->> 3)::bigint",
        "decode(w ->> 4, 'hex')",
        "jsonb_array_elements($1::text::jsonb) AS w JOIN message AS m ON m.id = (w ->> 0)::uuid"
    ),
    "(w ->> 1)::bigint AND m.edited_at IS NOT DISTINCT FROM (w ->> 2)::bigint \
     ORDER BY m.conversation_id, m.position FOR SHARE OF m SKIP LOCKED ON CONFLICT DO NOTHING"
);

/// A list of ids as one parameter.
fn id_list(ids: &[MessageId]) -> String {
    Value::from_iter(ids.iter().map(|id| id.0.simple().to_string())).to_string()
}

/// A message, with its count if there is one.
#[derive(Debug, FromQueryResult)]
pub(super) struct CountableRow {
    pub(super) id: MessageId,
    pub(super) position: i64,
    role: i16,
    status: i16,
    pub(super) branch: Option<i64>,
    parent_position: Option<i64>,
    created_at: Timestamp,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    /// Bytes of what is counted.
    size: i64,
    counted_at: Option<i64>,
    tokens: Option<i64>,
    tool_calls: Option<Vec<u8>>,
}

/// A message that was counted.
#[derive(Debug)]
pub(super) struct CountedMessage {
    pub(super) id: MessageId,
    pub(super) position: i64,
    pub(super) span: i64,
    pub(super) role: Role,
    pub(super) edited_at: Option<Timestamp>,
    /// None for a message that is deleted or being written.
    pub(super) tokens: Option<i64>,
    pub(super) links: ToolLinks,
}

#[derive(Debug, FromQueryResult)]
struct TextRow {
    id: MessageId,
    role: i16,
    content: String,
    parts: Option<String>,
    status: i16,
    created_at: Timestamp,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

/// A count, and the version of the message that it belongs to.
struct NewCount {
    id: MessageId,
    created_at: Timestamp,
    edited_at: Option<Timestamp>,
    tokens: Option<i64>,
    links: ToolLinks,
}

impl CountableRow {
    fn is_streaming(&self) -> bool {
        self.status == MessageStatus::Streaming.code()
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        ROW_OVERHEAD + self.tool_calls.as_ref().map_or(0, Vec::len)
    }

    fn counted(self) -> Result<CountedMessage> {
        let broken = |what: &str| Error::broken(format!("message {} has an unreadable {what}", self.id));
        let role = Role::from_code(self.role).ok_or_else(|| broken("role"))?;
        let links = self.tool_calls.as_deref().map(ToolLinks::from_bytes);
        let links = links.map(|links| links.ok_or_else(|| broken("list of tool calls"))).transpose()?;
        // On the trunk a message follows the one before.
        let span = if self.branch.is_some() { self.position - self.parent_position.unwrap_or(0) } else { 1 };
        Ok(CountedMessage {
            id: self.id,
            position: self.position,
            span,
            role,
            edited_at: self.edited_at,
            tokens: self.tokens,
            links: links.unwrap_or_default(),
        })
    }
}

impl Scoped {
    /// The tokens of messages. Those that are deleted have none; unknown and foreign ids are left out, and so are
    /// messages that are being written: their text is [`Scoped::texts`].
    pub async fn token_counts(
        &self,
        ids: &[MessageId],
        tokenizer: Tokenizer,
    ) -> Result<HashMap<MessageId, i64>> {
        let sql = if self.backend() == DbBackend::Sqlite { BY_ID_SQLITE } else { BY_ID_POSTGRES };
        let values = [id_list(ids).into(), self.owner.clone().into(), tokenizer.code().into()];
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        let rows = CountableRow::find_by_statement(statement).all(&self.reader()).await?;
        let mut budget = RowBudget::new(&self.allowance);
        budget.grow(rows.iter().map(CountableRow::bytes).sum()).await?;
        let streaming: Vec<MessageId> =
            rows.iter().filter(|row| row.is_streaming()).map(|row| row.id).collect();
        let counted = self.counted(rows, tokenizer).await?;
        let mut counts: HashMap<_, _> =
            counted.into_iter().map(|message| (message.id, message.tokens.unwrap_or(0))).collect();
        counts.retain(|id, _| !streaming.contains(id));
        Ok(counts)
    }

    /// The tokens of texts that are in no message yet.
    pub async fn count_text(&self, text: &str, tokenizer: Tokenizer) -> Result<i64> {
        let text = text.to_owned();
        Ok(tokens::run(tokenizer, text.len(), move || tokens::count(tokenizer, &text)).await?)
    }

    /// Counts the messages that have no count yet, and keeps the counts. In the order of the rows.
    pub(super) async fn counted(
        &self,
        mut rows: Vec<CountableRow>,
        tokenizer: Tokenizer,
    ) -> Result<Vec<CountedMessage>> {
        let is_new = |row: &CountableRow| row.counted_at.is_none() && !row.is_streaming();
        let mut uncounted: Vec<usize> = (0..rows.len()).filter(|at| is_new(&rows[*at])).collect();
        while !uncounted.is_empty() {
            let mut bytes = 0;
            let some = uncounted.iter().take_while(|at| {
                let is_first = bytes == 0;
                bytes += usize::try_from(rows[**at].size).unwrap_or(0).max(1);
                is_first || bytes <= BYTES_AT_ONCE
            });
            let rest = uncounted.split_off(some.count().min(MESSAGES_AT_ONCE));
            let some = std::mem::replace(&mut uncounted, rest);
            let mut counts = self.count_some(some.iter().map(|at| &rows[*at]), tokenizer).await?;
            self.keep_counts(&counts, tokenizer).await;
            for at in some {
                let row = &mut rows[at];
                let Some(found) = counts.iter().position(|count| count.id == row.id) else {
                    // It was removed meanwhile.
                    row.deleted_at = Some(row.created_at);
                    continue;
                };
                let count = counts.swap_remove(found);
                row.edited_at = count.edited_at;
                row.tokens = count.tokens;
                row.tool_calls = Some(count.links.to_bytes());
            }
        }
        rows.into_iter().map(CountableRow::counted).collect()
    }

    async fn count_some(
        &self,
        rows: impl Iterator<Item = &CountableRow>,
        tokenizer: Tokenizer,
    ) -> Result<Vec<NewCount>> {
        let mut counts = Vec::new();
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for row in rows {
            if row.deleted_at.is_some() {
                let (id, created_at, edited_at) = (row.id, row.created_at, row.edited_at);
                counts.push(NewCount {
                    id,
                    created_at,
                    edited_at,
                    tokens: None,
                    links: ToolLinks::default(),
                });
            } else {
                ids.push(row.id);
                bytes += usize::try_from(row.size).unwrap_or(0);
            }
        }
        if ids.is_empty() {
            return Ok(counts);
        }
        // Given back once they are counted.
        let mut budget = RowBudget::new(&self.allowance);
        budget.grow(bytes).await?;
        let sql = if self.backend() == DbBackend::Sqlite { TEXTS_SQLITE } else { TEXTS_POSTGRES };
        let values = [id_list(&ids).into(), self.owner.clone().into()];
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        let texts = TextRow::find_by_statement(statement).all(&self.reader()).await?;
        let count =
            move || texts.into_iter().map(|text| count_row(&text, tokenizer)).collect::<Result<Vec<_>>>();
        counts.extend(tokens::run(tokenizer, bytes, count).await??);
        Ok(counts)
    }

    /// Writes counts, unless it fails: then they are made again.
    async fn keep_counts(&self, counts: &[NewCount], tokenizer: Tokenizer) {
        let rows: Vec<String> = counts.iter().map(NewCount::parameter).collect();
        let values =
            [format!("[{}]", rows.join(",")).into(), tokenizer.code().into(), self.owner.clone().into()];
        let sql = if self.backend() == DbBackend::Sqlite { KEEP_SQLITE } else { KEEP_POSTGRES };
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        if let Err(error) = run_without_change(&self.store, &self.owner, statement).await {
            tracing::debug!(%error, "token counts were not kept");
        }
    }
}

impl NewCount {
    /// As an element of the statement's list.
    fn parameter(&self) -> String {
        let number =
            |number: Option<i64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let hex: String = self.links.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let links = if hex.is_empty() { "null".to_owned() } else { format!("\"{hex}\"") };
        format!(
            "[\"{}\",{},{},{},{links}]",
            self.id.0.simple(),
            self.created_at.0,
            number(self.edited_at.map(|Timestamp(time)| time)),
            number(self.tokens),
        )
    }
}

fn count_row(row: &TextRow, tokenizer: Tokenizer) -> Result<NewCount> {
    let broken = |what: &str| Error::broken(format!("message {} has unreadable {what}", row.id));
    let role = Role::from_code(row.role).ok_or_else(|| broken("role"))?;
    let parts = row.parts.as_deref().map(|text| Parts::from_json(text).ok_or_else(|| broken("parts")));
    let parts = parts.transpose()?;
    let is_counted = row.deleted_at.is_none() && row.status != MessageStatus::Streaming.code();
    let tokens = is_counted.then(|| tokens::count_message(tokenizer, &row.content, parts.as_ref()));
    let links = parts.map(|parts| ToolLinks::of(role, parts.as_slice())).unwrap_or_default();
    Ok(NewCount { id: row.id, created_at: row.created_at, edited_at: row.edited_at, tokens, links })
}

/// Whether a message is still the version that was counted.
pub(super) fn is_version(message: &Message, edited_at: Option<Timestamp>) -> bool {
    message.edited_at == edited_at && message.deleted_at.is_none()
}
