//! What is written about what happens: to standard error, for people or for machines.
//!
//! No text of a message, no token and no secret is ever logged.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging, once for the process.
///
/// # Errors
/// The filter cannot be read, or logging has been started before.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).context("the setting `log.level` is wrong")?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that nobody reads any more would be told with `eprintln!`, which panics then.
    let subscriber = subscriber.log_internal_errors(false);
    let colours = std::io::stderr().is_terminal();
    let started = match log.format {
        LogFormat::Text => subscriber.with_target(false).with_ansi(colours).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
