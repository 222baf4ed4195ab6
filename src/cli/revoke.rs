//! `scrollback revoke`.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::arguments::{RevokeArguments, RevokeCommand};
use super::output::print_line;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{OwnerId, Revocation, RevokedTokens, Timestamp};
use crate::store::Store;

/// The longest `jti`, in bytes: that of a token of the longest size that is accepted.
const MAX_ID_BYTES: usize = 8 * 1024;

/// How long servers can read that a revocation is undone.
const UNDONE: Duration = Duration::from_secs(3600);

pub(super) async fn revoke(config: Config, arguments: RevokeArguments) -> anyhow::Result<()> {
    let clock = Clock::system();
    let expiry = config.auth.max_lifetime.map(|most| later(clock.now(), most + config.auth.leeway));
    let wanted = wanted(arguments.action, clock.now(), expiry)?;
    let app = App::open_for_command(config, clock.clone()).await?;
    let lines = run(&app.store, wanted, clock.now()).await;
    app.store.close().await;
    for line in lines? {
        print_line(line)?;
    }
    Ok(())
}

/// What to do, with arguments that are valid.
enum Wanted {
    Store(Revocation),
    List { json: bool },
}

fn wanted(command: RevokeCommand, now: Timestamp, expiry: Option<Timestamp>) -> anyhow::Result<Wanted> {
    let (tokens, issued_before, until, is_undone) = match command {
        RevokeCommand::User { user, issued_before, until, undo } => {
            let user = OwnerId::new(user).map_err(|invalid| anyhow::anyhow!("USER {}", invalid.rule))?;
            let before = time("--issued-before", issued_before.as_deref())?.unwrap_or(now);
            (RevokedTokens::User(user), Some(before), until, undo)
        }
        RevokeCommand::Token { id, until, undo } => {
            if id.is_empty() || id.len() > MAX_ID_BYTES {
                bail!("ID must have 1 to {MAX_ID_BYTES} bytes, has {}", id.len());
            }
            (RevokedTokens::Token(id), None, until, undo)
        }
        RevokeCommand::List { json } => return Ok(Wanted::List { json }),
    };
    let until = time("--until", until.as_deref())?;
    if let Some(until) = until.filter(|until| *until <= now) {
        bail!("--until must be in the future, got {until}");
    }
    let until = if is_undone { Some(later(now, UNDONE)) } else { until.or(expiry) };
    Ok(Wanted::Store(Revocation { tokens, issued_before, until, is_undone, created_at: now }))
}

fn time(argument: &'static str, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let parse = |text| {
        Timestamp::parse(argument, text).map_err(|invalid| anyhow::anyhow!("{argument} {}", invalid.rule))
    };
    text.map(parse).transpose()
}

fn later(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
}

async fn run(store: &Store, wanted: Wanted, now: Timestamp) -> anyhow::Result<Vec<String>> {
    match wanted {
        Wanted::Store(revocation) => {
            store.revoke(&revocation).await.context("cannot store the revocation")?;
            Ok(vec![text_line(&revocation)])
        }
        Wanted::List { json } => {
            let (_, all) = store.revocations_after(0).await.context("cannot read the revocations")?;
            let line = if json { json_line } else { text_line };
            Ok(all.iter().filter(|revocation| revocation.is_active(now)).map(line).collect())
        }
    }
}

fn text_line(revocation: &Revocation) -> String {
    let Revocation { tokens, issued_before, until, is_undone, .. } = revocation;
    let what = match tokens {
        RevokedTokens::Token(id) => format!("token {id}"),
        RevokedTokens::User(user) => format!("user {}", user.as_str()),
    };
    if *is_undone {
        return format!("{what} accepted again");
    }
    let before = issued_before.map(|time| format!(" issued_before={time}")).unwrap_or_default();
    let until = until.map(|time| format!(" until={time}")).unwrap_or_default();
    format!("{what} revoked{before}{until}")
}

fn json_line(revocation: &Revocation) -> String {
    let (token, user) = match &revocation.tokens {
        RevokedTokens::Token(id) => (Some(id), None),
        RevokedTokens::User(user) => (None, Some(user.as_str())),
    };
    json!({
        "token": token,
        "user": user,
        "issuedBefore": revocation.issued_before,
        "until": revocation.until,
        "revokedAt": revocation.created_at,
    })
    .to_string()
}
