//! Requests to the collector: OTLP over HTTP, in protobuf
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! Redirects are not followed: only the configuration decides where spans go. Over TLS, the certificate must be signed by a
//! certificate authority of the system.

use std::time::Duration;

use anyhow::bail;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use rustls::RootCertStore;

use super::settings::Settings;
use crate::tls;

/// A connection that is idle for longer is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The most bytes of a response that are read.
const MAX_BYTES: usize = 64 * 1024;

pub(super) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why spans were not taken.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) reason: String,
    /// Whether another attempt can succeed, and the time that the collector asks for.
    pub(super) retry: Option<Option<Duration>>,
}

impl Collector {
    /// # Errors
    /// The endpoint needs TLS, and there are no trusted certificates.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let Settings { endpoint, headers, timeout, .. } = settings;
        let is_https = endpoint.scheme_str() == Some("https");
        let authorities = if is_https { tls::system_authorities() } else { RootCertStore::empty() };
        if is_https && authorities.is_empty() {
            bail!("there are no trusted certificates");
        }
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls::client(authorities)?);
        let builder = if is_https { builder.https_only() } else { builder.https_or_http() };
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .build(builder.enable_http1().wrap_connector(plain));
        Ok(Self { client, endpoint: endpoint.clone(), headers: headers.clone(), timeout: *timeout })
    }

    /// Sends an encoded batch. Returns the number of spans that the collector rejected.
    pub(super) async fn send(&self, body: Bytes) -> Result<u64, Fault> {
        let answered = tokio::time::timeout(self.timeout, self.request(body)).await;
        answered.unwrap_or_else(|_| Err(Fault::retryable("it does not answer in time")))
    }

    async fn request(&self, body: Bytes) -> Result<u64, Fault> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/x-protobuf"));
        let agent = concat!("scrollback/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, hyper::header::HeaderValue::from_static(agent));
        // Errors of the client name the address, and no more.
        let response = self.client.request(request).await;
        let response =
            response.map_err(|error| Fault::retryable(format!("{:#}", anyhow::Error::new(error))))?;
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        if !status.is_success() {
            let is_retryable = [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ];
            let retry = is_retryable.contains(&status).then_some(wait);
            return Err(Fault { reason: format!("it answers {status}"), retry });
        }
        // It took the spans, whatever it says about them.
        let bytes = body.map(Collected::to_bytes).unwrap_or_default();
        let response = ExportTraceServiceResponse::decode(bytes).unwrap_or_default();
        let rejected = response.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or_default())
    }
}

impl Fault {
    fn retryable(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: Some(None) }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
