//! The `scrollback` command.

use std::process::ExitCode;

use clap::Parser;
use scrollback::cli::{self, Arguments};

/// A request makes hundreds of small allocations, and hands them from one thread to another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
