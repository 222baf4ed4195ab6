//! A NATS of the tests' own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::TIMEOUT;

/// A server on a port of its own, gone when dropped.
pub(crate) struct Nats {
    port: u16,
    child: Option<Child>,
}

impl Nats {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut nats = Self { port, child: None };
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
