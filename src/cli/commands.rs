//! The commands.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use indicatif::ProgressBar;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::arguments::{MigrateAction, MigrateArguments, ReindexArguments, ServeArguments, TokenArguments};
use super::output::print_line;
use super::service_manager;
use super::setting_sources::SettingSources;
use crate::app::{self, App};
use crate::auth::{self, Issuer, Key};
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::model::{OwnerId, Timestamp};
use crate::server::{Listeners, reload_requested, terminated};
use crate::store;

/// The validity of the token of `--token-for`.
const FIRST_TOKEN: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn serve(
    config: Config,
    arguments: ServeArguments,
    sources: SettingSources,
) -> anyhow::Result<()> {
    let stopped = terminated();
    let mut reloads = reload_requested();
    // Invalid arguments are rejected before anything is created.
    if arguments.token_for.is_some() && config.mode == Mode::Production {
        bail!("--token-for is for development only: use `scrollback token` in production");
    }
    app::issuers(&config)?;
    let app = App::open(config.clone(), Clock::system()).await?;
    let wanted = config.server.listen;
    let public = listen("server.listen", wanted).await?;
    let admin = match config.server.admin_listen {
        Some(wanted) => Some(listen("server.admin_listen", wanted).await?),
        None => None,
    };
    let address = public.local_addr()?;
    print_line(format_args!("Scrollback is listening on http://{address}/graphql"))?;
    if let Some(admin) = &admin {
        print_line(format_args!("Health and metrics: http://{}/metrics", admin.local_addr()?))?;
    }
    if let Some(user) = arguments.token_for {
        let lifetime = config.auth.max_lifetime.map_or(FIRST_TOKEN, |most| most.min(FIRST_TOKEN));
        let token = sign(&config, &user, lifetime, None)?;
        let lifetime = humantime::format_duration(lifetime);
        print_line(format_args!("A token for {user}, valid for {lifetime}:\n\n{token}\n"))?;
        print_line(format_args!("Open GraphiQL as {user}: http://{address}/#token={token}"))?;
    } else if config.introspection() {
        let hint = "(`scrollback token --user ada` prints a token)";
        print_line(format_args!("GraphiQL: http://{address}/ {hint}"))?;
    }
    service_manager::notify("READY=1");
    let stopping = async {
        stopped.await;
        service_manager::notify("STOPPING=1");
    };
    let (send, new_settings) = mpsc::channel(1);
    let reloading = async {
        while reloads.next().await.is_some() {
            match sources.load() {
                // The server has stopped if this fails.
                Ok(config) => send.send(config).await.unwrap_or_default(),
                Err(error) => {
                    tracing::error!(%error, "cannot read the settings again: all of them stay as they were");
                }
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = app.serve_and_reload(Listeners { public, admin }, stopping, new_settings) => served,
        () = reloading => Ok(()),
    }
}

async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} (`{setting}`)"))
}

pub(super) async fn migrate(config: Config, arguments: MigrateArguments) -> anyhow::Result<()> {
    let mut database = app::database(&config, store::Process::Command);
    match arguments.action {
        MigrateAction::Up => {
            database.migrate = true;
            store::Store::connect(&database, Clock::system(), crate::signals::Signals::default())
                .await?
                .close()
                .await;
        }
        MigrateAction::Down { steps } => store::undo_migrations(&database, steps).await?,
        MigrateAction::Status => {}
    }
    for (name, applied) in store::migrations(&database).await? {
        print_line(format_args!("{} {name}", if applied { "applied" } else { "pending" }))?;
    }
    Ok(())
}

pub(super) async fn validate(config: &Config) -> anyhow::Result<()> {
    app::validate(config).await?;
    print_line("The settings are valid.")
}

pub(super) fn token(config: &Config, arguments: &TokenArguments) -> anyhow::Result<()> {
    print_line(sign(config, &arguments.user, arguments.expires_in, arguments.scope.as_deref())?)
}

fn sign(config: &Config, user: &str, expires_in: Duration, scope: Option<&str>) -> anyhow::Result<String> {
    let owner = OwnerId::new(user).context("--user is not valid")?;
    let issuers = app::issuers(config)?;
    let [Issuer { key, requirements }] = &issuers[..] else {
        bail!("several issuers are configured: only they can sign tokens");
    };
    let Key::Secrets(secrets) = key else {
        bail!("a public key is configured: only the holder of the private key can sign tokens");
    };
    let secret = secrets.first().context("no secret is configured")?;
    if let Some(most) = requirements.max_lifetime.filter(|most| expires_in > *most) {
        bail!(
            "--expires-in must be at most {} (`auth.max_lifetime`), is {}",
            humantime::format_duration(most),
            humantime::format_duration(expires_in)
        );
    }
    let micros = i64::try_from(expires_in.as_micros()).unwrap_or(i64::MAX);
    let expires_at = Timestamp(Clock::system().now().0.saturating_add(micros));
    auth::sign_with_scope(secret, &owner, expires_at, requirements, scope)
}

pub(super) async fn reindex(config: Config, arguments: ReindexArguments) -> anyhow::Result<()> {
    let owner = arguments.user.map(OwnerId::new).transpose().context("--user cannot own anything")?;
    let app = App::open_for_command(config, Clock::system()).await?;
    let indexed = reindex_owners(&app.store, owner).await;
    app.store.close().await;
    let (owners, documents) = indexed?;
    print_line(format_args!("indexed {documents} messages and titles of {owners} users"))
}

/// Makes the index of one owner or of all anew. Gives how many owners there were, and how many messages and titles.
async fn reindex_owners(store: &store::Store, owner: Option<OwnerId>) -> store::Result<(u64, u64)> {
    if let Some(owner) = owner {
        store.reset_index(&owner).await?;
        return Ok((1, store.index_owner(&owner).await?));
    }
    let (mut owners, mut documents) = (0, 0);
    let progress = ProgressBar::new_spinner();
    let mut page = store.owners_after("").await?;
    while let Some(last) = page.last().cloned() {
        for owner in &page {
            store.reset_index(owner).await?;
            documents += store.index_owner(owner).await?;
            owners += 1;
            progress.set_message(format!("{owners} users, {documents} messages and titles"));
            progress.tick();
        }
        page = store.owners_after(last.as_str()).await?;
    }
    progress.finish_and_clear();
    Ok((owners, documents))
}
