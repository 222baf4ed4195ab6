//! The arguments of checks.

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArguments {
    /// Mend what follows from other rows: counts, heads, labels, the search index and the like
    #[arg(long)]
    pub(in crate::cli) repair: bool,
    /// Without what reads everything: the pages of an SQLite file, the search index, and the files of attachments
    #[arg(long)]
    pub(in crate::cli) quick: bool,
}
