//! The settings of `[traces]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Secret;
use super::value;

/// Traces of OpenTelemetry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The URL of the collector for traces. `None`: there are no traces.
    #[serde(deserialize_with = "value::optional_url")]
    pub endpoint: Option<String>,
    /// Headers of requests to the collector.
    #[serde(deserialize_with = "value::optional")]
    pub headers: Option<Secret>,
    /// A file with headers of requests to the collector.
    #[serde(deserialize_with = "value::optional")]
    pub headers_file: Option<PathBuf>,
    /// The time limit of a request to the collector.
    #[serde(deserialize_with = "value::positive_duration")]
    pub timeout: Duration,
    /// The fraction of traces that are sampled if the caller has not decided.
    #[serde(deserialize_with = "value::fraction")]
    pub sample_ratio: f64,
    /// Whether callers decide.
    pub accept_parents: bool,
    /// The name of this service.
    #[serde(deserialize_with = "value::named")]
    pub service_name: String,
    /// Further attributes, each `name=value`.
    pub attributes: Vec<String>,
}
