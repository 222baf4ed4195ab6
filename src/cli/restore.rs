//! `scrollback restore`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::arguments::RestoreArguments;
use super::check;
use super::output::{print_fault, print_line};
use super::progress;
use crate::app::{self, App};
use crate::backup::{Backup, RestoredUsers, UsersBackup, restore_users};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{CheckOptions, Process, SqliteTarget, Store};

/// Not everything could be restored.
const INCOMPLETE: u8 = 3;

pub(super) async fn restore(config: Config, arguments: RestoreArguments) -> anyhow::Result<ExitCode> {
    let RestoreArguments { file, force } = arguments;
    let target = SqliteTarget::of(&app::database(&config, Process::Command))?;
    if let Some(target) = target.as_ref().filter(|_| !force) {
        target.check(force)?;
    }
    let (backup, target) = tokio::task::spawn_blocking(move || open(&file, target))
        .await
        .context("the restore was interrupted")??;
    let restored = match (backup, target) {
        (Backup::Sqlite(database), Some(target)) => {
            let aside = target.replace(database.path(), force)?;
            // It has another name now.
            let _ = database.keep();
            print_line("restored the database")?;
            if let Some(aside) = aside {
                print_line(format_args!("the database that was there is now {}", aside.display()))?;
            }
            true
        }
        (Backup::Sqlite(_), None) => bail!(
            "the backup is an SQLite database and cannot be restored to PostgreSQL: restore it to SQLite, then move it \
             with `scrollback migrate-data`"
        ),
        (Backup::Users(backup), _) => of_users(&config, &backup, force).await?,
    };
    let app = App::open_for_command(config, Clock::system()).await?;
    let checked = check::run(&app.store, CheckOptions::default()).await;
    app.store.close().await;
    let checked = checked?;
    Ok(if restored { checked } else { ExitCode::from(INCOMPLETE) })
}

/// Reads the whole backup and checks it, before anything is changed.
fn open(file: &Path, target: Option<SqliteTarget>) -> anyhow::Result<(Backup, Option<SqliteTarget>)> {
    let folder = || match &target {
        Some(target) => target.folder(),
        None => Ok(std::env::temp_dir()),
    };
    Ok((Backup::open(file, folder)?, target))
}

/// Writes the users of a backup. False: something was rejected.
async fn of_users(config: &Config, backup: &UsersBackup, force: bool) -> anyhow::Result<bool> {
    let clock = Clock::system();
    let app = App::open_for_command(config.clone(), clock.clone()).await?;
    let restored = write_users(&app.store, &clock, backup, force).await;
    app.store.close().await;
    let RestoredUsers { users, conversations, messages, present, rejected } = restored?;
    let all = backup.end.users;
    print_line(format_args!(
        "restored {users} of {all} users, {conversations} conversations, {messages} messages; {present} conversations \
         were there already, {rejected} were rejected"
    ))?;
    Ok(rejected == 0)
}

async fn write_users(
    store: &Store,
    clock: &Clock,
    backup: &UsersBackup,
    force: bool,
) -> anyhow::Result<RestoredUsers> {
    if !force && !store.has_no_users().await? {
        bail!("the database is not empty: restore to an empty one, or add what it lacks with --force");
    }
    let bar = progress::of_messages();
    let shown = |restored: RestoredUsers| {
        bar.set_message(format!("{} users, {} messages", restored.users, restored.messages));
        bar.tick();
    };
    let mut rejected = |line: String| print_fault(format_args!("scrollback: not restored: {line}"));
    let restored = restore_users(store, clock, backup, &mut rejected, shown).await;
    bar.finish_and_clear();
    restored
}
