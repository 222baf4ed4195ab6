//! Logs on standard error, as text or JSON.
//!
//! Message texts, tokens and secrets are never logged.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload;

use crate::config::{Log, LogFormat};
use crate::panics;

/// The filter of the log of this process. Empty until logging is started.
static FILTER: OnceLock<Filter> = OnceLock::new();

/// Replaces the filter of the subscriber.
type Replace = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

struct Filter {
    replace: Replace,
    texts: Mutex<FilterTexts>,
}

struct FilterTexts {
    /// The filter of the settings.
    configured: String,
    current: String,
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
    let (started, replace): (_, Replace) = match log.format {
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
    let texts = Mutex::new(FilterTexts { configured: log.level.clone(), current: log.level.clone() });
    let _ = FILTER.set(Filter { replace, texts });
    panics::log();
    Ok(())
}

/// Replaces the filter of the running log: a level, or levels of modules such as `info,scrollback::store=debug`. `None`: that
/// of the settings.
///
/// # Errors
/// The filter is not valid, or this program has not started logging. The old filter stays.
pub fn set_filter(text: Option<&str>) -> anyhow::Result<()> {
    replace(|texts| text.unwrap_or(&texts.configured).to_owned()).map(drop)
}

/// Replaces the filter of the running log by a new one of the settings, after these were read again.
///
/// # Errors
/// As for [`set_filter`].
pub fn reconfigure(log: &Log) -> anyhow::Result<()> {
    let mut texts = replace(|_| log.level.clone())?;
    texts.configured.clone_from(&log.level);
    Ok(())
}

fn replace(text: impl FnOnce(&FilterTexts) -> String) -> anyhow::Result<MutexGuard<'static, FilterTexts>> {
    let filter = FILTER.get().context("this program has not started logging")?;
    // Held until the end: two calls at the same time must not leave the filter of one with the text of the other.
    let mut texts = filter.texts.lock().unwrap_or_else(PoisonError::into_inner);
    let text = text(&texts);
    let parsed = EnvFilter::try_new(&text).with_context(|| format!("{text:?} is not a filter of the log"))?;
    (filter.replace)(parsed).context("cannot change the filter of the log")?;
    tracing::info!(filter = text, "changed the filter of the log");
    texts.current = text;
    Ok(texts)
}

/// The filter of the running log. `None`: this program has not started logging.
pub fn filter() -> Option<String> {
    let filter = FILTER.get()?;
    Some(filter.texts.lock().unwrap_or_else(PoisonError::into_inner).current.clone())
}
