//! `scrollback webhooks`.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use serde_json::json;

use super::arguments::{WebhookArguments, WebhookCommand};
use super::output::print_line;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{OwnerPattern, Timestamp, WebhookState, WebhookSummary};
use crate::store::{Error, ReplayStart, Store};

pub(super) async fn webhooks(config: Config, arguments: WebhookArguments) -> anyhow::Result<()> {
    let app = App::open_for_command(config, Clock::system()).await?;
    let lines = run(&app.store, arguments.action, app.webhook_owners()).await;
    app.store.close().await;
    for line in lines? {
        print_line(line)?;
    }
    Ok(())
}

async fn run(
    store: &Store,
    command: WebhookCommand,
    configured: &BTreeMap<String, Vec<OwnerPattern>>,
) -> anyhow::Result<Vec<String>> {
    match command {
        WebhookCommand::List { json } => {
            let line = if json { json_line } else { text_line };
            let webhooks = store.webhooks(configured).await?;
            Ok(webhooks.iter().map(|webhook| line(webhook, configured.contains_key(&webhook.name))).collect())
        }
        WebhookCommand::Resume { name } => {
            store.resume_webhook(&name).await.map_err(|error| explain(error, &name))?;
            Ok(vec![format!("{name} is resumed")])
        }
        WebhookCommand::Replay { name, from } => {
            let start = replay_start(store, &from).await?;
            store.replay_webhook(&name, &start).await.map_err(|error| explain(error, &name))?;
            Ok(vec![format!("{name} delivers again from {from}")])
        }
    }
}

fn explain(error: Error, name: &str) -> anyhow::Error {
    match error {
        Error::NotFound(_) => {
            anyhow!("no server has started with a webhook `{name}`: `scrollback webhooks list` prints all")
        }
        error => error.into(),
    }
}

/// A time, or a cursor of a change.
async fn replay_start(store: &Store, from: &str) -> anyhow::Result<ReplayStart> {
    if let Ok(time) = Timestamp::parse("--from", from) {
        return Ok(ReplayStart::Time(time));
    }
    let found = store.owner_of_cursor(from).await.context("cannot look for the user of the cursor")?;
    let Some((owner, revision)) = found else {
        bail!("--from must be an RFC 3339 time with offset, or the cursor of a change of a user, got {from}");
    };
    Ok(ReplayStart::Owner(owner, revision))
}

/// The state as a word.
fn state(webhook: &WebhookSummary) -> &'static str {
    match webhook.state {
        WebhookState { paused_since: Some(_), .. } => "paused",
        WebhookState { failing_since: Some(_), .. } => "failing",
        _ => "active",
    }
}

fn text_line(webhook: &WebhookSummary, is_configured: bool) -> String {
    let mut line = format!("{} {}", webhook.name, state(webhook));
    let WebhookState { failing_since, paused_since } = webhook.state;
    if let Some(since) = paused_since.or(failing_since) {
        line.push_str(&format!(" since={since}"));
    }
    if let (Some(fault), Some(_)) = (&webhook.last_fault, failing_since) {
        line.push_str(&format!(" fault={fault:?}"));
    }
    line.push_str(&format!(
        " users_behind={} users_given_up={}",
        webhook.owners_behind, webhook.owners_stalled
    ));
    if !is_configured {
        line.push_str(" (not in the configuration)");
    }
    line
}

fn json_line(webhook: &WebhookSummary, is_configured: bool) -> String {
    json!({
        "name": webhook.name,
        "state": state(webhook),
        "registeredAt": webhook.registered_at,
        "failingSince": webhook.state.failing_since,
        "pausedSince": webhook.state.paused_since,
        "fault": webhook.last_fault,
        "usersBehind": webhook.owners_behind,
        "usersGivenUp": webhook.owners_stalled,
        "isConfigured": is_configured,
    })
    .to_string()
}
