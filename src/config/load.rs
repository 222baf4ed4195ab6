//! From the sources to one [`Config`].

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, DEFAULT_FILE, RowLevelSecurity};

/// Where settings come from besides the defaults.
#[derive(Default)]
pub struct Sources<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// The process's environment.
    pub environment: Vec<(String, String)>,
    /// Flags, by the path of the setting they set.
    pub flags: Vec<(&'static str, String)>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {0}: {1}")]
    Unreadable(String, std::io::Error),
    /// The file is not TOML.
    #[error("the configuration file {0} is not TOML: {1}")]
    NotToml(String, toml::de::Error),
    /// A setting has a wrong value, or a name that there is none of.
    #[error("the setting `{setting}` (from {origin}) is wrong: {fault}")]
    Wrong {
        /// Its path, `database.url`.
        setting: String,
        /// The file, the environment variable or the flag.
        origin: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// Reads all settings. The second part names environment variables that look like settings and are
/// none.
///
/// # Errors
/// The file cannot be read, or a setting is wrong.
pub fn load(sources: Sources<'_>) -> Result<(Config, Vec<String>), ConfigError> {
    let mut table: Table =
        toml::from_str(DEFAULT_FILE).map_err(|error| ConfigError::NotToml("default".into(), error))?;
    let settings = leaves(&table, "");
    let mut origins = HashMap::new();
    if let Some(path) = sources.file {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(name.clone(), error))?;
        let file: Table = toml::from_str(&text).map_err(|error| ConfigError::NotToml(name.clone(), error))?;
        for setting in leaves(&file, "") {
            origins.insert(setting, name.clone());
        }
        merge(&mut table, file);
    }
    let mut unknown = Vec::new();
    for (variable, text) in sources.environment {
        let Some(name) = variable.strip_prefix("SCROLLBACK_") else { continue };
        match settings.iter().find(|setting| setting.replace('.', "_").to_uppercase() == name) {
            Some(setting) => {
                set(&mut table, setting, &text);
                origins.insert(setting.clone(), variable);
            }
            None => unknown.push(variable),
        }
    }
    for (setting, text) in sources.flags {
        set(&mut table, setting, &text);
        origins.insert(setting.to_owned(), format!("the flag for {setting}"));
    }
    let config = serde_path_to_error::deserialize(Value::Table(table))
        .map_err(|error| wrong(error.path().to_string(), error.inner().message(), &origins))?;
    match contradiction(&config) {
        Some((setting, fault)) => Err(wrong(setting.into(), fault, &origins)),
        None => Ok((config, unknown)),
    }
}

/// A setting that another one does not allow, and why.
fn contradiction(config: &Config) -> Option<(&'static str, &'static str)> {
    let timeout = config.database.statement_timeout;
    if timeout.is_zero() || timeout >= config.server.execution_timeout {
        return Some((
            "database.statement_timeout",
            "must be shorter than `server.execution_timeout`, and not 0",
        ));
    }
    // What an operation reserves of its owner's: `memory::RESERVED`.
    let (memory, memory_per_owner) = (config.server.memory, config.server.memory_per_owner);
    if u64::from(memory_per_owner) < 4 * u64::from(config.limits.answer_bytes) {
        return Some(("server.memory_per_owner", "must be at least 4 times `limits.answer_bytes`"));
    }
    if memory < memory_per_owner {
        return Some(("server.memory", "must be at least `server.memory_per_owner`"));
    }
    let fence = config.database.row_level_security;
    if fence != RowLevelSecurity::Off && !config.database_url().starts_with("postgres") {
        return Some(("database.row_level_security", "is for PostgreSQL: with SQLite it must be \"off\""));
    }
    None
}

fn wrong(setting: String, fault: &str, origins: &HashMap<String, String>) -> ConfigError {
    // What is wrong inside a list came with the list.
    let whole = setting.split('[').next().unwrap_or(&setting);
    let origin = origins.get(whole).cloned().unwrap_or_else(|| "the defaults".into());
    ConfigError::Wrong { setting, origin, fault: fault.trim().to_owned() }
}

/// The paths of all settings: `server.listen`.
fn leaves(table: &Table, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => paths.extend(leaves(inner, &format!("{prefix}{name}."))),
            _ => paths.push(format!("{prefix}{name}")),
        }
    }
    paths
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

/// Sets a setting from text, read as what its default is; what does not fit stays text and is
/// refused with the rest.
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
    /// The defaults.
    fn default() -> Self {
        let table: Table = toml::from_str(DEFAULT_FILE).unwrap_or_default();
        #[expect(clippy::expect_used, reason = "the file is part of the program and a test loads it")]
        Self::deserialize(Value::Table(table)).expect("the default file holds every setting")
    }
}
