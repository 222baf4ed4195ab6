//! Where spans go, and which.

use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use uuid::Builder;

/// Where spans go, and which.
pub struct Settings {
    /// The URL of the collector for traces (OTLP over HTTP), for example `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: Uri,
    /// Headers of requests to the collector, for example with a key.
    pub headers: HeaderMap,
    /// The time limit of a request to the collector.
    pub timeout: Duration,
    /// The fraction of traces that are sampled if the caller has not decided, from 0 to 1.
    pub sample_ratio: f64,
    /// Whether callers decide with `traceparent`.
    pub accepts_parents: bool,
    /// The name of this service.
    pub service_name: String,
    /// Further attributes of this server.
    pub attributes: Vec<(String, String)>,
}

impl Settings {
    /// What all spans of this server have in common.
    pub(super) fn resource(&self) -> Resource {
        let instance = Builder::from_random_bytes(rand::random()).into_uuid().to_string();
        let attributes = self.attributes.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance))
            .with_attributes(attributes)
            .with_attribute(KeyValue::new("service.name", self.service_name.clone()))
            .build()
    }
}
