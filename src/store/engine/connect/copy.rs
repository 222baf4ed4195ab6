//! A copy of an SQLite database while a server writes to it.
//!
//! SQLite's online backup copies pages in steps. If another connection commits between two steps it begins anew, so
//! under load it would never end. Here the connection that is read holds a transaction from the first step to the last:
//! all steps see one state, nothing begins anew, and in a database with a log (WAL) no writer waits for a reader.
//!
//! The price is that the log cannot be restarted while the transaction lasts, so it grows by what is written meanwhile.
//! That is why pages are copied as they are, and compressed afterwards: `VACUUM INTO` would take one transaction, too,
//! but a longer one, because it builds every index again, and nothing could slow it down where the disk is busy.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::database_file;
use super::settings::Settings;
use crate::store::engine::schema_version::{UNFINISHED, UNFINISHED_ERROR};

/// Pages of a step, of 4 KiB each.
const STEP_PAGES: i32 = 256;

/// How long the copy waits for a lock, which others hold for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Copies an SQLite database, as it is when the copy begins, into a new file. It can run beside a server. It blocks the
/// thread.
///
/// `bytes_per_second` limits how much is read; 0 is no limit. `progress` gets the bytes that were copied, and all.
///
/// # Errors
/// There is no such database, it cannot be read, or the file cannot be written.
pub fn copy_sqlite_database(
    settings: &Settings,
    target: &Path,
    bytes_per_second: u64,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<()> {
    let Some(file) = settings.sqlite_file()? else { bail!("the database is not SQLite") };
    if !file.exists() {
        bail!("there is no database {}", file.display());
    }
    database_file::prepare(&file)?;
    let cannot_read = || format!("cannot read the database {}", file.display());
    let cannot_write = || format!("cannot write {}", target.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(&file, flags).with_context(cannot_read)?;
    source.busy_timeout(BUSY_TIMEOUT).with_context(cannot_read)?;
    source.pragma_update(None, "query_only", "1").with_context(cannot_read)?;
    let tables: i64 = source
        .execute_batch("BEGIN")
        .and_then(|()| source.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)))
        .with_context(cannot_read)?;
    if tables == 0 {
        bail!("the database {} is empty", file.display());
    }
    if is_unfinished(&source).with_context(cannot_read)? {
        bail!(UNFINISHED_ERROR);
    }
    let page_bytes: u32 =
        source.query_row("PRAGMA page_size", [], |row| row.get(0)).with_context(cannot_read)?;
    let mut copy = Connection::open(target).with_context(cannot_write)?;
    // The file is synchronised once, at the end.
    copy.pragma_update(None, "synchronous", "OFF").with_context(cannot_write)?;
    let backup = Backup::new(&source, &mut copy).with_context(cannot_write)?;
    let begun = Instant::now();
    loop {
        let step = backup.step(STEP_PAGES).with_context(cannot_write)?;
        let pages = backup.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(page_bytes);
        let copied = bytes(pages.pagecount - pages.remaining);
        progress(copied, bytes(pages.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => bail!("{}: it is locked", cannot_read()),
        }
        if bytes_per_second > 0 {
            let due = Duration::from_secs_f64(copied as f64 / bytes_per_second as f64);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
    drop(backup);
    source.execute_batch("ROLLBACK").with_context(cannot_read)?;
    // The copy is one file: without a log beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).with_context(cannot_write)?;
    copy.close().map_err(|(_, error)| error).with_context(cannot_write)
}

/// The same as `schema_version::is_unfinished`.
fn is_unfinished(source: &Connection) -> rusqlite::Result<bool> {
    let find = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    source.query_row(find, [UNFINISHED], |row| row.get(0))
}
