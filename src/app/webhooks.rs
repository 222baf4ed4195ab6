//! Reads the webhooks from the settings.

use std::fs;

use anyhow::{Context, anyhow, bail};

use crate::config::{self, Config, Secret};
use crate::model::{EventType, OwnerPattern};
use crate::webhooks::{Endpoint, SigningSecret, Webhook};

/// The webhooks of the configuration.
///
/// # Errors
/// A setting is not valid. The error names it.
pub fn webhooks(config: &Config) -> anyhow::Result<Vec<Webhook>> {
    let mut names = Vec::with_capacity(config.webhooks.len());
    let mut webhooks = Vec::with_capacity(config.webhooks.len());
    for (at, setting) in config.webhooks.iter().enumerate() {
        let at = format!("webhooks[{at}]");
        if names.contains(&&setting.name) {
            bail!("`{at}.name` is a duplicate: {}", setting.name);
        }
        names.push(&setting.name);
        let endpoint = endpoint(&at, setting)?;
        webhooks
            .push(Webhook::new(endpoint).with_context(|| format!("the setting `{at}.url` is not valid"))?);
    }
    Ok(webhooks)
}

fn endpoint(at: &str, setting: &config::Webhook) -> anyhow::Result<Endpoint> {
    if setting.url.starts_with("http://") && !setting.allow_http {
        bail!("`{at}.url` must begin with https://, unless `{at}.allow_http` is true");
    }
    let event = |name: &String| {
        EventType::from_name(name).ok_or_else(|| {
            let known = EventType::CHOICES.map(EventType::name).join(", ");
            anyhow!("`{at}.events` must contain some of {known}, has {name:?}")
        })
    };
    let owner = |text: &String| {
        OwnerPattern::parse(text).ok_or_else(|| {
            anyhow!("`{at}.owners` must contain subjects, or beginnings of subjects before `*`, has {text:?}")
        })
    };
    Ok(Endpoint {
        name: setting.name.clone(),
        url: setting.url.parse().map_err(|error| anyhow!("`{at}.url` is not a URL: {error}"))?,
        secrets: secrets(at, setting)?,
        events: setting.events.iter().map(event).collect::<anyhow::Result<_>>()?,
        owners: setting.owners.iter().map(owner).collect::<anyhow::Result<_>>()?,
        includes_content: setting.include_content,
        allows_private_addresses: setting.allow_private_addresses,
        concurrency: setting.concurrency as usize,
        timeout: setting.timeout,
        retry_for: setting.retry_for,
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
