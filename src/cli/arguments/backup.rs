//! The arguments of backups, data migrations and checks.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct BackupArguments {
    /// New file to write; "-" is standard output
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Replace a file that exists, once the backup is complete
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Most MiB of an SQLite database that are read in a second; 0 is no limit
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub(in crate::cli) rate: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArguments {
    /// A file that `scrollback backup` wrote; "-" is standard input
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// If there is data already: move an SQLite database aside, or add what PostgreSQL lacks
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MigrateDataArguments {
    /// Database to read, which no server may use: sqlite://path or postgres://user:password@host/name (default: the
    /// configured one)
    #[arg(long, value_name = "URL", required_unless_present = "to")]
    pub(in crate::cli) from: Option<String>,
    /// Empty database to fill, or one that an interrupted run has begun to fill (default: the configured one)
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) to: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArguments {
    /// Mend what follows from other rows: counts, heads, labels, the search index and the like
    #[arg(long)]
    pub(in crate::cli) repair: bool,
    /// Without what reads everything: the pages of an SQLite file, the search index, and the files of attachments
    #[arg(long)]
    pub(in crate::cli) quick: bool,
}
