//! Fetching a document from the one address that the operator configured.
//!
//! Redirects are not followed: only the configuration decides where keys come from. Over TLS a server is believed
//! whose certificate comes from an authority that the machine trusts, or from one that the operator names.

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
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long an answer may take, all of it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// CertificateAuthorities whose certificates are believed besides those of the machine.
#[derive(Clone)]
pub struct CertificateAuthorities(RootCertStore);

impl CertificateAuthorities {
    /// None but the machine's.
    pub fn none() -> Self {
        Self(RootCertStore::empty())
    }

    /// Those whose certificates stand in a text, in PEM.
    ///
    /// # Errors
    /// There is none in it, or one that is broken.
    pub fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let broken = "a certificate in it cannot be read";
            roots.add(certificate.context(broken)?).context(broken)?;
        }
        if roots.is_empty() {
            bail!("no certificate in PEM");
        }
        Ok(Self(roots))
    }

    /// With those that the machine trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    fn and_machine(&self) -> RootCertStore {
        let mut roots = self.0.clone();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    }
}

pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl Fetcher {
    /// # Errors
    /// It is not an address of HTTP, or of HTTPS where there are no certificates to trust.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().context("not a URL")?;
        let (is_https, roots) = match uri.scheme_str() {
            Some("https") => (true, authorities.and_machine()),
            Some("http") => (false, RootCertStore::empty()),
            _ => bail!("not http:// or https://"),
        };
        if is_https && roots.is_empty() {
            bail!("no certificates to trust");
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
        let builder = if is_https { builder.https_only() } else { builder.https_or_http() };
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let connector = builder.enable_http1().wrap_connector(plain);
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
