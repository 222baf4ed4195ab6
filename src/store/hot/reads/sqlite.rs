//! The hot reads on SQLite: threads with a connection each.
//!
//! A read takes some tens of microseconds, less than task switches for all of its rows would take (`cargo bench
//! --bench load -- history list`). A thread answers one read after the other. There is one thread for each core,
//! because the threads share nothing. Their connections cannot write. A read sees one snapshot, and is interrupted at
//! its deadline.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, ToSql};
use uuid::Uuid;

use super::request::{
    ConversationPage, ListConversations, ListedConversation, MessageRange, MessageRanges, PendingRead,
    ReadContext, ReadConversation, ReadRequest, text_of,
};
use crate::model::{Conversation, ConversationId, End, Json, Labels, Message, MessageId, OwnerId, Timestamp};
use crate::store::engine::connect::{MMAP_SIZE, keep_plans};
use crate::store::engine::slot::slot;
use crate::store::entity::message;
use crate::store::error::Result;
use crate::store::row_budget::{ROW_OVERHEAD, RowBudget};

/// `PRAGMA cache_size`: negative, in KiB. Small, because reads go through mapped memory.
const CACHE_SIZE: i64 = -2048;

/// The columns that [`message_of`] decodes.
macro_rules! message_columns {
    () => {
        "m.position, m.id, m.role, m.content, m.metadata, m.parts, m.created_at, m.status, m.branch, \
         m.parent_position, m.model, m.usage, m.edited_at, m.deleted_at, m.pinned"
    };
}

/// The columns that [`conversation_of`] decodes.
macro_rules! conversation_columns {
    () => {
        "c.id, c.title, c.metadata, c.labels, c.created_at, c.updated_at, c.message_count, c.last_position, c.branch, \
         c.head_position, c.branches, c.trunk, c.read_position, c.unread_ignored, c.unarchive_on_message, \
         c.pinned_at, c.archived_at, c.trashed_at, c.expires_at"
    };
}

/// The indices of the content, the metadata and the parts among the columns of a message.
const MESSAGE_TEXTS: Range<usize> = 3..6;

/// The indices of the title, the metadata and the labels among the columns of a conversation.
const CONVERSATION_TEXTS: Range<usize> = 1..4;

/// The number of columns that [`conversation_of`] decodes.
const CONVERSATION_COLUMNS: usize = 19;

const CONVERSATION: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM conversation AS c WHERE c.id = ?1 AND c.owner_id = ?2"
);

/// The messages between two positions, found by their slots. A conversation has 2^32 slots.
macro_rules! within {
    () => {
        concat!(
            " FROM message AS m WHERE m.slot > ",
            slot!("?1", "max(?3, 0)"),
            " AND m.slot < ",
            slot!("?1", "min(?4, 4294967296)"),
            " AND m.conversation_id = ?1 AND m.position > ?3 AND m.position < ?4 \
             AND m.owner_id = ?2 AND (m.branch IS NULL OR NOT ?6)"
        )
    };
}

const FIRST: &str = concat!("SELECT ", message_columns!(), within!(), " ORDER BY m.slot LIMIT ?5");

const LAST: &str = concat!("SELECT ", message_columns!(), within!(), " ORDER BY m.slot DESC LIMIT ?5");

const LIST: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    ", ",
    message_columns!(),
    " FROM conversation AS c LEFT JOIN message AS m ON m.slot = (c.number << 32) + c.head_position \
     AND m.conversation_id = c.id AND m.owner_id = c.owner_id \
     WHERE c.owner_id = ?1 AND c.state = 0 ORDER BY c.updated_at DESC, c.id DESC LIMIT ?2"
);

/// The threads. They end when the queue is closed and empty.
pub(super) struct ReadThreads(Mutex<Vec<JoinHandle<()>>>);

impl ReadThreads {
    /// Opens the file once for each core.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn start(file: &Path, timeout: Duration, work: &Arc<ReadContext>) -> anyhow::Result<Self> {
        let mut threads = Vec::new();
        for number in 1..=available_parallelism().map_or(2, usize::from) {
            let connection = connect(file).with_context(|| format!("cannot read {}", file.display()))?;
            let work = work.clone();
            let thread = thread::Builder::new().name(format!("sqlite-read-{number}"));
            let run = move || run(&connection, timeout, &work);
            threads.push(thread.spawn(run).context("cannot start a thread")?);
        }
        Ok(Self(Mutex::new(threads)))
    }

    /// Waits for the threads to end.
    pub(super) async fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread for reads panicked");
                }
            }
        });
        let _ = joined.await;
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    keep_plans(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", MMAP_SIZE)?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    Ok(connection)
}

/// Virtual machine steps between two checks of the deadline: some tens of microseconds.
const PROGRESS_STEPS: i32 = 1000;

fn run(connection: &Connection, timeout: Duration, work: &ReadContext) {
    let deadline = Arc::new(Mutex::new(Instant::now()));
    let until = deadline.clone();
    let is_late = move || Instant::now() > *until.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = connection.progress_handler(PROGRESS_STEPS, Some(is_late)) {
        tracing::error!(%error, "reads have no deadline");
    }
    while let Ok(read) = work.queue.recv_blocking() {
        if !read.is_awaited() {
            continue;
        }
        work.count_statement();
        *deadline.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + timeout;
        match read {
            ReadRequest::Conversation(waiting) => {
                answer(waiting, |read| snapshot(connection, || open(connection, read)));
            }
            ReadRequest::MessageRanges(waiting) => {
                answer(waiting, |reads| snapshot(connection, || message_ranges(connection, reads)));
            }
            ReadRequest::List(waiting) => answer(waiting, |read| list(connection, read)),
        }
    }
}

fn answer<Q, A>(waiting: PendingRead<Q, A>, read: impl FnOnce(&Q) -> Result<A>) {
    let answered = read(&waiting.read);
    let _ = waiting.reply.send(answered);
}

/// Runs several statements in one snapshot. It always ends the transaction: an open one would keep the snapshot for
/// all later reads.
fn snapshot<A>(connection: &Connection, read: impl FnOnce() -> Result<A>) -> Result<A> {
    if !connection.is_autocommit() {
        run_cached(connection, "ROLLBACK")?;
    }
    run_cached(connection, "BEGIN")?;
    let answered = read();
    if !connection.is_autocommit()
        && let Err(error) = run_cached(connection, "COMMIT")
    {
        tracing::warn!(%error, "cannot end the transaction of a read");
    }
    answered
}

fn run_cached(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn open(connection: &Connection, read: &ReadConversation) -> Result<Option<ConversationPage>> {
    let mut statement = connection.prepare_cached(CONVERSATION)?;
    let mut rows = statement.query((read.id.0.as_bytes(), read.owner.as_str()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut budget = RowBudget::new(&read.allowance);
    budget.take(texts(row, CONVERSATION_TEXTS)?)?;
    let conversation = conversation_of(row, &read.owner)?;
    let messages = match read.page {
        Some(page) if conversation.is_linear() => {
            let before = conversation.last_position + 1;
            let range = MessageRange {
                owner: read.owner.clone(),
                conversation: read.id,
                after: 0,
                before,
                end: page.end,
                rows: page.size + 1,
                trunk: false,
            };
            Some(messages_in(connection, &range, &mut budget)?)
        }
        _ => None,
    };
    budget.keep();
    Ok(Some(ConversationPage { conversation, messages }))
}

fn message_ranges(connection: &Connection, reads: &MessageRanges) -> Result<Vec<Vec<Message>>> {
    let mut budget = RowBudget::new(&reads.allowance);
    let found = reads.each.iter().map(|range| messages_in(connection, range, &mut budget)).collect();
    budget.keep_if_ok(found)
}

fn messages_in(connection: &Connection, read: &MessageRange, budget: &mut RowBudget) -> Result<Vec<Message>> {
    let sql = if read.end == End::First { FIRST } else { LAST };
    let mut statement = connection.prepare_cached(sql)?;
    let values: [&dyn ToSql; 6] = [
        read.conversation.0.as_bytes(),
        &read.owner.as_str(),
        &read.after,
        &read.before,
        &read.rows,
        &read.trunk,
    ];
    let mut rows = statement.query(&values[..])?;
    let mut messages = Vec::with_capacity(read.rows as usize);
    while let Some(row) = rows.next()? {
        budget.take(texts(row, MESSAGE_TEXTS)?)?;
        messages.push(message_of(row, 0, read.conversation, &read.owner)?.try_into()?);
    }
    Ok(messages)
}

fn list(connection: &Connection, read: &ListConversations) -> Result<Vec<ListedConversation>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query((read.owner.as_str(), i64::from(read.limit) + 1))?;
    let mut listed = Vec::with_capacity(read.limit as usize + 1);
    let mut budget = RowBudget::new(&read.allowance);
    while let Some(row) = rows.next()? {
        budget.take(texts(row, CONVERSATION_TEXTS)?)?;
        let conversation = conversation_of(row, &read.owner)?;
        let has_head = row.get::<_, Option<i64>>(CONVERSATION_COLUMNS)?.is_some();
        let head = if has_head {
            let Range { start, end } = MESSAGE_TEXTS;
            budget.take(texts(row, CONVERSATION_COLUMNS + start..CONVERSATION_COLUMNS + end)?)?;
            let row = message_of(row, CONVERSATION_COLUMNS, conversation.id, &read.owner)?;
            Some(row.try_into()?)
        } else {
            None
        };
        listed.push((conversation, head));
    }
    budget.keep();
    Ok(listed)
}

/// The size of a row, computed before any of it is copied. The texts are among these columns.
fn texts(row: &Row<'_>, columns: Range<usize>) -> rusqlite::Result<usize> {
    let mut bytes = ROW_OVERHEAD;
    for column in columns {
        if let ValueRef::Text(text) = row.get_ref(column)? {
            bytes += text.len();
        }
    }
    Ok(bytes)
}

fn conversation_of(row: &Row<'_>, owner: &OwnerId) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: ConversationId(id_of(row, 0)?),
        owner: owner.clone(),
        title: row.get(1)?,
        metadata: json_of(row, 2)?,
        labels: Labels::stored(row.get(3)?),
        created_at: Timestamp(row.get(4)?),
        updated_at: Timestamp(row.get(5)?),
        message_count: row.get(6)?,
        last_position: row.get(7)?,
        branch: row.get(8)?,
        head_position: row.get(9)?,
        branches: row.get(10)?,
        trunk: row.get(11)?,
        read_position: row.get(12)?,
        unread_ignored: row.get(13)?,
        unarchive_on_message: row.get(14)?,
        pinned_at: time_of(row, 15)?,
        archived_at: time_of(row, 16)?,
        trashed_at: time_of(row, 17)?,
        expires_at: time_of(row, 18)?,
    })
}

fn message_of(
    row: &Row<'_>,
    at: usize,
    conversation: ConversationId,
    owner: &OwnerId,
) -> Result<message::Model> {
    let content = row.get_ref(at + 3)?.as_bytes().map_err(rusqlite::Error::from)?;
    Ok(message::Model {
        conversation_id: conversation,
        position: row.get(at)?,
        id: MessageId(id_of(row, at + 1)?),
        owner_id: owner.clone(),
        role: row.get(at + 2)?,
        content: text_of(content)?,
        metadata: json_of(row, at + 4)?,
        parts: row.get(at + 5)?,
        created_at: Timestamp(row.get(at + 6)?),
        fingerprint: None,
        status: row.get(at + 7)?,
        branch: row.get(at + 8)?,
        parent_position: row.get(at + 9)?,
        model: row.get(at + 10)?,
        usage: row.get(at + 11)?,
        edited_at: time_of(row, at + 12)?,
        deleted_at: time_of(row, at + 13)?,
        pinned: row.get::<_, Option<bool>>(at + 14)?.unwrap_or_default(),
    })
}

/// Usually the empty object, which needs no allocation.
fn json_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Json> {
    let text = row.get_ref(column)?.as_str()?;
    Ok(if text == "{}" { Json::empty_object() } else { Json::stored(text.to_owned()) })
}

fn time_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

fn id_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}
