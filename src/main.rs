//! The `scrollback` command.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser;
use scrollback::cli::{self, Arguments};

/// A request makes hundreds of small allocations and moves them between threads, for which mimalloc is
/// faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Arguments::parse()).await
}
