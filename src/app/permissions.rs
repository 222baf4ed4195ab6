//! Warnings about files that other users of the machine can read or replace.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::auth::development_secret_file;
use crate::config::{Config, Mode};
use crate::permissions::{ANY, WRITE, others_have, others_may_replace_files};
use crate::store;

/// Logs a warning for each kind of file that others can use, with a `chmod` command.
pub(super) fn warn(config: &Config, database: &store::Settings) {
    for warning in warnings(config, database) {
        tracing::warn!("{warning}");
    }
}

pub(super) fn warnings(config: &Config, database: &store::Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let database = store::sqlite_files(database);
    let secret = development_secret_file(&config.data_dir);
    let own_folder = config.database.url.is_none() || (config.mode == Mode::Development && secret.exists());
    if own_folder && others_have(ANY, &config.data_dir) {
        let command = command("700", [&config.data_dir]);
        warnings.push(format!(
            "other users can use the data folder {}: run `{command}`",
            config.data_dir.display()
        ));
    }
    // If the database shares a folder with other files, that folder is not changed.
    let is_own = |folder: &Path| own_folder && config.data_dir.canonicalize().is_ok_and(|own| own == folder);
    if let Some(folder) = database.first().and_then(|file| file.parent())
        && others_may_replace_files(folder)
        && !is_own(folder)
    {
        let command = command("go-w", [folder]);
        warnings.push(format!(
            "other users can replace the database in the folder {}: run `{command}`",
            folder.display()
        ));
    }
    if let Some(files) = config.file_storage().map(PathBuf::from).filter(|files| others_have(ANY, files)) {
        let command = command("700", [&files]);
        warnings
            .push(format!("other users can use the folder of files {}: run `{command}`", files.display()));
    }
    let open: Vec<PathBuf> = database.into_iter().filter(|file| others_have(ANY, file)).collect();
    if let Some(file) = open.first() {
        let command = command("600", &open);
        warnings.push(format!("other users can read the database {}: run `{command}`", file.display()));
    }
    let secret =
        (own_folder && config.mode == Mode::Development).then_some(("the development secret", &secret));
    let secrets =
        secret.into_iter().map(|(name, path)| (name.to_owned(), path.clone())).chain(secret_files(config));
    for (name, path) in secrets.filter(|(_, path)| others_have(ANY, path)) {
        let command = command("600", [&path]);
        warnings.push(format!("other users can read {name}, {}: run `{command}`", path.display()));
    }
    for (setting, path) in key_files(config).filter(|(_, path)| others_have(WRITE, path)) {
        let command = command("go-w", [path]);
        warnings.push(format!("other users can write to `{setting}`, {}: run `{command}`", path.display()));
    }
    warnings
}

/// Files with secrets, with their names for messages.
fn secret_files(config: &Config) -> impl Iterator<Item = (String, PathBuf)> {
    let of_issuers = config.auth.issuers.iter().enumerate().filter_map(|(at, issuer)| {
        Some((format!("auth.issuers[{at}].jwt_secret_file"), issuer.jwt_secret_file.clone()?))
    });
    let of_secrets = config.auth.jwt_secrets.iter().enumerate().filter_map(|(at, listed)| {
        Some((format!("auth.jwt_secrets[{at}].secret_file"), listed.secret_file.clone()?))
    });
    let of_webhooks = config.webhooks.iter().enumerate().filter_map(|(at, webhook)| {
        Some((format!("webhooks[{at}].secret_file"), webhook.secret_file.clone()?))
    });
    let single = [
        ("auth.jwt_secret_file", &config.auth.jwt_secret_file),
        ("database.url_file", &config.database.url_file),
        ("feed.signals_file", &config.feed.signals_file),
        ("jetstream.url_file", &config.jetstream.url_file),
        ("traces.headers_file", &config.traces.headers_file),
    ];
    let single = single.into_iter().filter_map(|(setting, path)| Some((setting.to_owned(), path.clone()?)));
    let settings = single.chain(of_issuers).chain(of_secrets).chain(of_webhooks);
    let settings = settings.map(|(setting, path)| (format!("`{setting}`"), path));
    let file =
        config.file_with_secrets.clone().map(|path| ("secrets in the configuration file".to_owned(), path));
    let client_key =
        client_key(&config.database_url()).map(|path| ("`sslkey` of `database.url`".to_owned(), path));
    settings.chain(file).chain(client_key)
}

/// The private key in a PostgreSQL URL.
fn client_key(url: &str) -> Option<PathBuf> {
    let (_, query) = url.strip_prefix("postgres")?.split_once('?')?;
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters
        .find(|(name, _)| name == "sslkey" || name == "ssl-key")
        .map(|(_, path)| path.into_owned().into())
}

/// Public files with trusted keys and certificate authorities.
fn key_files(config: &Config) -> impl Iterator<Item = (String, &PathBuf)> {
    let auth = &config.auth;
    let shared = [("jwt_public_key_file", &auth.jwt_public_key_file), ("jwks_ca_file", &auth.jwks_ca_file)];
    let shared = shared.into_iter().filter_map(|(name, path)| Some((format!("auth.{name}"), path.as_ref()?)));
    shared.chain(auth.issuers.iter().enumerate().filter_map(|(at, issuer)| {
        Some((format!("auth.issuers[{at}].jwt_public_key_file"), issuer.jwt_public_key_file.as_ref()?))
    }))
}

/// The `chmod` command, quoted for a shell.
fn command<P: AsRef<Path>>(mode: &str, paths: impl IntoIterator<Item = P>) -> String {
    let mut command = format!("chmod {mode}");
    for path in paths {
        let path = path.as_ref().display().to_string();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        // Writing to a string cannot fail.
        let _ = if path.chars().all(is_plain) {
            write!(command, " {path}")
        } else {
            write!(command, " '{}'", path.replace('\'', r"'\''"))
        };
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_quote_paths_for_the_shell() {
        assert_eq!(command("600", ["data/a.db", "data/a.db-wal"]), "chmod 600 data/a.db data/a.db-wal");
        assert_eq!(command("700", ["it's here"]), r"chmod 700 'it'\''s here'");
    }

    #[test]
    fn the_sslkey_parameter_is_found_in_the_url() {
        let found = client_key("postgresql://db/chat?sslmode=require&sslkey=%2Frun%2Fa.key");
        assert_eq!(found, Some("/run/a.key".into()));
        assert_eq!(client_key("postgres://db/chat"), None);
        assert_eq!(client_key("sqlite://a.db?sslkey=b"), None);
    }
}
