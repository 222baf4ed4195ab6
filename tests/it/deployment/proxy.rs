//! HAProxy with the configuration of `deploy/docker`, in front of servers on this machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::tools::{succeed, system_program};
use crate::harness::TIMEOUT;

/// The line for the servers of Docker Compose, before and after the settings of the health checks.
const TEMPLATE: [&str; 2] = [
    "server-template scrollback 10 scrollback:8000 check port 9000 ",
    " resolvers docker init-addr libc,none",
];

/// A proxy on a port of its own, gone when dropped.
pub(super) struct Proxy {
    pub(super) url: String,
    child: Child,
    _folder: TempDir,
}

impl Proxy {
    /// Starts a proxy and waits until it takes connections. A server is the address of its API and that of its
    /// health checks.
    pub(super) fn start(servers: &[(String, String)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, configuration(&address.to_string(), servers)).unwrap();
        let haproxy = system_program("haproxy");
        succeed(Command::new(&haproxy).arg("-c").arg("-f").arg(&file));
        let mut command = Command::new(&haproxy);
        command.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let proxy = Self { url: format!("http://{address}"), child, _folder: folder };
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "HAProxy does not listen");
            std::thread::yield_now();
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration with the addresses of the test.
fn configuration(address: &str, servers: &[(String, String)]) -> String {
    let text = fs::read_to_string("deploy/docker/haproxy.cfg").unwrap();
    let [before, after] = TEMPLATE;
    let checks = text.lines().find_map(|line| line.trim().strip_prefix(before)?.strip_suffix(after));
    let checks = checks.expect("the servers are as in TEMPLATE");
    let lines = servers.iter().enumerate().map(|(at, (public, admin))| {
        let port = admin.rsplit_once(':').unwrap().1;
        format!("server s{at} {public} check port {port} {checks}")
    });
    let lines = lines.collect::<Vec<_>>().join("\n  ");
    let bind = "  bind :8080\n";
    assert_eq!(text.matches(bind).count(), 1);
    text.replace(bind, &format!("  bind {address}\n")).replace(&format!("{before}{checks}{after}"), &lines)
}
