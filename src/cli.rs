//! The command line.

mod arguments;
mod audit;
mod backup;
mod check;
mod commands;
mod doctor;
mod erase;
mod export;
mod health;
mod import;
mod licenses;
mod migrate_data;
mod output;
mod progress;
mod restore;
mod retention;
mod revoke;
mod service_manager;
mod setting_sources;
mod webhooks;

pub use arguments::Arguments;

use std::process::ExitCode;

use crate::config::{self, Config};
use crate::graphql;
use crate::telemetry;
use arguments::Command;
use setting_sources::SettingSources;

/// Runs a command. Errors are written to standard error in one line.
pub async fn run(arguments: Arguments) -> ExitCode {
    match start(arguments).await {
        Ok(code) => code,
        Err(error) => {
            output::print_fault(format_args!("scrollback: {}", output::in_one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn start(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (command, settings) = arguments.split();
    match command {
        Command::Schema(arguments) => {
            output::print(if arguments.federation { graphql::subgraph_sdl() } else { graphql::sdl() })?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Config(arguments) if !arguments.check => {
            let schema = arguments.schema.then(config::schema);
            output::print(schema.as_deref().unwrap_or(config::DEFAULT_FILE))?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Licenses => {
            output::print(licenses::LICENSES)?;
            output::print(licenses::of_graphiql().unwrap_or_default())?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let (file, flags) = settings.into_sources();
    let environment = config::environment(std::env::vars_os())?;
    let sources = SettingSources { file, environment, flags };
    let config = sources.load()?;
    telemetry::start(&config.log)?;
    match command {
        Command::Serve(serve) => {
            commands::serve(config, serve, sources).await?;
            Ok(ExitCode::SUCCESS)
        }
        other => dispatch(other, config).await,
    }
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Migrate(migrate) => commands::migrate(config, migrate).await?,
        Command::MigrateData(arguments) => migrate_data::migrate_data(config, arguments).await?,
        Command::Token(token) => commands::token(&config, &token)?,
        Command::Import(import) => return import::import(config, import).await,
        Command::Reindex(reindex) => commands::reindex(config, reindex).await?,
        Command::Retention(arguments) => retention::retention(config, arguments).await?,
        Command::Export(arguments) => export::export(config, arguments).await?,
        Command::Erase(arguments) => return erase::erase(config, arguments).await,
        Command::Backup(arguments) => backup::backup(config, arguments).await?,
        Command::Restore(arguments) => return restore::restore(config, arguments).await,
        Command::Check(arguments) => return check::check(config, arguments).await,
        Command::Doctor(arguments) => return doctor::doctor(&config, &arguments).await,
        Command::Audit(arguments) => audit::audit(config, arguments).await?,
        Command::Revoke(arguments) => revoke::revoke(config, arguments).await?,
        Command::Webhooks(arguments) => webhooks::webhooks(config, arguments).await?,
        Command::Health(arguments) => health::health(&config, &arguments).await?,
        Command::Config(_) => commands::validate(&config).await?,
        Command::Serve(_) | Command::Schema(_) | Command::Licenses => {}
    }
    Ok(ExitCode::SUCCESS)
}
