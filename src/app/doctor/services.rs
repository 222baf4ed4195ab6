//! What a server talks to: issuers of tokens, NATS, the store of attachments; and the server itself.

use super::finding::{Findings, Severity};
use crate::app::credentials;
use crate::auth::{Key, check_key_set};
use crate::config::{Config, Secret};
use crate::{server, signals, store};

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    // Errors of the settings are found already.
    for issuer in credentials::issuers(config).unwrap_or_default() {
        if let Key::Url { url, authorities } = &issuer.key {
            match check_key_set(url, authorities).await {
                Ok(count) => findings.add(Severity::Ok, "keys", format!("{url} has {count} keys")),
                Err(error) => {
                    let text = format!(
                        "cannot fetch the keys of {url}: {error:#}. Requests fail until they can be fetched"
                    );
                    findings.add(Severity::Error, "keys", text);
                }
            }
        }
    }
    let brokers = [("feed.signals", &config.feed.signals), ("jetstream.url", &config.jetstream.url)];
    for (setting, url) in brokers {
        let Some(url) = url.as_ref().map(Secret::expose) else { continue };
        match signals::nats::check(url).await {
            Ok(()) => findings.add(Severity::Ok, "nats", format!("the server of `{setting}` answers")),
            Err(error) => {
                findings.add(Severity::Error, "nats", format!("the server of `{setting}`: {error:#}"));
            }
        }
    }
    if let Some(storage) = config.file_storage().filter(|_| config.has_attachments()) {
        match store::check_file_storage(&storage).await {
            Ok(true) => findings.add(Severity::Ok, "attachments", "the store can be written to"),
            Ok(false) => {
                findings.add(
                    Severity::Advice,
                    "attachments",
                    format!("{storage} does not exist: the first start makes it"),
                );
            }
            Err(error) => {
                findings.add(
                    Severity::Error,
                    "attachments",
                    format!("the store of `files.storage`: {error:#}"),
                );
            }
        }
    }
    let address = config.server.admin_listen.unwrap_or(config.server.listen);
    match server::check_readiness(address).await {
        Ok(()) => findings.add(Severity::Ok, "server", format!("the one at {address} is ready")),
        Err(error) => findings.add(Severity::Advice, "server", format!("none is ready here: {error:#}")),
    }
}
