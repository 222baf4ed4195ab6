//! The arguments of `scrollback revoke`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct RevokeArguments {
    #[command(subcommand)]
    pub(in crate::cli) action: RevokeCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RevokeCommand {
    /// Refuse the tokens of a user that were issued until now
    User {
        /// The `sub` of the tokens
        user: String,
        /// Refuse those that were issued before this time (RFC 3339) instead
        #[arg(long, value_name = "TIME")]
        issued_before: Option<String>,
        /// When all of them have expired (RFC 3339); default: `auth.max_lifetime` from now, or never
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Accept them again
        #[arg(long, conflicts_with_all = ["issued_before", "until"])]
        undo: bool,
    },
    /// Refuse one token
    Token {
        /// Its `jti`
        id: String,
        /// When it has expired (RFC 3339); default: `auth.max_lifetime` from now, or never
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Accept it again
        #[arg(long, conflicts_with = "until")]
        undo: bool,
    },
    /// Print what is revoked
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}
