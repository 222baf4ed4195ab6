//! Sends events over HTTP/1.1.
//!
//! Redirects are not followed: only the configuration decides where data goes. Over TLS, the certificate must be signed by a
//! certificate authority of the system. Bodies of answers are dropped.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::address::{NoAddress, PrivateAddress, Resolver, is_public};
use super::endpoint::HttpReceiver;
use super::signature::signature;
use crate::model::{DeliveryFault, Timestamp};
use crate::tls;

/// A connection that is idle for longer is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The most bytes of an answer that are read and dropped to use the connection again.
const DROPPED_BYTES: usize = 16 * 1024;

/// Sends to one receiver.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    receiver: HttpReceiver,
    timeout: Duration,
}

impl Sender {
    /// # Errors
    /// There are no trusted certificates, or the host is a private address.
    pub(super) fn new(receiver: HttpReceiver, concurrency: usize, timeout: Duration) -> anyhow::Result<Self> {
        check_literal(&receiver.url, receiver.allows_private_addresses)?;
        let is_https = receiver.url.scheme_str() == Some("https");
        let authorities = if is_https { tls::system_authorities() } else { RootCertStore::empty() };
        if is_https && authorities.is_empty() {
            bail!("there are no trusted certificates");
        }
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls::client(authorities)?);
        let builder = if is_https { builder.https_only() } else { builder.https_or_http() };
        let resolver = Resolver { allows_private: receiver.allows_private_addresses };
        let mut plain = HttpConnector::new_with_resolver(resolver);
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(concurrency)
            .build(builder.enable_http1().wrap_connector(plain));
        Ok(Self { client, receiver, timeout })
    }

    /// Sends an event once. `traceparent` is for a receiver that continues the trace.
    ///
    /// # Errors
    /// The receiver did not answer 2xx in time.
    pub(super) async fn send(
        &self,
        id: &str,
        now: Timestamp,
        body: Bytes,
        traceparent: Option<String>,
    ) -> Result<(), DeliveryFault> {
        let answered = tokio::time::timeout(self.timeout, self.request(id, now, body, traceparent)).await;
        answered.unwrap_or(Err(DeliveryFault::Timeout))
    }

    async fn request(
        &self,
        id: &str,
        now: Timestamp,
        body: Bytes,
        traceparent: Option<String>,
    ) -> Result<(), DeliveryFault> {
        let seconds = now.0.div_euclid(1_000_000);
        let request = Request::post(self.receiver.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("scrollback/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature(&self.receiver.secrets, id, seconds, &body))
            .body(Full::new(body));
        let mut request = request.map_err(|_| DeliveryFault::Connection)?;
        if let Some(value) = traceparent.and_then(|value| HeaderValue::try_from(value).ok()) {
            request.headers_mut().insert("traceparent", value);
        }
        let response = self.client.request(request).await.map_err(|error| fault(&error))?;
        let status = response.status();
        // It is accepted whatever becomes of the body. Reading it lets the connection be used again.
        let dropped = Limited::new(response.into_body(), DROPPED_BYTES).collect();
        let _ = tokio::time::timeout(self.timeout / 10, dropped).await;
        if status.is_success() { Ok(()) } else { Err(DeliveryFault::Status(status.as_u16())) }
    }
}

/// The connector resolves names only, so addresses in the URL are checked here.
fn check_literal(url: &Uri, allows_private: bool) -> anyhow::Result<()> {
    let host = url.host().context("it has no host")?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !allows_private && literal.is_ok_and(|address| !is_public(address)) {
        bail!("the address {host} is private: `allow_private_addresses` allows it");
    }
    Ok(())
}

fn fault(error: &ClientError) -> DeliveryFault {
    if has_cause::<PrivateAddress>(error) {
        DeliveryFault::PrivateAddress
    } else if has_cause::<NoAddress>(error) {
        DeliveryFault::Dns
    } else if has_cause::<rustls::Error>(error) {
        DeliveryFault::Tls
    } else {
        DeliveryFault::Connection
    }
}

/// Whether an error was caused by one of this type. I/O errors do not name the error inside them as their cause.
fn has_cause<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let inside = || {
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.is_some_and(|inside| has_cause::<E>(inside))
    };
    error.is::<E>() || inside() || error.source().is_some_and(has_cause::<E>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_in_urls_are_refused_unless_allowed() {
        for url in [
            "https://127.0.0.1/",
            "https://[::1]:8443/",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
        ] {
            let url: Uri = url.parse().unwrap();
            let refused = check_literal(&url, false).unwrap_err().to_string();
            assert!(refused.contains("allow_private_addresses"), "{refused}");
            assert!(check_literal(&url, true).is_ok(), "{url}");
        }
        for url in ["https://hooks.example/", "https://9.9.9.9/"] {
            assert!(check_literal(&url.parse().unwrap(), false).is_ok(), "{url}");
        }
    }
}
