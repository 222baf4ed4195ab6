//! New settings for a server that runs.

use super::validation::{self, ReadSettings};
use super::{App, settings, webhooks};
use crate::config::{Config, Reload};
use crate::server::{ReloadHandle, ReloadedSettings};
use crate::telemetry;
use crate::webhooks::{Webhook, WebhookFigures, Webhooks};

impl App {
    /// Uses the settings of `new` that can change, or none of them if they are not valid. Secrets and keys in files are read
    /// again too.
    pub(super) async fn reload(
        &mut self,
        new: Config,
        server: &ReloadHandle,
        running: &mut Webhooks,
        figures: &WebhookFigures,
    ) {
        let Reload { config, changed, unchanged } = self.config.reload(&new);
        let webhooks = match self.apply(&config, server).await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the new settings are not valid: all settings stay as they were");
                return;
            }
        };
        let (was_empty, is_empty) = (self.webhook_owners.is_empty(), webhooks.is_empty());
        self.webhooks = webhooks;
        // They are valid: `apply` has read them.
        self.webhook_owners = webhooks::owners(&config).unwrap_or_default();
        self.config = config;
        if was_empty && !is_empty {
            self.store.follow_all_owners();
        }
        // What is being delivered ends first: of two that deliver for one user, the second could overtake.
        let stopped = std::mem::take(running);
        self.stop_webhooks(stopped).await;
        *running = self.start_webhooks(figures);
        tracing::info!(changed = changed.join(", "), "read the settings again");
        if !unchanged.is_empty() {
            tracing::warn!(settings = unchanged.join(", "), "these settings have changed and need a restart");
        }
    }

    /// Changes the server. Nothing is changed if a setting is not valid.
    async fn apply(&self, config: &Config, server: &ReloadHandle) -> anyhow::Result<Vec<Webhook>> {
        let ReadSettings { issuers, webhooks } = validation::read(config).await?;
        if config.log.level != self.config.log.level {
            telemetry::reconfigure(&config.log)?;
        }
        let has_new_rate = config.rate != self.config.rate;
        server.apply(ReloadedSettings {
            issuers,
            timing: settings::key_set_timing(config),
            limits: settings::limits(config),
            content: settings::content_limits(config),
            rate: has_new_rate.then(|| settings::rate(config)),
        })?;
        Ok(webhooks)
    }
}
