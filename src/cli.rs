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
    let environment = config::environment(std::env::vars_os())?;
    let config = config::load(Sources { file: file.as_deref(), environment, flags })?;
    telemetry::start(&config.log)?;
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
