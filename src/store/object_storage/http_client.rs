//! The HTTP client of object stores: hyper with the TLS of the rest of the program.

use std::time::Duration;

use anyhow::Context;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use sea_orm::prelude::async_trait::async_trait;

use crate::tls;

/// The time for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The time for the head of a response: the request may have an object of some megabytes.
const RESPONSE: Duration = Duration::from_secs(60);

/// Makes clients.
#[derive(Debug, Clone)]
pub(super) struct Connector(Service);

#[derive(Debug, Clone)]
struct Service(Client<HttpsConnector<TcpConnector>, HttpRequestBody>);

/// There was no answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within 60 seconds")]
struct NoAnswer;

impl Connector {
    /// A connector that believes the certificate authorities of the system, or those that `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name.
    ///
    /// # Errors
    /// The system has no TLS that can be used.
    pub(super) fn new() -> anyhow::Result<Self> {
        let tls = tls::client(tls::system_authorities()).context("cannot use TLS")?;
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        // `https_or_http`: object_store itself refuses HTTP unless the environment allows it.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self(Service(Client::builder(TokioExecutor::new()).build(connector))))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(RESPONSE, self.0.request(request)).await;
        let response =
            answer.map_err(|_| HttpError::new(HttpErrorKind::Timeout, NoAnswer))?.map_err(|error| {
                let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
                HttpError::new(kind, error)
            })?;
        let broken = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(broken))))
    }
}
