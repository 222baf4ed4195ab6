//! Certificates of an authority of its own, and a listener that shows one.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::postgres::unprivileged;

/// An authority that nobody knows, and a certificate of it for 127.0.0.1.
pub(crate) struct Authority(TempDir);

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = ["-keyout", "authority.key", "-out", "authority.pem", "-subj", "/CN=an authority"];
        make(folder.path(), &own);
        let of_it = ["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=a server"];
        let by = ["-CA", "authority.pem", "-CAkey", "authority.key"];
        let names =
            ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
        make(folder.path(), &[&of_it[..], &by, &names].concat());
        Self(folder)
    }

    /// The authority's own certificate, in PEM.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("authority.pem")
    }

    /// The server's certificate, and its key.
    pub(crate) fn server_files(&self) -> [PathBuf; 2] {
        ["server.pem", "server.key"].map(|name| self.0.path().join(name))
    }

    /// The server's certificate, `server.pem`, and its key, `server.key`, where a PostgreSQL may read them.
    pub(crate) fn for_postgres(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["server.pem", "server.key"] {
            let copy = folder.path().join(name);
            std::fs::copy(self.0.path().join(name), &copy).unwrap();
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = unprivileged() {
                chown(&copy, Some(uid), Some(gid)).unwrap();
            }
        }
        if let Some((uid, gid)) = unprivileged() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        folder
    }

    /// Shows the certificate of the server.
    fn shown(&self) -> Arc<ServerConfig> {
        let folder = self.0.path();
        let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate], key).unwrap())
    }
}

fn make(folder: &Path, arguments: &[&str]) {
    let kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let mut openssl = Command::new("openssl");
    let made = openssl.args(["req", "-x509"]).args(kind).args(arguments).current_dir(folder).output();
    let made = made.expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Which certificate is shown.
#[derive(Clone)]
pub(crate) struct ServerCertificate(watch::Sender<Arc<ServerConfig>>);

impl ServerCertificate {
    pub(crate) fn of(authority: &Authority) -> Self {
        Self(watch::Sender::new(authority.shown()))
    }

    /// Shows that of another authority from now on.
    pub(crate) fn change(&self, authority: &Authority) {
        self.0.send_replace(authority.shown());
    }
}

/// Takes connections over TLS.
pub(crate) struct TlsListener {
    pub(crate) listener: TcpListener,
    pub(crate) shown: ServerCertificate,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            let config = self.shown.0.borrow().clone();
            // A client that does not trust the certificate disconnects.
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
