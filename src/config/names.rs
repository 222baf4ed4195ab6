//! The names of settings, and suggestions for unknown names.

use std::ffi::OsString;

use strsim::damerau_levenshtein;
use toml::{Table, Value};

use super::error::ConfigError;

/// The prefix of the environment variables of settings.
const PREFIX: &str = "SCROLLBACK_";

/// Variables that are not settings: that of `--config`, and those of the build (`build.rs`), which are still
/// set when a program is built and started with one command.
const OTHER_VARIABLES: [&str; 3] = ["SCROLLBACK_CONFIG", "SCROLLBACK_GRAPHIQL", "SCROLLBACK_COMMIT"];

/// The keys of an entry of `auth.issuers`.
pub(super) const ISSUER: [&str; 6] =
    ["issuer", "audience", "jwt_secret", "jwt_secret_file", "jwt_public_key_file", "jwks_url"];

/// The keys of an entry of `auth.jwt_secrets`.
pub(super) const JWT_SECRET: [&str; 4] = ["issuer", "kid", "secret", "secret_file"];

/// The keys of an entry of `webhooks`.
pub(super) const WEBHOOK: [&str; 12] = [
    "name",
    "url",
    "secret",
    "secret_file",
    "events",
    "owners",
    "include_content",
    "allow_private_addresses",
    "allow_http",
    "concurrency",
    "timeout",
    "retry_for",
];

/// The settings that are lists of tables, which only the configuration file can set, with the keys of an entry.
const TABLE_LISTS: [(&str, &[&str]); 3] =
    [("auth.issuers", &ISSUER), ("auth.jwt_secrets", &JWT_SECRET), ("webhooks", &WEBHOOK)];

/// Whether a setting is a list of tables.
pub(super) fn is_table_list(setting: &str) -> bool {
    table_list(setting).is_some()
}

/// The keys of an entry of a list of tables. `None` if the setting is something else.
pub(super) fn table_list(setting: &str) -> Option<&'static [&'static str]> {
    TABLE_LISTS.iter().find(|(list, _)| *list == setting).map(|(_, keys)| *keys)
}

/// The paths of all settings, for example `server.listen`.
pub(super) fn leaves(table: &Table, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => paths.extend(leaves(inner, &format!("{prefix}{name}."))),
            _ => paths.push(format!("{prefix}{name}")),
        }
    }
    paths
}

/// The environment variables for [`Sources`](super::Sources). Other variables that are not UTF-8 are ignored.
///
/// # Errors
/// The variable of a setting is not UTF-8.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut read = Vec::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => read.push((name, value)),
            (Ok(name), Err(_)) if name.starts_with(PREFIX) => return Err(ConfigError::NotUtf8(name)),
            (Err(name), _) if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) => {
                return Err(ConfigError::NotUtf8(name.to_string_lossy().into_owned()));
            }
            _ => {}
        }
    }
    Ok(read)
}

/// The environment variable of a setting, for example `SCROLLBACK_DATABASE_URL` of `database.url`.
pub(super) fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_uppercase())
}

/// The error for an unknown variable. `None` if the variable is not for Scrollback.
pub(super) fn unknown_variable(variable: &str, value: &str, settings: &[String]) -> Option<String> {
    let capitals = variable.to_uppercase();
    let known = settings.iter().map(|setting| self::variable(setting));
    let known: Vec<String> = known.chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    if !capitals.starts_with(PREFIX) {
        let meant = known.iter().find(|known| differs_in_prefix(&capitals, known))?;
        return Some(format!(
            "`{variable}` (from the environment) is not a setting: did you mean `{meant}`?"
        ));
    }
    if OTHER_VARIABLES.contains(&variable) || is_service_link(variable, value) {
        return None;
    }
    let lists = TABLE_LISTS.map(|(list, _)| (list, self::variable(list)));
    if let Some((list, _)) = lists.iter().find(|(_, of_list)| capitals.starts_with(of_list)) {
        return Some(format!(
            "`{variable}` (from the environment) is not a setting: `{list}` can be set only in the configuration file"
        ));
    }
    let is_list = |known: &&str| lists.iter().any(|(_, of_list)| of_list == known);
    let known = known.iter().map(String::as_str).filter(|known| !is_list(known));
    Some(refusal(variable, "the environment", known))
}

/// The errors for unknown names in a file.
pub(super) fn unknown_keys(file: &Table, defaults: &Table, origin: &str) -> Vec<String> {
    let mut refused = Vec::new();
    let (mut settings, mut sections) = (leaves(defaults, ""), Vec::new());
    sections.extend(defaults.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name.clone()));
    settings.sort();
    for (name, value) in file {
        match (value, defaults.get(name)) {
            (Value::Table(_), None) => {
                refused.push(refusal(name, origin, sections.iter().map(String::as_str)));
            }
            (_, None) => refused.push(refusal(name, origin, settings.iter().map(String::as_str))),
            (Value::Table(section), Some(Value::Table(known))) => {
                for key in section.keys().filter(|key| !known.contains_key(*key)) {
                    let path = format!("{name}.{key}");
                    refused.push(refusal(&path, origin, settings.iter().map(String::as_str)));
                }
            }
            _ => {}
        }
    }
    for (list, keys) in TABLE_LISTS {
        let entries = match list.split_once('.') {
            Some((section, key)) => file.get(section).and_then(|section| section.get(key)),
            None => file.get(list),
        };
        for (at, entry) in entries.and_then(Value::as_array).into_iter().flatten().enumerate() {
            for key in entry.as_table().into_iter().flat_map(Table::keys) {
                if !keys.contains(&key.as_str()) {
                    let path = format!("{list}[{at}].{key}");
                    let known: Vec<_> = keys.iter().map(|known| format!("{list}[{at}].{known}")).collect();
                    refused.push(refusal(&path, origin, known.iter().map(String::as_str)));
                }
            }
        }
    }
    refused
}

fn refusal<'a>(name: &str, origin: &str, known: impl Iterator<Item = &'a str>) -> String {
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`scrollback config` prints all settings".to_owned(),
    };
    format!("`{name}` (from {origin}) is not a setting: {hint}")
}

/// The nearest known name: the one with the fewest changed letters, at most a third of them, or else the one
/// that contains all its words, as `server.listen` contains `listen`.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |name: &str| {
        let name = name.to_uppercase().replace('.', "_");
        name.strip_prefix(PREFIX).map_or(name.clone(), str::to_owned)
    };
    let name = letters(name);
    let known: Vec<(&str, String)> = known.map(|known| (known, letters(known))).collect();
    let most = (name.chars().count() / 3).max(1);
    let changed = known.iter().map(|(known, letters)| (damerau_levenshtein(&name, letters), *known));
    let similar = changed.filter(|(changes, _)| *changes <= most).min_by_key(|(changes, _)| *changes);
    similar.map(|(_, known)| known).or_else(|| {
        let holding = known.iter().filter(|(_, known)| holds_words(known, &name));
        holding.min_by_key(|(_, known)| known.len()).map(|(known, _)| *known)
    })
}

/// Whether `known` contains all words of `name` in order.
fn holds_words(known: &str, name: &str) -> bool {
    let mut words = known.split('_');
    name.split('_').all(|word| words.any(|known| known == word))
}

/// Whether the prefix of a variable is `SCROLLBACK` with one or two letters changed.
fn differs_in_prefix(variable: &str, known: &str) -> bool {
    let name = known.strip_prefix("SCROLLBACK").unwrap_or(known);
    variable
        .strip_suffix(name)
        .is_some_and(|prefix| (1..=2).contains(&damerau_levenshtein(prefix, "SCROLLBACK")))
}

/// Whether Kubernetes or Docker sets this variable in containers next to a service whose name begins with
/// `scrollback`.
fn is_service_link(variable: &str, value: &str) -> bool {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    if variable.ends_with("_SERVICE_HOST") {
        return true;
    }
    if variable.ends_with("_SERVICE_PORT") || variable.contains("_SERVICE_PORT_") {
        return is_port(value);
    }
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let Some((_, rest)) = variable.rsplit_once("_PORT_") else {
        return variable.ends_with("_PORT") && is_address;
    };
    let mut parts = rest.split('_');
    let numbered = parts.next().is_some_and(is_port);
    let protocol = parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol));
    let end = parts.next().is_none_or(|end| ["PROTO", "PORT", "ADDR"].contains(&end));
    numbered && protocol && end && parts.next().is_none()
}
