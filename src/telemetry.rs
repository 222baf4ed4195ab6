//! Logs on standard error, as text or JSON.
//!
//! Message texts, tokens and secrets are never logged.

use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload;

use crate::config::{Log, LogFormat};
use crate::panics;

/// The filter of the log of this process. Empty until logging is started.
static FILTER: OnceLock<Filter> = OnceLock::new();

struct Filter {
    replace: Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
    /// The filter of the settings.
    configured: String,
    current: Mutex<String>,
}

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
    let (started, replace): (_, Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>) =
        match log.format {
            LogFormat::Text => {
                let subscriber = subscriber.with_target(false).with_ansi(colours).with_filter_reloading();
                let handle = subscriber.reload_handle();
                (subscriber.try_init(), Box::new(move |filter| handle.reload(filter)))
            }
            LogFormat::Json => {
                let subscriber = subscriber.json().with_filter_reloading();
                let handle = subscriber.reload_handle();
                (subscriber.try_init(), Box::new(move |filter| handle.reload(filter)))
            }
        };
    started.map_err(|error| anyhow!("cannot start logging: {error}"))?;
    let configured = log.level.clone();
    let _ = FILTER.set(Filter { replace, current: Mutex::new(configured.clone()), configured });
    panics::log();
    Ok(())
}

/// Replaces the filter of the running log: a level, or levels of modules such as `info,scrollback::store=debug`. `None`: that
/// of the settings, with which logging was started.
///
/// # Errors
/// The filter is not valid, or this program has not started logging. The old filter stays.
pub fn set_filter(text: Option<&str>) -> anyhow::Result<()> {
    let filter = FILTER.get().context("this program has not started logging")?;
    let text = text.unwrap_or(&filter.configured);
    let parsed = EnvFilter::try_new(text).with_context(|| format!("{text:?} is not a filter of the log"))?;
    // Two calls at the same time must not leave one's filter with the other's text.
    let mut current = filter.current.lock().unwrap_or_else(PoisonError::into_inner);
    (filter.replace)(parsed).context("cannot change the filter of the log")?;
    text.clone_into(&mut current);
    drop(current);
    tracing::info!(filter = text, "changed the filter of the log");
    Ok(())
}

/// The filter of the running log. `None`: this program has not started logging.
pub fn filter() -> Option<String> {
    let filter = FILTER.get()?;
    Some(filter.current.lock().unwrap_or_else(PoisonError::into_inner).clone())
}
