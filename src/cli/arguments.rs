//! The arguments of the command line.

mod backup;
mod retention;
mod revoke;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::health::HealthArguments;
pub(super) use backup::{BackupArguments, CheckArguments, MigrateDataArguments, RestoreArguments};
pub(super) use retention::{InactiveAction, OwnRuleArguments, RetentionArguments, RetentionCommand};
pub(super) use revoke::{RevokeArguments, RevokeCommand};
pub(super) use transfer::{ExportArguments, ExportBranches, ExportFormat, ImportArguments, ImportFormat};

/// A GraphQL server that stores conversations: durable, ordered, and separate for each user.
#[derive(Debug, Parser)]
#[command(version = env!("PROGRAM_VERSION"), args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
    #[command(flatten)]
    settings: SettingArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server (the default)
    Serve(ServeArguments),
    /// Show, apply or revert database migrations
    Migrate(MigrateArguments),
    /// Move all data from SQLite to an empty PostgreSQL database, or back
    MigrateData(MigrateDataArguments),
    /// Print the GraphQL schema
    Schema(SchemaArguments),
    /// Print a configuration file with every setting, its default and a comment, or check the settings
    Config(ConfigArguments),
    /// Print a token for a user, signed with the configured secret or the development secret
    Token(TokenArguments),
    /// Import conversations from the exports of other systems, or of Scrollback
    Import(ImportArguments),
    /// Write the conversations of a user to a file: to be imported elsewhere, for other tools, or to read
    Export(ExportArguments),
    /// Make the search index anew
    Reindex(ReindexArguments),
    /// Delete or archive the conversations that are not kept now, or show or change the rules of users
    Retention(RetentionArguments),
    /// Erase a user for good and print a signed receipt, or check a receipt
    Erase(EraseArguments),
    /// Write a backup of the database to a file, beside the running server
    Backup(BackupArguments),
    /// Restore a backup into an empty database
    Restore(RestoreArguments),
    /// Check that the database is sound, and print every violation of a rule
    Check(CheckArguments),
    /// Look at a deployment, and say what to change: settings, the machine, the database, and what a server talks to
    Doctor(DoctorArguments),
    /// Print what back ends did for users, and what operators did
    Audit(AuditArguments),
    /// Refuse tokens that have not expired: one, or all of a user
    Revoke(RevokeArguments),
    /// List webhooks, resume one that was paused, or deliver changes again
    Webhooks(WebhookArguments),
    /// Print the licences of the packages in the program
    Licenses,
    /// Ask a running server whether it is ready: exits with 0 if it is, and with 1 and the reason if it is not
    Health(HealthArguments),
}

/// Settings that have a flag. All others are set in the file or the environment.
#[derive(Debug, Args)]
pub(super) struct SettingArguments {
    /// Configuration file (TOML); `scrollback config` prints one
    #[arg(long, global = true, env = "SCROLLBACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// "development" or "production"
    #[arg(long, global = true)]
    mode: Option<String>,
    /// Folder for the embedded database and the development secret
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// sqlite://path or postgres://user:password@host/name
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    #[arg(skip)]
    listen: Option<String>,
    #[arg(skip)]
    signals: Option<String>,
}

#[derive(Debug, Args, Default)]
pub(super) struct ServeArguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// NATS server for signals between replicas: nats://host:4222 (default: PostgreSQL itself)
    #[arg(long, value_name = "URL")]
    signals: Option<String>,
    /// Print a token for this user at startup (development only)
    #[arg(long, value_name = "USER")]
    pub(super) token_for: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// As a subgraph of Apollo Federation: what `_service` answers
    #[arg(long)]
    pub(super) federation: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    /// Check the settings that a server would have here, and the files that they name; nothing is started or changed
    #[arg(long)]
    pub(super) check: bool,
    /// Print a JSON Schema of the file, for editors
    #[arg(long, conflicts_with = "check")]
    pub(super) schema: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    #[command(subcommand)]
    pub(super) action: MigrateAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum MigrateAction {
    /// Apply all pending migrations
    Up,
    /// Revert the newest migrations; data that only they can store is lost
    Down {
        /// Number of migrations
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List all migrations and whether they are applied
    Status,
}

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// User of the token: the owner of everything that is done with it
    #[arg(long)]
    pub(super) user: String,
    /// Validity of the token
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    pub(super) expires_in: Duration,
    /// Scopes, separated by spaces: scrollback:act-as lets a back end act for any user, scrollback:usage lets it read
    /// the sums of token usage of all users, scrollback:erase lets it erase users
    #[arg(long)]
    pub(super) scope: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReindexArguments {
    /// Only this user's messages (default: everybody's)
    #[arg(long)]
    pub(super) user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct EraseArguments {
    /// User to erase, or whom the receipt is about
    #[arg(long, required_unless_present = "public_key")]
    pub(super) user: Option<String>,
    /// Erase nothing: check that this receipt is genuine, and that the database has no row of the user
    #[arg(long, value_name = "RECEIPT", conflicts_with = "vacuum")]
    pub(super) verify: Option<PathBuf>,
    /// Afterwards rewrite an SQLite database, or remove dead rows and old statistics from PostgreSQL's tables
    #[arg(long)]
    pub(super) vacuum: bool,
    /// Only print the public key that receipts are signed with (Ed25519, Base64)
    #[arg(long, conflicts_with_all = ["user", "verify", "vacuum"])]
    pub(super) public_key: bool,
}

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// Only entries about this user, erased or not
    #[arg(long)]
    pub(super) user: Option<String>,
    /// Only entries of this back end or operator
    #[arg(long)]
    pub(super) actor: Option<String>,
    /// Only this action, for example deleteConversation
    #[arg(long)]
    pub(super) action: Option<String>,
    /// Only entries of this time (RFC 3339) or later
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only entries before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct WebhookArguments {
    #[command(subcommand)]
    pub(super) action: WebhookCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Print each webhook with its state and how many users have changes to deliver
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Deliver again: for a webhook that was paused, and for users whose deliveries were given up
    Resume {
        /// Name of the webhook
        name: String,
    },
    /// Deliver changes again that were delivered before, as far as the feed is kept (`feed.keep`), and resume the webhook
    Replay {
        /// Name of the webhook
        name: String,
        /// All users' changes of this time (RFC 3339) or later; or the changes of one user after this cursor
        #[arg(long, value_name = "TIME|CURSOR")]
        from: String,
    },
}

impl Arguments {
    pub(super) fn split(self) -> (Command, SettingArguments) {
        let mut settings = self.settings;
        let command = self.command.unwrap_or(Command::Serve(self.serve));
        if let Command::Serve(serve) = &command {
            settings.listen.clone_from(&serve.listen);
            settings.signals.clone_from(&serve.signals);
        }
        (command, settings)
    }
}

impl SettingArguments {
    /// The configuration file and the settings of flags.
    pub(super) fn into_sources(self) -> (Option<PathBuf>, Vec<(&'static str, String)>) {
        let flags = [
            ("mode", self.mode),
            ("data_dir", self.data_dir),
            ("database.url", self.database_url),
            ("server.listen", self.listen),
            ("feed.signals", self.signals),
        ];
        (self.config, flags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};

    use super::*;
    use crate::import::Format;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_format_can_be_imported() {
        let names: Vec<_> = ImportFormat::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        let formats = Format::ALL.map(|format| format.name().to_owned());
        assert_eq!(names, [&["auto".to_owned()], &formats[..]].concat());
    }

    #[test]
    fn serve_is_the_default_command() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap().split();
        for line in
            ["scrollback --listen 1.2.3.4:5 --data-dir x", "scrollback serve --listen 1.2.3.4:5 --data-dir x"]
        {
            let (command, settings) = parse(line);
            assert!(matches!(command, Command::Serve(_)), "{line}");
            let flags = settings.into_sources().1;
            assert_eq!(
                flags,
                [("data_dir", "x".to_owned()), ("server.listen", "1.2.3.4:5".to_owned())],
                "{line}"
            );
        }
    }
}
