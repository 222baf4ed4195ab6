//! A NATS of the tests' own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::TIMEOUT;

/// A server on a port of its own, gone when dropped.
pub(crate) struct Nats {
    port: u16,
    child: Option<Child>,
    /// The folder of JetStream, if it has streams.
    streams: Option<TempDir>,
}

impl Nats {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// The same with JetStream, whose streams survive a kill.
    pub(crate) fn start_with_jetstream() -> Self {
        Self::start_with(Some(tempfile::tempdir().unwrap()))
    }

    fn start_with(streams: Option<TempDir>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut nats = Self { port, child: None, streams };
        nats.up();
        nats
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
