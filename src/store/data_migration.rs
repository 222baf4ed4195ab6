//! Moves a whole database to the other engine: every row of every table as it is, with its ids, positions and revisions.
//! A cursor has an id and a position or a revision, so cursors stay valid.
//!
//! - Nobody writes to the source meanwhile: SQLite's write lock and the lock of its servers, or PostgreSQL's locks on all
//!   tables, are held until the end ([`source`]).
//! - Rows are read by key and written in batches. Each is a transaction of the target, which also stores how far it is
//!   ([`progress`]), so a repeat goes on there.
//! - Until the end the target is marked, and nothing else opens it (`engine::schema_version`).
//! - At the end the figures of all tables must be those of the source: rows, sums of numbers, bytes of texts ([`figures`]).
//!   They also show whether the source has changed before a repeat.
//!
//! The search index is copied too: its blocks do not depend on the engine. Objects of attachments stay where they are.

mod figures;
mod layout;
mod progress;
mod row;
mod source;
mod target;

use anyhow::{Context, bail};
use sea_orm::ConnectionTrait;

use super::engine::connect::{Settings, sqlite_files};
use super::entity::tables::tables;
use source::Source;
use target::Target;

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedData {
    /// The rows of each table.
    pub tables: Vec<(&'static str, u64)>,
    /// Whether an earlier run had begun.
    pub is_resumed: bool,
    /// Sessions of Scrollback that began to use the source meanwhile. What they write now is not in the target.
    pub sessions: u64,
}

/// Moves all rows of `from` to `to`, one SQLite and the other PostgreSQL. `progress` gets the rows that are there, and all.
///
/// # Errors
/// - A server uses one of them, or somebody writes to the source.
/// - One of them has the schema of another version.
/// - The target has rows, and they are not those of an unfinished migration of this source.
/// - A database cannot be read or written. What was written stays, and a repeat goes on.
pub async fn migrate_data(
    from: &Settings,
    to: &Settings,
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<MovedData> {
    refuse_same_engine(from, to)?;
    let tables = tables();
    let source = Source::open(from, &tables).await.context("cannot use the source")?;
    let figures = figures::read(source.connection(), &tables).await.context("cannot read the source")?;
    let all = figures::row_count(&figures);
    let mut target = Target::open(to, &tables, &figures).await.context("cannot use the target")?;
    let is_resumed = target.progress().row_count > 0;
    progress(target.progress().row_count, all);
    let first = target.progress().table.clone();
    for table in tables.iter().filter(|table| table.name >= first.as_str()) {
        let mut after = target.progress().key_of(table, source.connection().get_database_backend())?;
        while let Some(batch) = source.read(table, after.as_ref()).await? {
            after = Some(batch.last.clone());
            target.write(table, batch).await.with_context(|| {
                format!("cannot write to `{}` of the target; a repeat goes on from here", table.name)
            })?;
            progress(target.progress().row_count, all);
        }
    }
    target.finish(&tables, &figures).await?;
    let sessions = source.close().await?;
    let rows = |table: &&'static str| figures[*table].first().copied().unwrap_or(0).unsigned_abs();
    let tables = tables.iter().map(|table| table.name).map(|name| (name, rows(&name))).collect();
    Ok(MovedData { tables, is_resumed, sessions })
}

fn refuse_same_engine(from: &Settings, to: &Settings) -> anyhow::Result<()> {
    let is_sqlite = |settings: &Settings| settings.url.starts_with("sqlite:");
    let file = |settings: &Settings| {
        let file = sqlite_files(settings).into_iter().next();
        file.map(|file| file.canonicalize().unwrap_or(file))
    };
    match (is_sqlite(from), is_sqlite(to)) {
        (true, true) if file(from) == file(to) => bail!("--from and --to are the same database"),
        (false, false) if from.url == to.url => bail!("--from and --to are the same database"),
        (true, true) => bail!(
            "--from and --to are both SQLite: one must be PostgreSQL. To copy SQLite, use `scrollback backup` and \
             `scrollback restore`"
        ),
        (false, false) => bail!(
            "--from and --to are both PostgreSQL: one must be SQLite. To copy PostgreSQL, use `pg_dump` and `pg_restore`"
        ),
        _ => Ok(()),
    }
}
