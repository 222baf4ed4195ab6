//! `scrollback migrate-data`.

use anyhow::anyhow;

use super::arguments::MigrateDataArguments;
use super::output::{print_fault, print_line};
use super::progress;
use crate::app;
use crate::config::{self, Config};
use crate::store::{self, Process, RowLevelSecurity, Settings};

pub(super) async fn migrate_data(config: Config, arguments: MigrateDataArguments) -> anyhow::Result<()> {
    let MigrateDataArguments { from, to } = arguments;
    let (from, to) = (database(&config, "--from", from)?, database(&config, "--to", to)?);
    let bar = progress::of_rows();
    let shown = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let moved = store::migrate_data(&from, &to, shown).await;
    bar.finish_and_clear();
    let moved = moved?;
    for (table, rows) in moved.tables.iter().filter(|(_, rows)| *rows > 0) {
        print_line(format_args!("{rows:>12} {table}"))?;
    }
    let rows: u64 = moved.tables.iter().map(|(_, rows)| rows).sum();
    let resumed = if moved.is_resumed { ", some of them in an earlier run" } else { "" };
    print_line(format_args!("moved {rows} rows{resumed}; the target has all rows of the source"))?;
    print_line("next: set `database.url` to the target and run `scrollback check`, then start the server")?;
    if moved.sessions > 0 {
        print_fault(format_args!(
            "scrollback: {} sessions use the source again: what they write now is not in the target",
            moved.sessions
        ));
    }
    Ok(())
}

/// The settings of a database that is given by its URL, or of the configured one. The migration suspends row-level security
/// itself.
fn database(config: &Config, argument: &str, url: Option<String>) -> anyhow::Result<Settings> {
    let settings = app::database(config, Process::Command);
    let url = url.unwrap_or_else(|| settings.url.clone());
    config::check_database_url(&url).map_err(|fault| anyhow!("{argument} {fault}"))?;
    Ok(Settings { url, files: None, row_level_security: RowLevelSecurity::Off, ..settings })
}
