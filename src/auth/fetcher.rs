//! Fetches the key set from the configured URL.
//!
//! Redirects are not followed, so only the configuration decides where keys come from. Over TLS, the
//! certificate must be signed by a certificate authority of the system or by one from the configuration.

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
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::tls;

/// Timeout of a whole response.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest accepted response, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// CertificateAuthorities whose certificates are believed besides those of the machine.
#[derive(Clone)]
pub struct CertificateAuthorities(RootCertStore);

impl CertificateAuthorities {
    /// No additional authorities.
    pub fn none() -> Self {
        Self(RootCertStore::empty())
    }

    /// Certificate authorities that are trusted besides those of the system.
    ///
    /// # Errors
    /// There is no certificate, or one is not valid.
    pub fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let broken = "it has a certificate that is not valid";
            roots.add(certificate.context(broken)?).context(broken)?;
        }
        if roots.is_empty() {
            bail!("no certificate in PEM");
        }
        Ok(Self(roots))
    }

    /// Adds the authorities of the system, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    fn and_system(&self) -> RootCertStore {
        let mut roots = tls::system_authorities();
        roots.extend(self.0.roots.iter().cloned());
        roots
    }
}

impl PartialEq for CertificateAuthorities {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

/// Where a key set comes from.
#[derive(Clone, PartialEq)]
pub(super) struct KeySetSource {
    uri: Uri,
    authorities: CertificateAuthorities,
}

pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    source: KeySetSource,
}

impl Fetcher {
    /// # Errors
    /// The URL is not HTTP or HTTPS, or it is HTTPS and there are no trusted certificates.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().context("not a URL")?;
        let (is_https, roots) = match uri.scheme_str() {
            Some("https") => (true, authorities.and_system()),
            Some("http") => (false, RootCertStore::empty()),
            _ => bail!("not http:// or https://"),
        };
        if is_https && roots.is_empty() {
            bail!("there are no trusted certificates");
        }
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls::client(roots)?);
        let builder = if is_https { builder.https_only() } else { builder.https_or_http() };
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let connector = builder.enable_http1().wrap_connector(plain);
        // Requests are minutes apart, so no connection is kept open.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, source: KeySetSource { uri, authorities: authorities.clone() } })
    }

    pub(super) fn source(&self) -> &KeySetSource {
        &self.source
    }

    /// The configured URL.
    pub(super) fn uri(&self) -> &Uri {
        &self.source.uri
    }

    pub(super) async fn fetch(&self) -> anyhow::Result<Bytes> {
        tokio::time::timeout(TIMEOUT, self.answer()).await.context("no response within 5 seconds")?
    }

    async fn answer(&self) -> anyhow::Result<Bytes> {
        let request = Request::get(self.source.uri.clone())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("scrollback/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        let response = self.client.request(request).await?;
        if response.status() != StatusCode::OK {
            bail!("the response is {}", response.status());
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body
            .map_err(|_| anyhow!("the response is incomplete or has more than {MAX_BYTES} bytes"))?
            .to_bytes())
    }
}
