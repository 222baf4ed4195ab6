//! `scrollback doctor`.

use std::process::ExitCode;

use serde_json::json;

use super::arguments::DoctorArguments;
use super::output::print_line;
use crate::app::{Finding, Severity, examine};
use crate::clock::Clock;
use crate::config::Config;

/// There are warnings or errors. Wrong arguments are 2, as for every command.
const FOUND: u8 = 3;

/// Prints what was found. The code says whether something must be changed.
pub(super) async fn doctor(config: &Config, arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let findings = examine(config, &Clock::system()).await;
    for Finding { severity, topic, text } in &findings {
        if arguments.json {
            print_line(json!({ "severity": severity.to_string(), "topic": topic, "text": text }))?;
        } else {
            print_line(format_args!("{severity:<8} {topic}: {text}"))?;
        }
    }
    let is_healthy = findings.iter().all(|finding| finding.severity < Severity::Warning);
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}
