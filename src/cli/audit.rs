//! `scrollback audit`.

use anyhow::{Context, bail};
use serde_json::json;

use super::arguments::AuditArguments;
use super::output::print_line;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{AuditAction, AuditEntry, AuditFilter, AuditedOwner, OwnerId, Timestamp};
use crate::store::Store;

/// Entries that are read at once.
const PAGE: u64 = 500;

pub(super) async fn audit(config: Config, arguments: AuditArguments) -> anyhow::Result<()> {
    // Invalid arguments are rejected before a database is created.
    let filter = filter(&arguments)?;
    let app = App::open_for_command(config, Clock::system()).await?;
    let printed = print_all(&app.store, &filter, arguments.json).await;
    app.store.close().await;
    printed
}

fn filter(arguments: &AuditArguments) -> anyhow::Result<AuditFilter> {
    let time = |name: &str, text: &Option<String>| {
        text.as_ref().map(|text| Timestamp::parse(name, text)).transpose()
    };
    let action = |name: &String| match AuditAction::from_name(name) {
        Some(action) => Ok(action),
        None => {
            let names: Vec<_> = AuditAction::ALL.iter().map(|action| action.name()).collect();
            bail!("--action must be one of {}, got {name}", names.join(", "))
        }
    };
    Ok(AuditFilter {
        owner: arguments.user.clone().map(OwnerId::new).transpose().context("--user is not valid")?,
        actor: arguments.actor.clone(),
        action: arguments.action.as_ref().map(action).transpose()?,
        since: time("--since", &arguments.since)?,
        until: time("--until", &arguments.until)?,
    })
}

async fn print_all(store: &Store, filter: &AuditFilter, as_json: bool) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = store.audit_entries(filter, after, PAGE).await?;
        for (number, entry) in &page {
            after = *number;
            print_line(if as_json { json_line(entry) } else { text_line(entry) })?;
        }
        if (page.len() as u64) < PAGE {
            return Ok(());
        }
    }
}

/// The time, who, what, and then what it was about. Names are quoted: they may have spaces.
fn text_line(entry: &AuditEntry) -> String {
    let mut line = format!("{} {}", entry.created_at, entry.actor.kind_name());
    let mut add = |text: String| {
        line.push(' ');
        line.push_str(&text);
    };
    if let Some(name) = entry.actor.name() {
        add(format!("{name:?}"));
    }
    add(entry.action.name().to_owned());
    match &entry.owner {
        Some(AuditedOwner::Known(owner)) => add(format!("user={:?}", owner.as_str())),
        Some(AuditedOwner::Erased(hash)) => add(format!("erased={hash}")),
        None => {}
    }
    if let Some(id) = entry.conversation {
        add(format!("conversation={id}"));
    }
    if let Some(id) = entry.message {
        add(format!("message={id}"));
    }
    if let Some(count) = entry.count {
        add(format!("count={count}"));
    }
    if let Some(webhook) = webhook(entry) {
        add(format!("webhook={webhook}"));
    }
    line
}

/// The name of the webhook that an entry is about.
fn webhook(entry: &AuditEntry) -> Option<&str> {
    let is_about_one = matches!(entry.action, AuditAction::ResumeWebhook | AuditAction::ReplayWebhook);
    entry.detail.as_deref().filter(|_| is_about_one)
}

fn json_line(entry: &AuditEntry) -> String {
    let (user, erased) = match &entry.owner {
        Some(AuditedOwner::Known(owner)) => (Some(owner.as_str()), None),
        Some(AuditedOwner::Erased(hash)) => (None, Some(hash)),
        None => (None, None),
    };
    let webhook = webhook(entry);
    let receipt = entry.detail.as_deref().filter(|_| webhook.is_none());
    let receipt = receipt.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    json!({
        "createdAt": entry.created_at.to_string(),
        "actorKind": entry.actor.kind_name(),
        "actor": entry.actor.name(),
        "action": entry.action.name(),
        "user": user,
        "erasedUserHash": erased,
        "conversationId": entry.conversation.map(|id| id.to_string()),
        "messageId": entry.message.map(|id| id.to_string()),
        "count": entry.count,
        "receipt": receipt,
        "webhook": webhook,
    })
    .to_string()
}
