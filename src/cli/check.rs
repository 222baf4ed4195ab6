//! `scrollback check`.

use std::process::ExitCode;

use anyhow::bail;

use super::arguments::CheckArguments;
use super::output::print_line;
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{self, CheckOptions, CheckSummary, Process, Store, Violation};

/// There are violations. Wrong arguments are 2, as for every command.
const VIOLATIONS: u8 = 3;

pub(super) async fn check(config: Config, arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let app = open_existing(config).await?;
    let options = CheckOptions { quick: arguments.quick, repair: arguments.repair };
    let checked = run(&app.store, options).await;
    app.store.close().await;
    checked
}

/// Opens a database that exists, as it is: its schema is not changed.
pub(super) async fn open_existing(mut config: Config) -> anyhow::Result<App> {
    config.database.migrate = false;
    let files = store::sqlite_files(&app::database(&config, Process::Command));
    if let Some(file) = files.first().filter(|file| !file.exists()) {
        bail!("there is no database {}", file.display());
    }
    App::open_for_command(config, Clock::system()).await
}

/// Checks a database and prints what is found. The code says whether it is sound.
pub(super) async fn run(store: &Store, options: CheckOptions) -> anyhow::Result<ExitCode> {
    let mut printed = Ok(());
    let mut report = |violation: Violation| {
        if printed.is_ok() {
            printed = print_line(violation);
        }
    };
    let summary = store.check(options, &mut report).await?;
    printed?;
    for line in summary_lines(&summary, options) {
        print_line(line)?;
    }
    let is_sound = summary.violations == summary.repaired;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(VIOLATIONS) })
}

/// What was checked, what was not, and the result.
fn summary_lines(summary: &CheckSummary, options: CheckOptions) -> Vec<String> {
    let CheckSummary { owners, erasing, conversations, messages, objects, violations, repaired, .. } =
        *summary;
    let mut lines = Vec::new();
    let objects = objects.map_or_else(String::new, |objects| format!(", {objects} objects of attachments"));
    lines
        .push(format!("checked {owners} users, {conversations} conversations, {messages} messages{objects}"));
    if options.quick {
        lines.push(
            "not checked: the pages of an SQLite file, the search index, objects of attachments".into(),
        );
    }
    if !options.quick && summary.objects.is_none() {
        lines.push("not checked: objects of attachments, because `files.storage` is not set".into());
    }
    if erasing > 0 {
        lines.push(format!("not checked: {erasing} users who are being erased"));
    }
    if summary.hides_orphans {
        lines.push(
            "not checked: rows without their conversation or share, which row-level security hides".into(),
        );
    }
    lines.push(match (violations, repaired) {
        (0, _) => "sound".to_owned(),
        (_, 0) => format!("{violations} violations"),
        _ => format!("{violations} violations, {repaired} repaired"),
    });
    lines
}
