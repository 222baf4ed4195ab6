//! The same searches on SQLite itself: with FTS5, and with LIKE.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use crate::closed_loop::Client;
use crate::corpus::{Batch, Corpus, Order, Query, QueryKind};
use crate::fill::owner_name;

const LIKE_OF_OWNER: &str = "SELECT m.id FROM conversation AS c JOIN message AS m ON m.conversation_id = c.id \
     WHERE c.owner_id = ?";

/// Makes a table for FTS5 with all texts.
pub(crate) fn index(path: &Path, corpus: &Corpus, batches: &[Batch]) {
    let mut connection = open(path);
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE VIRTUAL TABLE fts USING fts5(\
             content, owner UNINDEXED, tokenize = 'unicode61 remove_diacritics 2')",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction.prepare("INSERT INTO fts (content, owner) VALUES (?, ?)").unwrap();
        for batch in batches {
            let owner = owner_name(batch.owner);
            for text in corpus.texts(*batch) {
                insert.execute(params![text, owner]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
    connection.execute("INSERT INTO fts (fts) VALUES ('optimize')", []).unwrap();
}

/// The bytes of the index without the texts.
pub(crate) fn index_bytes(path: &Path) -> u64 {
    let sum = "SELECT (SELECT sum(length(block)) FROM fts_data) + (SELECT sum(length(sz)) FROM fts_docsize)";
    let bytes: i64 = open(path).query_row(sum, [], |row| row.get(0)).unwrap();
    bytes.unsigned_abs()
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    // As Scrollback opens it.
    connection.pragma_update(None, "mmap_size", 1_i64 << 40).unwrap();
    connection.pragma_update(None, "cache_size", -16_384).unwrap();
    connection
}

/// A connection that searches with FTS5.
pub(crate) struct FullText {
    connection: Connection,
    owner: String,
}

/// A connection to Scrollback's database that searches with LIKE.
pub(crate) struct Scan(FullText);

impl FullText {
    pub(crate) fn connect(path: &Path, owner: &str) -> Self {
        Self { connection: open(path), owner: owner.into() }
    }

    fn count(&self, sql: &str, values: Vec<Value>) -> usize {
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let mut rows = statement.query(params_from_iter(values)).unwrap();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        count
    }
}

impl Scan {
    pub(crate) fn connect(path: &Path, owner: &str) -> Self {
        Self(FullText::connect(path, owner))
    }
}

impl Client for FullText {
    const IS_BLOCKING: bool = true;

    async fn search(&mut self, query: &Query) -> usize {
        let quoted: Vec<_> = query.words.iter().map(|word| format!("\"{word}\"")).collect();
        let text = match query.kind {
            QueryKind::Phrase => format!("\"{}\"", query.words.join(" ")),
            QueryKind::Prefix => format!("{}*", quoted[0]),
            _ => quoted.join(" "),
        };
        let order = if query.order == Order::Relevance { "rank" } else { "rowid DESC" };
        let sql = format!("SELECT rowid FROM fts WHERE fts MATCH ? AND owner = ? ORDER BY {order} LIMIT 20");
        self.count(&sql, vec![text.into(), self.owner.clone().into()])
    }
}

impl Client for Scan {
    const IS_BLOCKING: bool = true;

    async fn search(&mut self, query: &Query) -> usize {
        let patterns = query.patterns();
        let matches = " AND m.content LIKE ?".repeat(patterns.len());
        let sql = format!("{LIKE_OF_OWNER}{matches} ORDER BY m.created_at DESC LIMIT 20");
        let patterns = patterns.into_iter().map(Value::from);
        self.0.count(&sql, std::iter::once(self.0.owner.clone().into()).chain(patterns).collect())
    }
}
