//! Looks at a deployment and says what to change: settings, the machine, the database, and what else a server needs.
//!
//! Nothing is changed, except that an object is written to the store of attachments and deleted again.

mod database;
mod finding;
mod machine;
mod services;

use super::{permissions, settings, validation};
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::store::Process;

use finding::Findings;
pub use finding::{Finding, Severity};

/// Looks at everything.
pub async fn examine(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut findings = Findings::default();
    examine_settings(config, &mut findings).await;
    let database = settings::database(config, Process::Command);
    machine::examine(config, &database, &mut findings);
    database::examine(config, &database, clock, &mut findings).await;
    services::examine(config, &mut findings).await;
    findings.0
}

async fn examine_settings(config: &Config, findings: &mut Findings) {
    const TOPIC: &str = "settings";
    match validation::validate(config).await {
        Ok(()) => findings.add(Severity::Ok, TOPIC, "they are valid"),
        Err(error) => findings.error(TOPIC, &error),
    }
    let is_public = !config.server.listen.ip().is_loopback();
    if config.mode == Mode::Development && is_public {
        let text = "`mode` is development, and `server.listen` is reachable from other machines: set `mode = \"production\"`";
        findings.add(Severity::Warning, TOPIC, text);
    }
    match config.server.admin_listen {
        Some(address) if address.ip().is_unspecified() => {
            let text = "`server.admin_listen` is on all interfaces: let nobody but the monitoring reach it";
            findings.add(Severity::Advice, TOPIC, text);
        }
        Some(_) => {}
        None => findings.add(Severity::Advice, TOPIC, "set `server.admin_listen` to have metrics"),
    }
    if config.mode == Mode::Production && config.auth.max_lifetime.is_none() {
        let text = "`auth.max_lifetime` is \"never\": a stolen token is good for as long as its issuer said";
        findings.add(Severity::Advice, TOPIC, text);
    }
    if config.mode == Mode::Production && config.rate.operations_per_minute.is_none() {
        let text = "there is no rate limit: `rate.operations_per_minute` keeps one user from slowing down the others";
        findings.add(Severity::Advice, TOPIC, text);
    }
    let database = settings::database(config, Process::Command);
    let warnings = permissions::warnings(config, &database);
    if warnings.is_empty() {
        findings.add(Severity::Ok, "permissions", "other users of this machine cannot read what is private");
    }
    for warning in warnings {
        findings.add(Severity::Warning, "permissions", warning);
    }
}
