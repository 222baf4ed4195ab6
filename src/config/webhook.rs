//! Settings of webhooks, and of the publisher to NATS JetStream.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::Secret;
use super::value;

/// A webhook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The name in the database, in metrics and in commands.
    #[serde(deserialize_with = "value::webhook_name")]
    pub name: String,
    /// Where events are sent.
    #[serde(deserialize_with = "value::webhook_url")]
    pub url: String,
    /// The secrets that sign.
    #[serde(default, deserialize_with = "secrets")]
    pub secret: Vec<Secret>,
    /// A file with the secrets, one a line.
    #[serde(default, deserialize_with = "value::optional")]
    pub secret_file: Option<PathBuf>,
    /// The events to send. Empty: all.
    #[serde(default)]
    pub events: Vec<String>,
    /// The owners whose changes are sent. Empty: all.
    #[serde(default)]
    pub owners: Vec<String>,
    /// Whether events have the message or conversation.
    #[serde(default)]
    pub include_content: bool,
    /// Whether the receiver may have a private address.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// Whether the URL may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// The most deliveries at once.
    #[serde(default = "concurrency", deserialize_with = "value::webhook_concurrency")]
    pub concurrency: u32,
    /// The time for a delivery.
    #[serde(default = "timeout", deserialize_with = "value::webhook_timeout")]
    pub timeout: Duration,
    /// The time after the first failure for which deliveries are tried again.
    #[serde(default = "retry_for", deserialize_with = "value::positive_duration")]
    pub retry_for: Duration,
}

fn concurrency() -> u32 {
    16
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

fn retry_for() -> Duration {
    Duration::from_secs(3 * 24 * 3600)
}

/// One secret, or a list.
fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(Secret),
        Many(Vec<Secret>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(secret) => vec![secret],
        OneOrMany::Many(secrets) => secrets,
    })
}

/// The publisher to NATS JetStream.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JetStream {
    /// The NATS server; may hold a password.
    #[serde(deserialize_with = "value::optional")]
    pub url: Option<Secret>,
    /// A file with the URL, instead of `url`.
    #[serde(deserialize_with = "value::optional")]
    pub url_file: Option<PathBuf>,
    /// The first part of the subjects.
    #[serde(deserialize_with = "value::subject")]
    pub subject: String,
    /// The events to publish. Empty: all.
    pub events: Vec<String>,
    /// The owners whose changes are published. Empty: all.
    pub owners: Vec<String>,
    /// Whether events have the message or conversation.
    pub include_content: bool,
    /// The most publications at once.
    #[serde(deserialize_with = "value::webhook_concurrency")]
    pub concurrency: u32,
}
