//! The hot reads on SQLite: threads that each hold a connection of their own.
//!
//! A read takes some tens of microseconds, less than a hop between threads for every row would. A thread
//! answers one ask after the other; there is one thread for each core, because they share nothing. The
//! connections cannot write. One ask is one snapshot, and is given up when it takes too long.

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
    ReadConversation, ReadRequest, Work, text_of,
};
use crate::model::{Conversation, ConversationId, End, Json, Message, MessageId, OwnerId, Timestamp};
use crate::store::engine::connect::MAPPED;
use crate::store::engine::slot::slot;
use crate::store::entity::message;
use crate::store::error::Result;
use crate::store::row_budget::{ROW, RowBudget};

/// Pages that a thread keeps besides, in KiB and negative: it hardly needs any.
const CACHE_SIZE: i64 = -2048;

/// What [`message_of`] reads, from a first column on.
macro_rules! message_columns {
    () => {
        "m.position, m.id, m.role, m.content, m.metadata, m.parts, m.created_at, m.status, m.branch, \
         m.parent_position, m.model, m.usage, m.edited_at, m.deleted_at, m.pinned"
    };
}

/// What [`conversation_of`] reads, from the first column on.
macro_rules! conversation_columns {
    () => {
        "c.id, c.title, c.metadata, c.created_at, c.updated_at, c.message_count, c.last_position, c.branch, \
         c.head_position, c.branches, c.trunk"
    };
}

/// Where the content, the metadata and the parts of a message are among its columns.
const MESSAGE_TEXTS: Range<usize> = 3..6;

/// How many columns [`conversation_of`] reads.
const CONVERSATION: usize = 11;

const OPEN: &str = concat!(
    "SELECT ",
    conversation_columns!(),
    " FROM conversation AS c WHERE c.id = ?1 AND c.owner_id = ?2"
);

/// The messages between two positions, found by their slots, of which a conversation has 2^32.
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
     WHERE c.owner_id = ?1 ORDER BY c.updated_at DESC, c.id DESC LIMIT ?2"
);

/// The threads; they end when the queue is closed and empty.
pub(super) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    /// Opens the file once for each core.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn start(file: &Path, patience: Duration, work: &Arc<Work>) -> anyhow::Result<Self> {
        let mut threads = Vec::new();
        for number in 1..=available_parallelism().map_or(2, usize::from) {
            let connection = connect(file).with_context(|| format!("cannot read {}", file.display()))?;
            let work = work.clone();
            let thread = thread::Builder::new().name(format!("sqlite-read-{number}"));
            let run = move || run(&connection, patience, &work);
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
                    tracing::error!("a thread that read had panicked");
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
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    Ok(connection)
}

/// Steps of a statement after which the clock is looked at: some tens of microseconds.
const STEPS: i32 = 1000;

fn run(connection: &Connection, patience: Duration, work: &Work) {
    let deadline = Arc::new(Mutex::new(Instant::now()));
    let until = deadline.clone();
    let is_late = move || Instant::now() > *until.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = connection.progress_handler(STEPS, Some(is_late)) {
        tracing::error!(%error, "statements will not be given up when they take too long");
    }
    while let Ok(ask) = work.queue.recv_blocking() {
        if !ask.is_awaited() {
            continue;
        }
        work.count_statement();
        *deadline.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + patience;
        match ask {
            ReadRequest::Open(waiting) => {
                answer(waiting, |ask| snapshot(connection, || open(connection, ask)));
            }
            ReadRequest::MessageRanges(waiting) => {
                answer(waiting, |asks| snapshot(connection, || message_ranges(connection, asks)));
            }
            ReadRequest::List(waiting) => answer(waiting, |ask| list(connection, ask)),
        }
    }
}

fn answer<Q, A>(waiting: PendingRead<Q, A>, read: impl FnOnce(&Q) -> Result<A>) {
    let answered = read(&waiting.ask);
    let _ = waiting.reply.send(answered);
}

/// What several statements read is one state of the file. The transaction is ended whatever becomes of them:
/// left open, it would show that state for good.
fn snapshot<A>(connection: &Connection, read: impl FnOnce() -> Result<A>) -> Result<A> {
    if !connection.is_autocommit() {
        run_cached(connection, "ROLLBACK")?;
    }
    run_cached(connection, "BEGIN")?;
    let answered = read();
    if !connection.is_autocommit()
        && let Err(error) = run_cached(connection, "COMMIT")
    {
        tracing::warn!(%error, "a read's transaction did not end");
    }
    answered
}

fn run_cached(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn open(connection: &Connection, ask: &ReadConversation) -> Result<Option<ConversationPage>> {
    let mut statement = connection.prepare_cached(OPEN)?;
    let mut rows = statement.query((ask.id.0.as_bytes(), ask.owner.as_str()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut draw = RowBudget::of(&ask.allowance);
    draw.take(texts(row, 1..3)?)?;
    let conversation = conversation_of(row, &ask.owner)?;
    let messages = match ask.page {
        Some(page) if conversation.is_linear() => {
            let before = conversation.last_position + 1;
            let range = MessageRange {
                owner: ask.owner.clone(),
                conversation: ask.id,
                after: 0,
                before,
                end: page.end,
                rows: page.size + 1,
                trunk: false,
            };
            Some(messages_in(connection, &range, &mut draw)?)
        }
        _ => None,
    };
    draw.keep();
    Ok(Some(ConversationPage { conversation, messages }))
}

fn message_ranges(connection: &Connection, asks: &MessageRanges) -> Result<Vec<Vec<Message>>> {
    let mut draw = RowBudget::of(&asks.allowance);
    let found = asks.each.iter().map(|range| messages_in(connection, range, &mut draw)).collect();
    draw.keep_if_ok(found)
}

fn messages_in(connection: &Connection, ask: &MessageRange, draw: &mut RowBudget) -> Result<Vec<Message>> {
    let sql = if ask.end == End::First { FIRST } else { LAST };
    let mut statement = connection.prepare_cached(sql)?;
    let values: [&dyn ToSql; 6] =
        [ask.conversation.0.as_bytes(), &ask.owner.as_str(), &ask.after, &ask.before, &ask.rows, &ask.trunk];
    let mut rows = statement.query(&values[..])?;
    let mut messages = Vec::with_capacity(ask.rows as usize);
    while let Some(row) = rows.next()? {
        draw.take(texts(row, MESSAGE_TEXTS)?)?;
        messages.push(message_of(row, 0, ask.conversation, &ask.owner)?.try_into()?);
    }
    Ok(messages)
}

fn list(connection: &Connection, ask: &ListConversations) -> Result<Vec<ListedConversation>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query((ask.owner.as_str(), i64::from(ask.most) + 1))?;
    let mut listed = Vec::with_capacity(ask.most as usize + 1);
    let mut draw = RowBudget::of(&ask.allowance);
    while let Some(row) = rows.next()? {
        draw.take(texts(row, 1..3)?)?;
        let conversation = conversation_of(row, &ask.owner)?;
        let has_head = row.get::<_, Option<i64>>(CONVERSATION)?.is_some();
        let head = if has_head {
            let Range { start, end } = MESSAGE_TEXTS;
            draw.take(texts(row, CONVERSATION + start..CONVERSATION + end)?)?;
            let row = message_of(row, CONVERSATION, conversation.id, &ask.owner)?;
            Some(row.try_into()?)
        } else {
            None
        };
        listed.push((conversation, head));
    }
    draw.keep();
    Ok(listed)
}

/// What a row takes, looked at before any of it is copied: its texts are among these columns.
fn texts(row: &Row<'_>, columns: Range<usize>) -> rusqlite::Result<usize> {
    let mut bytes = ROW;
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
        created_at: Timestamp(row.get(3)?),
        updated_at: Timestamp(row.get(4)?),
        message_count: row.get(5)?,
        last_position: row.get(6)?,
        branch: row.get(7)?,
        head_position: row.get(8)?,
        branches: row.get(9)?,
        trunk: row.get(10)?,
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
        edited_at: row.get::<_, Option<i64>>(at + 12)?.map(Timestamp),
        deleted_at: row.get::<_, Option<i64>>(at + 13)?.map(Timestamp),
        pinned: row.get::<_, Option<bool>>(at + 14)?.unwrap_or_default(),
    })
}

/// Mostly the empty object, which needs no memory of its own.
fn json_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Json> {
    let text = row.get_ref(column)?.as_str()?;
    Ok(if text == "{}" { Json::empty_object() } else { Json::stored(text.to_owned()) })
}

fn id_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}
