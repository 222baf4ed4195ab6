//! The `scrollback` command.

use std::process::ExitCode;

use clap::Parser;
use scrollback::cli::{self, Arguments};

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scrollback: {error:#}");
            ExitCode::FAILURE
        }
    }
}
