//! `scrollback backup`.

use std::path::PathBuf;

use anyhow::Context;

use super::arguments::BackupArguments;
use super::check::open_existing;
use super::output::print_fault;
use super::progress;
use crate::app;
use crate::backup::{BackupFile, write_all_users, write_sqlite_database};
use crate::config::Config;
use crate::store::{self, Process};

const MEBIBYTE: u64 = 1024 * 1024;

pub(super) async fn backup(config: Config, arguments: BackupArguments) -> anyhow::Result<()> {
    let output = BackupFile::create(&arguments.file, arguments.force)?;
    let written = match store::sqlite_files(&app::database(&config, Process::Command)).first().cloned() {
        Some(database) => of_sqlite(config, database, output, arguments.rate).await?,
        None => of_users(config, output).await?,
    };
    print_fault(written);
    Ok(())
}

async fn of_sqlite(
    config: Config,
    database: PathBuf,
    mut output: BackupFile,
    rate: u32,
) -> anyhow::Result<String> {
    let settings = app::database(&config, Process::Command);
    // The copy is beside the backup, or beside the database if that goes to standard output.
    let beside = || database.parent().map(PathBuf::from).unwrap_or_default();
    let folder = output.folder().unwrap_or_else(beside);
    let bar = progress::of_bytes();
    let work = move || {
        let shown = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let rate = u64::from(rate) * MEBIBYTE;
        write_sqlite_database(&settings, &folder, &mut output, rate, shown)?;
        bar.finish_and_clear();
        output.finish()
    };
    tokio::task::spawn_blocking(work).await.context("the backup was interrupted")??;
    Ok("the backup has the whole database; back up the files of attachments after it".into())
}

async fn of_users(config: Config, mut output: BackupFile) -> anyhow::Result<String> {
    let app = open_existing(config).await?;
    let bar = progress::of_messages();
    let shown = |end: crate::model::BackupEnd| {
        bar.set_message(format!("{} users, {} messages", end.users, end.messages));
        bar.tick();
    };
    let written = write_all_users(&app.store, &mut output, shown).await;
    bar.finish_and_clear();
    let audited = match &written {
        Ok(_) => app.store.audit_backup().await,
        Err(_) => Ok(()),
    };
    app.store.close().await;
    let end = written?;
    audited?;
    output.finish()?;
    Ok(format!(
        "the backup has {} users, {} conversations, {} messages",
        end.users, end.conversations, end.messages
    ))
}
