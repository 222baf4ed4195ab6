//! Fetching a document from the one address that the operator configured.
//!
//! Redirects are not followed: where keys come from is nobody else's to say.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;

/// How long an answer may take, all of it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl Fetcher {
    /// # Errors
    /// It is not an address of HTTP, or of HTTPS where the machine has no certificates to trust.
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().context("not a URL")?;
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let provider = Arc::new(ring::default_provider());
        let https = match uri.scheme_str() {
            Some("https") => HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(provider)
                .context("no certificates to trust")?
                .https_only(),
            Some("http") => {
                let tls = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth();
                HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http()
            }
            _ => bail!("not http:// or https://"),
        };
        let connector = https.enable_http1().wrap_connector(plain);
        // Minutes lie between two requests: no connection is kept.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, uri })
    }

    /// Where it fetches from.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) async fn fetch(&self) -> anyhow::Result<Bytes> {
        tokio::time::timeout(TIMEOUT, self.answer()).await.context("no answer in time")?
    }

    async fn answer(&self) -> anyhow::Result<Bytes> {
        let request = Request::get(self.uri.clone())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("scrollback/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        let response = self.client.request(request).await?;
        if response.status() != StatusCode::OK {
            bail!("the answer is {}", response.status());
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|_| anyhow!("the answer breaks off, or has over {MAX_BYTES} bytes"))?.to_bytes())
    }
}
