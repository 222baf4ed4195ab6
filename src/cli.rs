//! The command line: what it is asked, whom it hands it to.

mod arguments;
mod commands;

pub use arguments::Arguments;

use crate::config::{self, Config, Sources};
use crate::telemetry;
use arguments::Command;

/// Runs what the command line asks for.
///
/// # Errors
/// Whatever went wrong, told for people.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (command, settings) = arguments.split();
    match command {
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            return Ok(());
        }
        Command::Config => {
            print!("{}", config::DEFAULT_FILE);
            return Ok(());
        }
        _ => {}
    }
    let (file, flags) = settings.into_sources();
    let sources = Sources { file: file.as_deref(), environment: environment(), flags };
    let (config, unknown) = config::load(sources)?;
    telemetry::start(&config.log)?;
    for variable in unknown {
        tracing::warn!("no such setting: {variable}");
    }
    dispatch(command, config).await
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => commands::serve(config, serve).await,
        Command::Migrate(migrate) => commands::migrate(config, migrate).await,
        Command::Token(token) => commands::token(&config, &token),
        Command::Import(import) => commands::import(config, import).await,
        Command::Schema | Command::Config => Ok(()),
    }
}

fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
