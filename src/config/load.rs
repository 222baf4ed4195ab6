//! Loads a [`Config`] from its sources.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::database_url::has_password;
use super::error::ConfigError;
use super::names::{self, leaves, unknown_keys, unknown_variable};
use super::otel;
use super::reload::Values;
use super::secret_file;
use super::{Config, DEFAULT_FILE, Mode, RowLevelSecurity, Secret};

/// The sources of settings besides the defaults.
#[derive(Default)]
pub struct Sources<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// The environment variables.
    pub environment: Vec<(String, String)>,
    /// Flags, with the path of the setting.
    pub flags: Vec<(&'static str, String)>,
}

/// Loads all settings.
///
/// # Errors
/// The file cannot be read, a value is not valid, or a name is unknown.
pub fn load(sources: Sources<'_>) -> Result<Config, ConfigError> {
    let mut table = parse(DEFAULT_FILE, "default")?;
    let settings = leaves(&table, "");
    let mut origins = HashMap::new();
    let mut unknown = Vec::new();
    if let Some(path) = sources.file {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(name.clone(), error))?;
        let file = parse(&text, &name)?;
        unknown.extend(unknown_keys(&file, &table, &name));
        for setting in leaves(&file, "") {
            origins.insert(setting, name.clone());
        }
        merge(&mut table, file);
    }
    for (setting, text, variable) in otel::settings(&sources.environment)? {
        if !origins.contains_key(setting) {
            set(&mut table, setting, &text);
            origins.insert(setting.to_owned(), variable);
        }
    }
    for (variable, text) in sources.environment {
        let set_by =
            |setting: &&String| !names::is_table_list(setting) && names::variable(setting) == variable;
        match settings.iter().find(set_by) {
            Some(setting) => {
                set(&mut table, setting, &text);
                origins.insert(setting.clone(), variable);
            }
            None => unknown.extend(unknown_variable(&variable, &text, &settings)),
        }
    }
    if !unknown.is_empty() {
        return Err(ConfigError::Unknown(unknown));
    }
    for (setting, text) in sources.flags {
        set(&mut table, setting, &text);
        origins.insert(setting.to_owned(), format!("the flag for {setting}"));
    }
    secret_file::read(&mut table, &mut origins)?;
    let values = Values(table.clone());
    let mut config: Config = serde_path_to_error::deserialize(Value::Table(table))
        .map_err(|error| wrong(error.path().to_string(), error.inner().message(), &origins))?;
    config.values = values;
    if let Some((setting, fault)) = contradiction(&config) {
        return Err(wrong(setting.into(), fault, &origins));
    }
    if let Some(path) = sources.file {
        let name = path.display().to_string();
        let is_from_file = |setting: &str| origins.get(setting) == Some(&name);
        config.file_with_secrets = has_secret(&config, is_from_file).then(|| path.to_owned());
    }
    Ok(config)
}

/// Whether one of the settings that `is_chosen` selects is a secret.
fn has_secret(config: &Config, is_chosen: impl Fn(&str) -> bool) -> bool {
    let Config { auth, database, feed, webhooks, jetstream, traces, .. } = config;
    let has_credentials = |url: Option<&Secret>| url.is_some_and(|url| url.expose().contains('@'));
    let has = |setting: &str, found: bool| found && is_chosen(setting);
    has("auth.jwt_secret", auth.jwt_secret.is_some())
        || has("auth.issuers", auth.issuers.iter().any(|issuer| issuer.jwt_secret.is_some()))
        || has("auth.jwt_secrets", auth.jwt_secrets.iter().any(|listed| listed.secret.is_some()))
        || has("database.url", database.url.as_ref().is_some_and(|url| has_password(url.expose())))
        || has("webhooks", webhooks.iter().any(|webhook| !webhook.secret.is_empty()))
        || has("feed.signals", has_credentials(feed.signals.as_ref()))
        || has("jetstream.url", has_credentials(jetstream.url.as_ref()))
        || has("traces.headers", traces.headers.is_some())
}

fn parse(text: &str, file: &str) -> Result<Table, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::NotToml { file: file.to_owned(), fault: error.message().trim().to_owned(), line }
    })
}

/// A setting that contradicts another one, and the rule.
fn contradiction(config: &Config) -> Option<(&'static str, &'static str)> {
    let timeout = config.database.statement_timeout;
    if timeout.is_zero() || timeout >= config.server.execution_timeout {
        return Some((
            "database.statement_timeout",
            "must be shorter than `server.execution_timeout`, and not 0",
        ));
    }
    // The size of a reservation: `memory::RESERVATION_FACTOR`.
    let (memory, memory_per_owner) = (config.server.memory, config.server.memory_per_owner);
    if u64::from(memory_per_owner) < 4 * u64::from(config.limits.answer_bytes) {
        return Some(("server.memory_per_owner", "must be at least 4 times `limits.answer_bytes`"));
    }
    if memory < memory_per_owner {
        return Some(("server.memory", "must be at least `server.memory_per_owner`"));
    }
    let row_level_security = config.database.row_level_security;
    if row_level_security != RowLevelSecurity::Off && !config.database_url().starts_with("postgres") {
        return Some(("database.row_level_security", "requires PostgreSQL: with SQLite it must be \"off\""));
    }
    if config.traces.headers.is_some() && config.traces.headers_file.is_some() {
        return Some(("traces.headers_file", "must be empty if `traces.headers` is set"));
    }
    let uses_folder = config.database.url.is_none() || config.mode == Mode::Development;
    if uses_folder && config.data_dir.is_file() {
        return Some(("data_dir", "is a file, not a folder"));
    }
    None
}

/// The error of a setting, without the value of a secret.
fn wrong(setting: String, fault: &str, origins: &HashMap<String, String>) -> ConfigError {
    // An error within a list has the source of the list.
    let whole = setting.split('[').next().unwrap_or(&setting);
    let origin = origins.get(whole).cloned().unwrap_or_else(|| "the defaults".into());
    let name = setting.rsplit('.').next().unwrap_or(&setting);
    let is_secret = ["url", "jwt_secret", "signals", "headers"].contains(&name)
        || setting.starts_with("auth.issuers")
        || setting.starts_with("auth.jwt_secrets")
        || setting.starts_with("webhooks");
    let fault = match fault.trim() {
        fault
            if is_secret
                && (fault.starts_with("invalid type") || fault.starts_with("data did not match")) =>
        {
            "has a value of the wrong type".to_owned()
        }
        fault => fault.to_owned(),
    };
    ConfigError::Wrong { setting, origin, fault }
}

fn merge(into: &mut Table, from: Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// Sets a setting from text, parsed with the type of its default. Text that does not parse is kept and
/// rejected later.
fn set(table: &mut Table, setting: &str, text: &str) {
    if let Some((section, rest)) = setting.split_once('.') {
        if let Some(Value::Table(inner)) = table.get_mut(section) {
            set(inner, rest, text);
        }
        return;
    }
    let as_text = || Value::String(text.to_owned());
    let value = match table.get(setting) {
        Some(Value::Integer(_)) => text.parse().map_or_else(|_| as_text(), Value::Integer),
        Some(Value::Float(_)) => text.parse().map_or_else(|_| as_text(), Value::Float),
        Some(Value::Boolean(_)) => text.parse().map_or_else(|_| as_text(), Value::Boolean),
        Some(Value::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(|item| Value::String(item.to_owned())).collect::<Vec<_>>().into()
        }
        _ => as_text(),
    };
    table.insert(setting.to_owned(), value);
}

impl Default for Config {
    /// The default settings.
    fn default() -> Self {
        let table: Table = toml::from_str(DEFAULT_FILE).unwrap_or_default();
        let values = Values(table.clone());
        #[expect(clippy::expect_used, reason = "the file is part of the program and a test loads it")]
        let config = Self::deserialize(Value::Table(table)).expect("the default file holds every setting");
        Self { values, ..config }
    }
}
