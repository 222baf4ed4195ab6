//! Logs on standard error, as text or JSON.
//!
//! Message texts, tokens and secrets are never logged.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::panics;

/// Starts logging, once for the process.
///
/// # Errors
/// The filter is not valid, or logging was already started.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).context("the setting `log.level` is not valid")?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // If the reader of the log is gone, the default would report it with `eprintln!`, which panics.
    let subscriber = subscriber.log_internal_errors(false);
    let colours = std::io::stderr().is_terminal();
    let started = match log.format {
        LogFormat::Text => subscriber.with_target(false).with_ansi(colours).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))?;
    panics::log();
    Ok(())
}
