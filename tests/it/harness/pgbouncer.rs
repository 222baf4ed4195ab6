//! A PgBouncer in front of a cluster of the tests'.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::TIMEOUT;
use super::postgres::{Cluster, command, unprivileged};

pub(crate) struct PgBouncer {
    port: u16,
    _folder: TempDir,
    /// Ends the program when its standard input closes: however the tests end, that happens.
    watchdog: Child,
}

impl PgBouncer {
    /// In this mode, with these lines more in its configuration, once it takes connections.
    pub(crate) fn start(cluster: &Cluster, mode: &str, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("scrollback-pgbouncer-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let lines = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=scrollback\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
             ignore_startup_parameters = extra_float_digits\n{}\n",
            cluster.port(),
            settings.join("\n")
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, lines).unwrap();
        if let Some((uid, gid)) = unprivileged() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            chown(&file, Some(uid), Some(gid)).unwrap();
        }
        let script = r#"PATH="$PATH:/usr/sbin"; pgbouncer --quiet "$0" & cat >/dev/null; kill $!"#;
        let watchdog = command(Path::new("sh"))
            .args(["-c", script])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let hint = "PgBouncer takes connections (`tests/run` installs it)";
            assert!(started.elapsed() < TIMEOUT, "{hint}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { port, _folder: folder, watchdog }
    }

    /// The database behind `url`, reached through it.
    pub(crate) fn url(&self, url: &str) -> String {
        let database = url.rsplit_once('/').unwrap().1;
        format!("postgres://scrollback@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
