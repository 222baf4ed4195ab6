//! The arguments of retention.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct RetentionArguments {
    #[command(subcommand)]
    pub(in crate::cli) action: Option<RetentionCommand>,
    /// Only print what would be deleted or archived
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RetentionCommand {
    /// Give a user a rule for conversations without activity, instead of that of the configuration
    Set(OwnRuleArguments),
    /// Apply the rule of the configuration to a user again
    Unset {
        /// User whose conversations the rule is for
        #[arg(long)]
        user: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OwnRuleArguments {
    /// User whose conversations the rule is for
    #[arg(long)]
    pub(in crate::cli) user: String,
    /// Time without activity, for example 90days; "never" keeps the conversations
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) inactive: String,
    /// What happens to the conversations
    #[arg(long, default_value = "delete")]
    pub(in crate::cli) action: InactiveAction,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum InactiveAction {
    /// They are deleted for good
    Delete,
    /// They are archived
    Archive,
}
