//! What was found.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// It can be better.
    Advice,
    /// It will go wrong one day, or is not safe.
    Warning,
    /// It does not work, or data can be lost.
    Error,
}

/// Something that was looked at.
#[derive(Debug)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was looked at.
    pub topic: &'static str,
    /// What was found, and what to change.
    pub text: String,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, severity: Severity, topic: &'static str, text: impl Into<String>) {
        self.0.push(Finding { severity, topic, text: text.into() });
    }

    pub(super) fn error(&mut self, topic: &'static str, error: &anyhow::Error) {
        self.add(Severity::Error, topic, format!("{error:#}"));
    }
}
