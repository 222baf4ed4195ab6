//! The hot reads on SQLite: threads with a connection each.
//!
//! A read takes some tens of microseconds, less than task switches for all of its rows would take (`cargo bench
//! --bench load -- history list`). A thread answers one read after the other. There is one thread for each core,
//! because the threads share nothing. Their connections cannot write. A read sees one snapshot, and is interrupted at
//! its deadline.

mod branch;
mod rows;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::{Connection, OpenFlags, ToSql};

use super::request::{
    BranchRows, ConversationPage, ListConversations, ListedConversation, MessageRange, MessageRanges,
    PendingRead, ReadContext, ReadConversation, ReadRequest,
};
use crate::model::{End, Message, Siblings};
use crate::store::engine::connect::{MMAP_SIZE, keep_plans};
use crate::store::engine::slot::slot;
use crate::store::error::Result;
use crate::store::row_budget::RowBudget;
pub(super) use branch::statements as branch_statements;
use rows::{
    CONVERSATION_COLUMNS, CONVERSATION_TEXTS, MESSAGE_TEXTS, conversation_columns, conversation_of,
    message_columns, message_of, texts,
};

/// `PRAGMA cache_size`: negative, in KiB. Small, because reads go through mapped memory.
const CACHE_SIZE: i64 = -2048;

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
    let messages = match &read.page {
        Some(page) if page.is_whole() && conversation.is_linear() => {
            let range = MessageRange {
                owner: read.owner.clone(),
                conversation: read.id,
                after: 0,
                before: conversation.last_position + 1,
                end: page.page.end,
                rows: page.rows(),
                trunk: false,
            };
            let rows = messages_in(connection, &range, &mut budget)?;
            Some(BranchRows { rows, siblings: Siblings::None })
        }
        Some(page) => Some(branch::page(connection, read, &conversation, page, &mut budget)?),
        None => None,
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
