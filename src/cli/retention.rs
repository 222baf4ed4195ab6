//! `scrollback retention`.

use std::time::Duration;

use anyhow::{Context, bail};

use super::arguments::{InactiveAction, OwnRuleArguments, RetentionArguments, RetentionCommand};
use super::output::print_line;
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{
    InactivityRule, OwnerId, OwnerRetention, RetentionAction, RetentionReason, RetentionRules,
};
use crate::store::Store;

pub(super) async fn retention(config: Config, arguments: RetentionArguments) -> anyhow::Result<()> {
    // Invalid arguments are rejected before a database is created.
    let own_rule = arguments.action.map(own_rule).transpose()?;
    let rules = app::retention::rules(&config.retention);
    let app = App::open_for_command(config, Clock::system()).await?;
    let done = match own_rule {
        Some((owner, rule)) => set(&app.store, &owner, rule).await,
        None if arguments.dry_run => show(&app.store, rules).await,
        None => apply(&app.store, rules).await,
    };
    app.store.close().await;
    for line in done? {
        print_line(line)?;
    }
    Ok(())
}

fn own_rule(command: RetentionCommand) -> anyhow::Result<(OwnerId, OwnerRetention)> {
    let owner = |user: &str| OwnerId::new(user).context("--user is not valid");
    match command {
        RetentionCommand::Unset { user } => Ok((owner(&user)?, OwnerRetention::Default)),
        RetentionCommand::Set(OwnRuleArguments { user, inactive, action }) => {
            let owner = owner(&user)?;
            if inactive == "never" {
                return Ok((owner, OwnerRetention::Keep));
            }
            let after = humantime::parse_duration(&inactive).with_context(|| {
                format!("--inactive must be a duration such as 90days, or never, got {inactive}")
            })?;
            if after < Duration::from_secs(1) {
                bail!("--inactive must be at least 1s, or never, got {inactive}");
            }
            let action = match action {
                InactiveAction::Delete => RetentionAction::Delete,
                InactiveAction::Archive => RetentionAction::Archive,
            };
            Ok((owner, OwnerRetention::Rule(InactivityRule { after: app::retention::micros(after), action })))
        }
    }
}

async fn set(store: &Store, owner: &OwnerId, rule: OwnerRetention) -> anyhow::Result<Vec<String>> {
    store.set_owner_retention(owner, rule).await?;
    let what = match rule {
        OwnerRetention::Default => "follow the rule of the configuration",
        OwnerRetention::Keep => "are kept",
        OwnerRetention::Rule(InactivityRule { action: RetentionAction::Delete, .. }) => {
            "are deleted after that time without activity"
        }
        OwnerRetention::Rule(InactivityRule { action: RetentionAction::Archive, .. }) => {
            "are archived after that time without activity"
        }
    };
    Ok(vec![format!("conversations of {} {what}", owner.as_str())])
}

/// One line for each owner and reason, and the sum.
async fn show(store: &Store, rules: RetentionRules) -> anyhow::Result<Vec<String>> {
    let due = store.due_conversations(rules).await?;
    let total: i64 = due.iter().map(|count| count.conversations).sum();
    let line =
        |owner: &OwnerId, reason, count| format!("{}: would {} {count}", owner.as_str(), phrase(reason));
    let mut lines: Vec<_> = due.iter().map(|due| line(&due.owner, due.reason, due.conversations)).collect();
    lines.push(format!("{total} conversations in all"));
    Ok(lines)
}

async fn apply(store: &Store, rules: RetentionRules) -> anyhow::Result<Vec<String>> {
    let done = store.apply_retention(rules).await?;
    let count = |reason| done.get(&reason).copied().unwrap_or(0);
    let archived = count(RetentionReason::InactiveArchive);
    let deleted: u64 = done.values().sum::<u64>() - archived;
    Ok(vec![format!(
        "deleted {deleted} conversations ({} from the trash, {} expired, {} without activity), archived {archived}",
        count(RetentionReason::Trash),
        count(RetentionReason::Expired),
        count(RetentionReason::InactiveDelete)
    )])
}

fn phrase(reason: RetentionReason) -> &'static str {
    match reason {
        RetentionReason::Trash => "delete from the trash",
        RetentionReason::Expired => "delete as expired",
        RetentionReason::InactiveDelete => "delete without activity",
        RetentionReason::InactiveArchive => "archive without activity",
    }
}
