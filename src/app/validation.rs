//! Checks settings without a server and without a database.

use super::{credentials, documents, settings, traces, webhooks};
use crate::auth::Issuer;
use crate::config::Config;
use crate::rate_limit::RateLimiter;
use crate::server::JobFigures;
use crate::traces::Tracer;
use crate::webhooks::{Webhook, WebhookFigures};

/// What settings name, read and valid.
pub(super) struct ReadSettings {
    pub(super) issuers: Vec<Issuer>,
    pub(super) webhooks: Vec<Webhook>,
}

/// Reads what the settings name, as a server does before it opens the database: keys, documents and webhooks.
///
/// # Errors
/// What would keep a server with these settings from starting.
pub async fn validate(config: &Config) -> anyhow::Result<()> {
    read(config).await?;
    traces::settings(&config.traces)?;
    Ok(())
}

/// The same for the settings that can change while a server runs.
pub(super) async fn read(config: &Config) -> anyhow::Result<ReadSettings> {
    let issuers = credentials::issuers(config)?;
    documents::load(&config.documents, &settings::limits(config), settings::subgraph(config))?;
    webhooks::owners(config)?;
    let webhooks = webhooks::webhooks(config).await?;
    settings::server_settings(
        config,
        RateLimiter::new(None),
        WebhookFigures::default(),
        JobFigures::default(),
        Tracer::default(),
    )?;
    Ok(ReadSettings { issuers, webhooks })
}
