//! A NATS of the tests' own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::{Authority, TIMEOUT};

/// A server on a port of its own, gone when dropped.
pub(crate) struct Nats {
    port: u16,
    child: Option<Child>,
    /// The folder of JetStream, if it has streams.
    streams: Option<TempDir>,
    /// Further arguments.
    arguments: Vec<String>,
}

impl Nats {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// The same with JetStream, whose streams survive a kill.
    pub(crate) fn start_with_jetstream() -> Self {
        Self::start_with(Some(tempfile::tempdir().unwrap()))
    }

    /// The same with JetStream, that takes connections over TLS only, from those who know the password `s3cret` of `chat`.
    pub(crate) fn start_secured(authority: &Authority) -> Self {
        let [certificate, key] = authority.server_files().map(|file| file.display().to_string());
        let arguments =
            ["--tls", "--tlscert", &certificate, "--tlskey", &key, "--user", "chat", "--pass", "s3cret"];
        Self::start_with_arguments(Some(tempfile::tempdir().unwrap()), arguments.map(str::to_owned).to_vec())
    }

    fn start_with(streams: Option<TempDir>) -> Self {
        Self::start_with_arguments(streams, Vec::new())
    }

    fn start_with_arguments(streams: Option<TempDir>, arguments: Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut nats = Self { port, child: None, streams, arguments };
        nats.up();
        nats
    }

    /// The address with another beginning and the credentials.
    pub(crate) fn url_as(&self, scheme: &str, credentials: &str) -> String {
        format!("{scheme}://{credentials}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts the server and waits until it takes connections.
    pub(crate) fn up(&mut self) {
        let port = self.port.to_string();
        let mut command =
            ["nats-server", "/usr/sbin/nats-server"].into_iter().map(Command::new).find_map(|mut command| {
                if let Some(folder) = &self.streams {
                    command.arg("-js").arg("-sd").arg(folder.path());
                }
                let spawned = command
                    .args(["-a", "127.0.0.1", "-p", &port])
                    .args(&self.arguments)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn();
                spawned.ok()
            });
        self.child = Some(command.take().expect("nats-server is installed (`tests/run` installs it)"));
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "nats-server does not answer");
            std::thread::yield_now();
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
