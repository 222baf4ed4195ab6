//! Checks settings without a server and without a database.

use super::{credentials, documents, settings, traces, webhooks};
use crate::config::Config;
use crate::rate_limit::RateLimiter;
use crate::server::JobFigures;
use crate::traces::Tracer;
use crate::webhooks::WebhookFigures;

/// Reads what the settings name, as a server does before it opens the database: keys, documents and webhooks.
///
/// # Errors
/// What would keep a server with these settings from starting.
pub async fn validate(config: &Config) -> anyhow::Result<()> {
    credentials::issuers(config)?;
    documents::load(&config.documents, &settings::limits(config), settings::subgraph(config))?;
    webhooks::owners(config)?;
    webhooks::webhooks(config).await?;
    settings::server_settings(
        config,
        RateLimiter::new(None),
        WebhookFigures::default(),
        JobFigures::default(),
        Tracer::default(),
    )?;
    traces::settings(&config.traces)?;
    Ok(())
}
