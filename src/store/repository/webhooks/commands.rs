//! What operators do with webhooks, beside running servers.

use std::collections::BTreeMap;

use sea_orm::{EntityTrait, QueryOrder};

use super::lease::WebhookLease;
use super::replay::ReplayStart;
use crate::model::{AuditAction, AuditEntry, OwnerPattern, WebhookState, WebhookSummary};
use crate::store::database::Store;
use crate::store::entity::webhook::{Column, Entity};
use crate::store::error::{Error, Result};

impl Store {
    /// All webhooks that were ever registered, by name. `owners` has the owners that each is about, if it is not all.
    pub async fn webhooks(
        &self,
        owners: &BTreeMap<String, Vec<OwnerPattern>>,
    ) -> Result<Vec<WebhookSummary>> {
        let rows = Entity::find().order_by_asc(Column::Name).all(&self.0.read).await?;
        let mut summaries = Vec::with_capacity(rows.len());
        for row in rows {
            let (owners_behind, owners_stalled) = {
                let owners = owners.get(&row.name).map_or(&[][..], Vec::as_slice);
                self.count_owners_behind(&row.name, owners).await?
            };
            summaries.push(WebhookSummary {
                name: row.name,
                registered_at: row.registered_at,
                state: WebhookState { failing_since: row.failing_since, paused_since: row.paused_since },
                last_fault: row.last_fault,
                owners_behind,
                owners_stalled,
            });
        }
        Ok(summaries)
    }

    /// Delivers again for a webhook that was paused, and for owners whose deliveries were given up.
    ///
    /// # Errors
    /// - `NotFound`: there is no such webhook.
    pub async fn resume_webhook(&self, name: &str) -> Result<()> {
        let lease = self.interrupt(name).await?;
        let cleared = self.clear_failures(&lease).await;
        self.end_command(&lease, AuditAction::ResumeWebhook, cleared).await
    }

    /// Delivers again what was delivered before, as far as the feed is kept, and resumes the webhook. Positions only move
    /// back.
    ///
    /// # Errors
    /// - `NotFound`: there is no such webhook.
    pub async fn replay_webhook(&self, name: &str, start: &ReplayStart) -> Result<()> {
        let lease = self.interrupt(name).await?;
        let moved = async {
            self.move_positions_back(&lease, start).await?;
            self.clear_failures(&lease).await
        };
        let moved = moved.await;
        self.end_command(&lease, AuditAction::ReplayWebhook, moved).await
    }

    /// Takes the lease from the server that delivers.
    async fn interrupt(&self, name: &str) -> Result<WebhookLease> {
        match self.interrupt_webhook(name).await? {
            Some(lease) => Ok(lease),
            None if Entity::find_by_id(name).one(&self.0.read).await?.is_none() => {
                Err(Error::NotFound("webhook"))
            }
            None => Err(Error::unavailable("another command changes this webhook")),
        }
    }

    /// Gives the lease back, and adds an entry to the audit log.
    async fn end_command(
        &self,
        lease: &WebhookLease,
        action: AuditAction,
        changed: Result<()>,
    ) -> Result<()> {
        if changed.is_ok() {
            self.set_webhook_state(lease, WebhookState::default(), None).await?;
        }
        self.release_webhook_lease(lease).await?;
        changed?;
        self.add_entry(AuditEntry { detail: Some(lease.webhook.clone()), ..self.operation(action) }).await
    }
}
