//! Reads the webhooks from the settings.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::config::{self, Config, Secret};
use crate::model::{EventType, OwnerPattern};
use crate::webhooks::{Endpoint, HttpReceiver, JetStreamReceiver, Receiver, SigningSecret, Webhook};

/// The name of the publisher to JetStream among the webhooks.
const JETSTREAM: &str = "jetstream";

/// How publications to JetStream are bounded: as webhooks are by default.
const PUBLICATION_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_FOR: Duration = Duration::from_secs(3 * 24 * 3600);

/// The webhooks of the configuration, ready to deliver.
///
/// # Errors
/// A setting is not valid. The error names it.
pub async fn webhooks(config: &Config) -> anyhow::Result<Vec<Webhook>> {
    let mut webhooks = Vec::with_capacity(config.webhooks.len() + 1);
    for (at, setting) in config.webhooks.iter().enumerate() {
        let at = format!("webhooks[{at}]");
        let endpoint = Endpoint {
            name: setting.name.clone(),
            events: events(&at, &setting.events)?,
            owners: patterns(&at, &setting.owners)?,
            includes_content: setting.include_content,
            concurrency: setting.concurrency as usize,
            timeout: setting.timeout,
            retry_for: setting.retry_for,
        };
        let webhook = Webhook::new(endpoint, Receiver::Http(http_receiver(&at, setting)?)).await;
        webhooks.push(webhook.with_context(|| format!("the setting `{at}.url` is not valid"))?);
    }
    if let Some(url) = &config.jetstream.url {
        let endpoint = Endpoint {
            name: JETSTREAM.into(),
            events: events(JETSTREAM, &config.jetstream.events)?,
            owners: patterns(JETSTREAM, &config.jetstream.owners)?,
            includes_content: config.jetstream.include_content,
            concurrency: config.jetstream.concurrency as usize,
            timeout: PUBLICATION_TIMEOUT,
            retry_for: RETRY_FOR,
        };
        let subject = config.jetstream.subject.clone();
        let receiver = Receiver::JetStream(JetStreamReceiver { url: url.expose().to_owned(), subject });
        // The cause can contain the URL, with a password.
        let webhook = Webhook::new(endpoint, receiver).await;
        webhooks.push(webhook.map_err(|_| anyhow!("the setting `jetstream.url` is not valid"))?);
    }
    Ok(webhooks)
}

/// The names of the webhooks, with the owners that each is about. None: all.
///
/// # Errors
/// A setting is not valid. The error names it.
pub(super) fn owners(config: &Config) -> anyhow::Result<BTreeMap<String, Vec<OwnerPattern>>> {
    let mut owners = BTreeMap::new();
    if config.jetstream.url.is_some() {
        owners.insert(JETSTREAM.to_owned(), patterns(JETSTREAM, &config.jetstream.owners)?);
    }
    for (at, setting) in config.webhooks.iter().enumerate() {
        let at = format!("webhooks[{at}]");
        if setting.name == JETSTREAM {
            bail!("`{at}.name` must not be {JETSTREAM}: that is the name of the publisher to JetStream");
        }
        if owners.insert(setting.name.clone(), patterns(&at, &setting.owners)?).is_some() {
            bail!("`{at}.name` is a duplicate: {}", setting.name);
        }
    }
    Ok(owners)
}

fn events(at: &str, names: &[String]) -> anyhow::Result<Vec<EventType>> {
    let event = |name: &String| {
        EventType::from_name(name).ok_or_else(|| {
            let known = EventType::CHOICES.map(EventType::name).join(", ");
            anyhow!("`{at}.events` must contain some of {known}, has {name:?}")
        })
    };
    names.iter().map(event).collect()
}

fn patterns(at: &str, texts: &[String]) -> anyhow::Result<Vec<OwnerPattern>> {
    let pattern = |text: &String| {
        OwnerPattern::parse(text).ok_or_else(|| {
            anyhow!("`{at}.owners` must contain subjects, or beginnings of subjects before `*`, has {text:?}")
        })
    };
    texts.iter().map(pattern).collect()
}

fn http_receiver(at: &str, setting: &config::Webhook) -> anyhow::Result<HttpReceiver> {
    if setting.url.starts_with("http://") && !setting.allow_http {
        bail!("`{at}.url` must begin with https://, unless `{at}.allow_http` is true");
    }
    Ok(HttpReceiver {
        url: setting.url.parse().map_err(|error| anyhow!("`{at}.url` is not a URL: {error}"))?,
        secrets: secrets(at, setting)?,
        allows_private_addresses: setting.allow_private_addresses,
    })
}

/// The secrets: those of the setting, or of the lines of the file.
fn secrets(at: &str, setting: &config::Webhook) -> anyhow::Result<Vec<SigningSecret>> {
    let parse =
        |name: &str, text: &str| SigningSecret::parse(text).map_err(|rule| anyhow!("`{at}.{name}` {rule}"));
    let secrets: Vec<_> = match (&setting.secret[..], &setting.secret_file) {
        ([], Some(path)) => {
            let context = || format!("cannot read `{at}.secret_file`, {}", path.display());
            let text = fs::read_to_string(path).with_context(context)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(|line| parse("secret_file", line)).collect::<anyhow::Result<_>>()?
        }
        (secrets, None) => {
            let texts = secrets.iter().map(Secret::expose);
            texts.map(|text| parse("secret", text)).collect::<anyhow::Result<_>>()?
        }
        _ => bail!("set only one of `{at}.secret` and `{at}.secret_file`"),
    };
    if secrets.is_empty() {
        bail!("`{at}` requires a secret in `secret` or `secret_file`");
    }
    Ok(secrets)
}
