//! Which settings can change while a server runs.

use std::fmt;

use toml::{Table, Value};

use super::{Config, Limits, Log, names};

/// The sections of which all settings are used when the server reads its settings again.
const SECTIONS: [&str; 4] = ["auth.", "limits.", "rate.", "jetstream."];

/// Further settings that are used then, and the one of those sections that is not: memory is reserved by it.
const SETTINGS: [&str; 2] = ["log.level", "webhooks"];
const EXCEPTION: &str = "limits.answer_bytes";

/// The values of all settings as they were read. They may be secrets, and are hidden in `Debug`.
#[derive(Clone, Default)]
pub struct Values(pub(super) Table);

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values(…)")
    }
}

/// The settings of a server that has read its settings again.
pub struct Reload {
    /// The settings that it has from now on.
    pub config: Config,
    /// The names of changed settings that are used from now on.
    pub changed: Vec<String>,
    /// The names of changed settings that are used after a restart only.
    pub unchanged: Vec<String>,
}

impl Config {
    /// The settings of a running server with these settings that has read `new`.
    pub fn reload(&self, new: &Self) -> Reload {
        let is_used = |name: &String| {
            name != EXCEPTION
                && (SETTINGS.contains(&name.as_str())
                    || SECTIONS.iter().any(|section| name.starts_with(section)))
        };
        let all = names::leaves(&new.values.0, "").into_iter();
        let differing = all.filter(|name| value(&self.values.0, name) != value(&new.values.0, name));
        let (changed, unchanged): (Vec<_>, Vec<_>) = differing.partition(is_used);
        let mut config = Self {
            auth: new.auth.clone(),
            limits: Limits { answer_bytes: self.limits.answer_bytes, ..new.limits },
            rate: new.rate,
            jetstream: new.jetstream.clone(),
            webhooks: new.webhooks.clone(),
            log: Log { level: new.log.level.clone(), ..self.log.clone() },
            ..self.clone()
        };
        for name in &changed {
            if let Some(value) = value(&new.values.0, name) {
                set(&mut config.values.0, name, value.clone());
            }
        }
        Reload { config, changed, unchanged }
    }
}

fn value<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        Some((section, rest)) => table.get(section)?.get(rest),
        None => table.get(name),
    }
}

fn set(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.insert(rest.to_owned(), value);
            }
        }
        None => {
            table.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn with(settings: &[(&str, &str)]) -> Config {
        let pair = |(name, value): &(&str, &str)| (names::variable(name), (*value).to_owned());
        let environment = settings.iter().map(pair).collect();
        load(Sources { environment, ..Sources::default() }).unwrap()
    }

    #[test]
    fn changes_are_used_or_wait_for_a_restart() {
        let first = with(&[("auth.jwt_secret", "a"), ("server.body_limit", "8388608")]);
        let second = with(&[
            ("auth.jwt_secret", "b"),
            ("limits.cost", "77"),
            ("limits.answer_bytes", "1000000"),
            ("rate.operations_per_minute", "5"),
            ("log.level", "debug"),
            ("server.body_limit", "9000000"),
            ("database.url", "sqlite://other.db"),
        ]);
        let Reload { config, changed, unchanged } = first.reload(&second);
        assert_eq!(changed, ["auth.jwt_secret", "limits.cost", "log.level", "rate.operations_per_minute"]);
        assert_eq!(unchanged, ["database.url", "limits.answer_bytes", "server.body_limit"]);
        assert_eq!(config.limits.cost, 77);
        assert_eq!(config.limits.answer_bytes, first.limits.answer_bytes);
        assert_eq!(config.server.body_limit, 8_388_608);
        assert_eq!(config.log.level, "debug");
        assert_eq!(config.auth.jwt_secret.as_ref().unwrap().expose(), "b");
        assert_eq!(config.database_url(), "sqlite://data/scrollback.db");
        assert!(!format!("{config:?}").contains("jwt_secret\": "), "the values are not shown");

        let again = config.reload(&second);
        assert!(again.changed.is_empty(), "{:?}", again.changed);
        assert_eq!(again.unchanged, unchanged);
    }

    #[test]
    fn the_names_are_those_of_settings() {
        let settings = names::leaves(&Config::default().values.0, "");
        for name in SETTINGS.iter().chain([&EXCEPTION]) {
            assert!(settings.iter().any(|setting| setting == name), "{name}");
        }
        for section in SECTIONS {
            assert!(settings.iter().any(|setting| setting.starts_with(section)), "{section}");
        }
    }
}
