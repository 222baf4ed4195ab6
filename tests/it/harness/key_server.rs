//! An issuer of tokens, and the server where it tells its keys.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::serve::Listener;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use scrollback::clock::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::TIMEOUT;
use super::tls::{Authority, ServerCertificate, TlsListener};

/// A key pair.
pub(crate) struct SigningKey {
    pub(crate) id: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl SigningKey {
    pub(crate) fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let kind: &[&str] = match algorithm {
            Algorithm::EdDSA => &["ed25519"],
            Algorithm::ES256 => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            _ => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        Self::of_kind(id, algorithm, kind)
    }

    /// An RSA key that is not to be trusted.
    pub(crate) fn too_small(id: &'static str) -> Self {
        Self::of_kind(id, Algorithm::RS256, &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"])
    }

    fn of_kind(id: &'static str, algorithm: Algorithm, kind: &[&str]) -> Self {
        let made = Command::new("openssl").args(["genpkey", "-algorithm"]).args(kind).output();
        let pem = made.expect("openssl is installed").stdout;
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_pem(&pem),
            Algorithm::ES256 => EncodingKey::from_ec_pem(&pem),
            _ => EncodingKey::from_rsa_pem(&pem),
        };
        Self { id, algorithm, key: key.unwrap() }
    }

    /// The public half as the server sends it, with other members or without some.
    pub(crate) fn jwk(&self, changes: &Value) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        (jwk["kid"], jwk["use"]) = (json!(self.id), json!("sig"));
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    }

    pub(crate) fn header(&self) -> Header {
        Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) }
    }

    /// A token of ada's.
    pub(crate) fn token(&self) -> String {
        self.token_with(&self.header(), &json!({}))
    }

    pub(crate) fn token_with(&self, header: &Header, changes: &Value) -> String {
        let mut claims = json!({ "sub": "ada", "exp": Clock::system().now().0 / 1_000_000 + 600 });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        encode(header, &claims, &self.key).unwrap()
    }
}

/// Serves a key set at a URL until it is dropped.
pub(crate) struct KeyServer {
    pub(crate) url: String,
    shared: Arc<KeyServerState>,
    asked: watch::Receiver<u64>,
    task: AbortHandle,
}

struct KeyServerState {
    body: Mutex<String>,
    down: AtomicBool,
    asked: watch::Sender<u64>,
}

impl KeyServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        Self::serve(url, listener)
    }

    /// The same over TLS, with a certificate of this authority until it is changed.
    pub(crate) async fn start_over_tls(authority: &Authority) -> (Self, ServerCertificate) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/keys", listener.local_addr().unwrap());
        let shown = ServerCertificate::of(authority);
        (Self::serve(url, TlsListener { listener, shown: shown.clone() }), shown)
    }

    fn serve<L: Listener<Addr: std::fmt::Debug>>(url: String, listener: L) -> Self {
        let (sender, asked) = watch::channel(0);
        let shared =
            Arc::new(KeyServerState { body: Mutex::default(), down: AtomicBool::new(false), asked: sender });
        let router = axum::Router::new()
            .route("/keys", get(answer))
            .route("/elsewhere", get(async || Redirect::temporary("/keys")))
            .route("/never", get(async || std::future::pending::<StatusCode>().await))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, asked, task: serving.abort_handle() }
    }

    /// Tells these keys from now on.
    pub(crate) fn tell(&self, keys: &[Value]) {
        self.tell_raw(json!({ "keys": keys }).to_string());
    }

    pub(crate) fn tell_raw(&self, body: String) {
        *self.shared.body.lock().unwrap() = body;
    }

    /// Answers 503 from now on, or no longer.
    pub(crate) fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// The number of requests so far.
    pub(crate) fn request_count(&self) -> u64 {
        *self.asked.borrow()
    }

    /// Waits for this number of requests.
    pub(crate) async fn wait_for_requests(&self, times: u64) {
        let mut asked = self.asked.clone();
        timeout(TIMEOUT, asked.wait_for(|asked| *asked >= times)).await.expect("asked in time").unwrap();
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<KeyServerState>>) -> Response {
    shared.asked.send_modify(|asked| *asked += 1);
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    shared.body.lock().unwrap().clone().into_response()
}
