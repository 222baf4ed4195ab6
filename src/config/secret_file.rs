//! Settings whose value can be in a file, so that it is neither in the environment nor in the configuration file.

use std::collections::HashMap;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;

/// The settings, each with the one that names a file with its value. Files of keys have settings of their own in `auth`
/// and `webhooks`.
const SETTINGS: [(&str, &str); 3] = [
    ("database.url", "database.url_file"),
    ("feed.signals", "feed.signals_file"),
    ("jetstream.url", "jetstream.url_file"),
];

/// Reads the values that are in files. White space around a value is not part of it.
///
/// # Errors
/// A file cannot be read or is empty, or the value is given twice.
pub(super) fn read(table: &mut Table, origins: &mut HashMap<String, String>) -> Result<(), ConfigError> {
    for (setting, file_setting) in SETTINGS {
        let Some(path) = text(table, file_setting).filter(|path| !path.is_empty()).map(str::to_owned) else {
            continue;
        };
        let wrong = |fault: String| ConfigError::Wrong {
            setting: file_setting.to_owned(),
            origin: origins.get(file_setting).cloned().unwrap_or_default(),
            fault,
        };
        if text(table, setting).is_some_and(|value| !value.is_empty()) {
            return Err(wrong(format!("set only one of it and `{setting}`")));
        }
        let value = std::fs::read_to_string(Path::new(&path))
            .map_err(|error| wrong(format!("the file {path} cannot be read: {error}")))?;
        let value = value.trim();
        if value.is_empty() {
            return Err(wrong(format!("the file {path} is empty")));
        }
        if let Some((section, name)) = setting.split_once('.')
            && let Some(Value::Table(section)) = table.get_mut(section)
        {
            section.insert(name.to_owned(), Value::String(value.to_owned()));
        }
        origins.insert(setting.to_owned(), format!("the file {path}"));
    }
    Ok(())
}

fn text<'a>(table: &'a Table, setting: &str) -> Option<&'a str> {
    let (section, name) = setting.split_once('.')?;
    table.get(section)?.get(name)?.as_str()
}
