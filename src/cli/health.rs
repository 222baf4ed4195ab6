//! `scrollback health`.

use std::net::SocketAddr;

use clap::Args;

use super::output::print_line;
use crate::config::Config;
use crate::server;

#[derive(Debug, Args)]
pub(super) struct HealthArguments {
    /// Address and port of its health checks [default: server.admin_listen, or else server.listen]
    #[arg(long)]
    pub(super) address: Option<SocketAddr>,
}

/// Fails with the reason if the server is not ready.
pub(super) async fn health(config: &Config, arguments: &HealthArguments) -> anyhow::Result<()> {
    let configured = config.server.admin_listen.unwrap_or(config.server.listen);
    server::check_readiness(arguments.address.unwrap_or(configured)).await?;
    print_line("ready")
}
